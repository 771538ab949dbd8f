#!/bin/bash
# calendar -a hands sendmail -F "Reminder Service" with the quotation marks in the argument, though no shell takes them
# away, and writes a From field of its own: a mailer that builds From by -F has to cope with a name in quotes.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="calendar=12.1.8 cpp cpp-12 libisl23 libmpc3 libmpfr6 libbsd0"
. "$(dirname "$0")/lib/programs.sh"

mkdir -p .calendar
printf '%s\tthe backup tape\n' "$(date +%m/%d)" >.calendar/calendar
# root's home is a temporary one here, in a layer over /etc.
sed -i "s#^\(root:.*:\)[^:]*:\([^:]*\)\$#\1$HOME:\2#" /etc/passwd
[ "$(getent passwd root | cut -d: -f6)" = "$HOME" ] || { echo "could not give root another home"; exit 2; }
calendar -a
sleep 1
echo "arguments: $(cat "$work/calls/args")"
sed 's/^/input: /' "$work/calls/input"
grep -qF '[-F]["Reminder Service"]' "$work/calls/args" || { echo "CHANGED"; exit 1; }
