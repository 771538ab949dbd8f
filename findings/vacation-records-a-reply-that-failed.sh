#!/bin/bash
# vacation notes that it has answered somebody before the answer has left: when sendmail fails for the moment (exit 75),
# vacation ends with 0 and does not answer this sender again for a week.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="vacation=3.3.3 libdb5.3"
. "$(dirname "$0")/lib/programs.sh"

export USER=root LOGNAME=root
echo 75 >"$work/calls/exit"
# root's home is a temporary one here, in a layer over /etc.
sed -i "s#^\(root:.*:\)[^:]*:\([^:]*\)\$#\1$HOME:\2#" /etc/passwd
[ "$(getent passwd root | cut -d: -f6)" = "$HOME" ] || { echo "could not give root another home"; exit 2; }
printf 'Subject: away\n\nI am away\n' >.vacation.msg
vacation -i </dev/null
message='From ann@example.net Mon Nov 30 10:00:00 2026
From: Ann <ann@example.net>
To: root
Subject: question

text
'
for n in 1 2; do
	status=0
	printf '%s' "$message" | vacation root || status=$?
	sleep 1
	echo "message $n: sendmail was to end with 75, vacation ended with $status, calls so far: $(wc -l <"$work/calls/args")"
	[ "$status" = 0 ] && [ "$(wc -l <"$work/calls/args")" = 1 ] || { echo "CHANGED"; exit 1; }
done
cat "$work/calls/args"
