#!/bin/bash
# dma sends a line that it was given with CRLF as CR CR LF: it takes LF for the line end and adds a CR of its own. PHP
# programs and Ruby's mail gem give sendmail CRLF. The field names are read, but the empty line behind the header is
# none: it is a line that holds a CR.
# Needs root on Debian 12 (lib/programs.sh), and python3.
set -euo pipefail
packages="dma=0.13-1+b1 msmtp=1.8.23-1 libgsasl18 libsecret-1-0 ssmtp=2.64-11"
. "$(dirname "$0")/lib/programs.sh"
. "$(dirname "$0")/lib/mailers.sh"

for name in msmtp ssmtp dma; do
	printf 'To: bob@example.org\r\nSubject: report\r\n\r\nfirst\r\nsecond\r\n' | mailer $name -t >$name.out
	echo "-- $name, lines of the message without the CRLF that ends them"
	sed -n '/^| Subject/,$p' $name.out
done
want='| Subject: report
| 
| first
| second
exit code 0'
[ "$(sed -n '/^| Subject/,$p' msmtp.out)" = "$want" ] && [ "$(sed -n '/^| Subject/,$p' ssmtp.out)" = "$want" ] &&
	[ "$(sed -n '/^| Subject/,$p' dma.out)" = "$(sed 's/^|.*/&\\r/' <<<"$want")" ] || { echo "CHANGED"; exit 1; }
