#!/bin/bash
# dma -t reads the first line of To, Cc and Bcc only: who stands on a line that the field is folded to (RFC 5322 2.2.3;
# programs fold before 78 characters, so behind the second or third address) gets nothing. It prints nothing, ends with
# 0, and sends the field whole, so that the others believe that all have got the message.
# Needs root on Debian 12 (lib/programs.sh), and python3.
set -euo pipefail
packages="dma=0.13-1+b1"
. "$(dirname "$0")/lib/programs.sh"
. "$(dirname "$0")/lib/mailers.sh"

check() { # check RECIPIENT ... compares them with those who get the message on standard input
	mailer dma -t >out
	grep -E '^RCPT|^\| (To|Bcc| )|^said|^exit|nothing' out
	[ "$(sed -n 's/^RCPT TO:<\(.*\)@example.org>$/\1/p' out | sort | xargs)" = "$*" ] && grep -q '^exit code 0' out &&
		! grep -q '^said' out || { echo "CHANGED"; exit 1; }
}
echo '-- on one line'
check bob carol dave <<'M'
From: alice@host.example
To: bob@example.org, carol@example.org, dave@example.org

text
M
echo '-- folded'
check bob erin <<'M'
From: alice@host.example
To: bob@example.org,
 carol@example.org,
 dave@example.org
Bcc: erin@example.org,
	frank@example.org

text
M
