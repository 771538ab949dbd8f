#!/bin/bash
# In the place of Symfony's stand-in that fails: sendmail with a recipient that Exchange refuses.
printf %s "$0 $*" >"$TMPDIR/sendmail_args"
[ "$1" = -bs ] && exec "$PEER_PROGRAM" -C "$PEER_CONFIG" -bs
exec "$PEER_PROGRAM" -C "$PEER_CONFIG" -i reject-me@example.org
