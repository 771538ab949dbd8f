#!/bin/bash
# msmtpq, the queue that msmtp's package brings, keeps a command line with echo and gives msmtp what the shell makes of
# it: "-f ''" (the null sender of a report, RFC 5321 4.5.5) becomes "-f", which takes the next word for the sender.
# A queued report leaves from another sender, or not at all.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="msmtp=1.8.23-1"
. "$(dirname "$0")/lib/programs.sh"

# In place of msmtp: it appends its arguments to $work/calls/args, and fails while there is no $work/online.
cat >msmtp <<E
#!/bin/sh
[ "\$1" != --version ] || exit 0
{ printf '[%s]' "\$@"; echo; } >>$work/calls/args
cat >/dev/null
[ -e $work/online ] || exit 75
E
chmod 755 msmtp
export MSMTP=$HOME/msmtp EMAIL_CONN_TEST=x EMAIL_QUEUE_QUIET=t MSMTPQ_Q=$HOME/queue MSMTPQ_LOG=$HOME/log
msmtpq=/usr/libexec/msmtp/msmtpq/msmtpq
printf 'Subject: report\n\nx\n' | bash "$msmtpq" -i -f '' -- bob@example.org
touch "$work/online"
bash "$msmtpq" --q-mgmt -r
cat "$work/calls/args"
expected='[-i][-f][][--][bob@example.org]
[-i][-f][--][bob@example.org]'
[ "$(cat "$work/calls/args")" = "$expected" ] || { echo "CHANGED"; exit 1; }
