#!/bin/bash
# nmh's send ends with 0 and renames the draft as if it had been sent when sendmail ends with 75, though it prints
# "exited 75": a script that looks at the exit code, or at the draft, believes that the message has left.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="nmh=1.8~RC2-2 libcurl4 libdb5.3 liblockfile1 libreadline8 libsasl2-2"
. "$(dirname "$0")/lib/programs.sh"

echo 75 >"$work/calls/exit"
printf 'Path: Mail\n' >.mh_profile
mkdir Mail
printf 'From: alice@web1.example\nTo: you@example.org\nSubject: draft\n--------\ntext\n' >Mail/draft
status=0
out=$(/usr/bin/mh/send "$HOME/Mail/draft" 2>&1 || echo "status $?") || true
case $out in *status*) status=${out##*status } ;; esac
echo "sendmail ended with 75, send ended with $status and printed: '$out'; the folder has: $(ls Mail | tr '\\n' ' ')"
[ "$status" = 0 ] && [ ! -e Mail/draft ] && [ -e Mail/,draft ] || { echo "CHANGED"; exit 1; }
[ -s "$work/calls/args" ] || { echo "CHANGED: sendmail was not called"; exit 1; }
