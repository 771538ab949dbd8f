#!/bin/bash
# Ruby's mail gem 2.7.1, which Rails 6.1 and Redmine of Debian 12 send with, writes text in quoted-printable with "=0D" at the
# end of each line, whatever the text's own line ends are: it makes them CRLF and then encodes the CR. A reader decodes CR and
# a line end, "\r\r\n" on the wire, in place of a line end (RFC 2045 6.7, rule 4); signatures and digests of the text are
# others, and a program that reads line by line has a CR at each end.
# Text in 7bit is as it should be.
# Needs Debian 12 with ruby 3.1; the pinned package is unpacked in a temporary folder. Ends with 1 when that changes, 2 when
# it can't run.
set -euo pipefail
packages="ruby-mail=2.7.1+dfsg1-2 ruby-mini-mime=1.1.1-2"
command -v ruby >/dev/null || { echo "ruby is not installed: apt-get install ruby"; exit 2; }
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# shellcheck disable=SC2086 # a list of words is meant
apt-get -q download $packages >log 2>&1 || { apt-get -q update && apt-get -q download $packages; } >log 2>&1 || { cat log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" root; done
echo "$packages" | tr ' ' '\n' | sed 's/^/package: /'
cat >sendmail <<E
#!/bin/sh
cat >"$work/sent"
E
chmod 755 sendmail
cat >try.rb <<'E'
require 'mail'
m = Mail.new(from: 'a@example.org', to: 'you@example.org', subject: 'x', body: ARGV[1], charset: 'UTF-8')
m.content_type = 'text/plain; charset=UTF-8'
m.content_transfer_encoding = 'quoted-printable' if ARGV[2]
m.delivery_method :sendmail, location: ARGV[0]
m.deliver
puts "mail #{Mail::VERSION.version}"
E
changed=
expect() { # what, text, encoding, decoded by Python
	ruby -I root/usr/lib/ruby/vendor_ruby -I root/usr/share/rubygems-integration/all/gems/mini_mime-1.1.1/lib try.rb "$work/sendmail" "$2" ${3:+"$3"}
	got=$(python3 -c 'import email; print(email.message_from_binary_file(open("sent", "rb")).get_payload(decode=True))')
	echo "$1: on the wire $(sed '1,/^\r*$/d' sent | cat -A | tr '\n' ' '); decoded: $got"
	[ "$got" = "$4" ] || changed=1
}
expect "LF text, quoted-printable" $'Gr\u00f6\u00dfe\nzwei\n' qp "b'Gr\\xc3\\xb6\\xc3\\x9fe\\r\\nzwei\\r\\n'"
expect "ASCII text, 7bit" $'eins\nzwei\n' '' "b'eins\\nzwei\\n'"
[ -z "$changed" ] || { echo "CHANGED"; exit 1; }
