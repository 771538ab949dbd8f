#!/bin/bash
# procmail's forwarding action ("! address") ends with 0 and keeps nothing when sendmail ends with 75: the message is in no
# mailbox, and the mail system that called procmail does not try again. Only the flag w makes it look at the exit code.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="procmail=3.22-27"
. "$(dirname "$0")/lib/programs.sh"

echo 75 >"$work/calls/exit"
for flag in "" w; do
	rm -f inbox
	printf 'DEFAULT=%s/inbox\n:0 %s\n! one@example.org\n' "$HOME" "$flag" >rc
	status=0
	printf 'From ann@example.net Mon Nov 30 10:00:00 2026\nSubject: x\n\nbody\n' | procmail ./rc >log 2>&1 || status=$?
	kept=$([ -s inbox ] && echo yes || echo no)
	echo "flag '$flag': sendmail ended with 75, procmail ended with $status, kept in the mailbox: $kept"
	[ "$status $kept" = "0 $([ -n "$flag" ] && echo yes || echo no)" ] || { echo "CHANGED"; exit 1; }
done
[ "$(wc -l <"$work/calls/args")" = 2 ] || { echo "CHANGED: sendmail was not called"; exit 1; }
