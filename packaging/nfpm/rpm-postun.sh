#!/bin/sh
# $1 is the number of versions that are installed afterwards. The socket stays over an
# upgrade, and callers wait in its backlog.
if [ "$1" -ge 1 ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	systemctl try-restart o365-sendmail.service || true
fi
