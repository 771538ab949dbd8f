#!/bin/bash
# In the place of Symfony's stand-in: it keeps the arguments where the test looks for them, if sendmail took the message.
export PEER_OUT=$PEER_WORK/symfony
"$PEER_DELIVER" "$@" || exit
printf %s "$0 $*" >"$TMPDIR/sendmail_args"
