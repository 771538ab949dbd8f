#!/bin/bash
# mpack ends with 0 and prints nothing when sendmail ends with 75 or 67: a script can't see that a file has not been sent.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="mpack=1.6-18+b1"
. "$(dirname "$0")/lib/programs.sh"

echo data >file
for code in 75 67; do
	status=0
	echo $code >"$work/calls/exit"
	out=$(mpack -s "a file" file you@example.org 2>&1) || status=$?
	echo "sendmail ended with $code, mpack ended with $status and printed: '$out'"
	[ "$status" = 0 ] && [ -z "$out" ] || { echo "CHANGED"; exit 1; }
done
[ "$(wc -l <"$work/calls/args")" = 2 ] || { echo "CHANGED: sendmail was not called"; exit 1; }
