#!/bin/bash
# GNU Mailutils' mail, which is /usr/bin/mail where that package is installed, takes a line of a single dot for the end of the
# text when the text comes by a pipe or from a file, too: the rest is not sent, nothing is printed, and it ends with 0.
# "sendmail -i" can't help, for mail never passes the rest on. bsd-mailx and s-nail send the whole text, and so does it
# with -E 'unset dot'. So a report with such a line arrives cut on one host and whole on the other.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="mailutils=1:3.15-4 libmailutils9=1:3.15-4 mailutils-common=1:3.15-4 bsd-mailx=8.1.2-0.20220412cvs-1 s-nail=14.9.24-2 libbsd0 liblockfile1 libgsasl18 libgssglue1 libntlm0 libunistring2 libmariadb3 libpq5 libldap-2.5-0 libsasl2-2 libreadline8 libncurses6 libfribidi0 libidn12 libltdl7"
. "$(dirname "$0")/lib/programs.sh"

changed=
sends() { # what the body has to be, command...
	rm -f "$work/calls/input"
	status=0
	printf 'one\n.\ntwo\n' | "${@:2}" -s subject you@example.org >out 2>&1 || status=$?
	body=$(sed '1,/^$/d' "$work/calls/input" | tr '\n' ' ')
	echo "${*:2}: ended with $status and printed '$(cat out)'; the body that sendmail got: $body"
	[ "$status" = 0 ] && [ "$body" = "$1" ] || changed=1
}
sends "one " mail.mailutils
sends "one . two " mail.mailutils -E 'unset dot'
sends "one . two " bsd-mailx
sends "one . two " s-nail
[ -z "$changed" ] || { echo "CHANGED"; exit 1; }
