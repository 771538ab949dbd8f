#!/bin/sh
# $1 is the number of versions that are installed afterwards.
if [ "$1" = 0 ]; then
	if command -v systemctl >/dev/null; then
		systemctl --no-reload disable --now o365-sendmail.service o365-sendmail.socket \
			o365-sendmail-smtp.socket o365-sendmail-queue.timer || true
	fi
	if command -v alternatives >/dev/null; then
		alternatives --remove mta /usr/sbin/sendmail.o365-sendmail || true
	fi
fi
