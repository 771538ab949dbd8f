#!/bin/bash
# rmail, by which UUCP hands over mail, prints that sendmail ended with 75, and ends with 0: UUCP takes the message for delivered and
# removes it. It passes -oee, by which sendmail is to report by mail instead, but a sendmail that ends with 75 has kept nothing.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="rmail=8.17.1.9-2+deb12u2"
. "$(dirname "$0")/lib/programs.sh"

for code in 75 67; do
	echo $code >"$work/calls/exit"
	status=0
	out=$(printf 'From ann Mon Nov 30 10:00:00 2026 remote from far\nFrom: ann@far.example\nTo: you@example.org\nSubject: s\n\ntext\n' | rmail you@example.org 2>&1) || status=$?
	echo "sendmail ended with $code, rmail ended with $status and printed: '$out'"
	[ "$status" = 0 ] || { echo "CHANGED"; exit 1; }
done
cat "$work/calls/args"
[ "$(wc -l <"$work/calls/args")" = 2 ] || { echo "CHANGED: sendmail was not called"; exit 1; }
