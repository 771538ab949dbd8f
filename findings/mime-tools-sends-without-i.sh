#!/bin/bash
# Perl's MIME::Entity->send("sendmail") calls sendmail -t without -i: a line with a single dot in a text ends the message
# for sendmail, and the attachments after it are lost, while send returns true. Data of type text/plain is not encoded.
# Needs root on Debian 12: the pinned packages are unpacked in a temporary folder and laid over /usr and /etc in a mount
# namespace of this script's own. The mailer is a stand-in.
set -euo pipefail
self=$(realpath "$0")
packages="libmime-tools-perl=5.510-1 libmailtools-perl=2.21-2 libtimedate-perl libconvert-binhex-perl"

if [ -z "${FINDING_WORK:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	chmod 755 "$work"
	cd "$work"
	# shellcheck disable=SC2086 # a list of words is meant
	apt-get -q download $packages >log 2>&1 || { apt-get -q update && apt-get -q download $packages; } >log 2>&1 || { cat log; exit 2; }
	for deb in *.deb; do dpkg -x "$deb" root; done
	mkdir -p root/usr/sbin root/usr/lib root/etc home calls
	chmod 777 home calls
	cat >root/usr/sbin/sendmail <<E
#!/bin/sh
{ printf '[%s]' "\$@"; echo; } >>$work/calls/args
cat >>$work/calls/input
exit \$(cat $work/calls/exit 2>/dev/null || echo 0)
E
	chmod 755 root/usr/sbin/sendmail
	ln -s ../sbin/sendmail root/usr/lib/sendmail
	FINDING_WORK=$work unshare -m "$self"
	exit
fi

work=$FINDING_WORK
mount --make-rprivate /
for dir in usr etc; do
	mount -t overlay -o "lowerdir=$work/root/$dir:/$dir" overlay "/$dir"
done
cd "$work/home"
export HOME=$work/home
echo "$packages" | tr ' ' '\n' | sed 's/^/package: /'

printf 'pdf' >file.bin
perl -MMIME::Entity -e '$e = MIME::Entity->build(From => "a\@example.net", To => "you\@example.org", Subject => "s", Type => "multipart/mixed");
$e->attach(Data => "text\n.\nmore\n"); $e->attach(Path => "file.bin", Type => "application/octet-stream", Encoding => "base64");
print "send returned ", ($e->send("sendmail") ? "true" : "false"), "\n"'
echo "arguments: $(cat "$work/calls/args")"
grep -n -B1 -A1 '^\.$' "$work/calls/input" || { echo "CHANGED: the dot is encoded"; exit 1; }
[ "$(cat "$work/calls/args")" = '[-t]' ] || { echo "CHANGED"; exit 1; }
