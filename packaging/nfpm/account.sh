#!/bin/sh
# Makes the agent's account, before the files that belong to it come.
if ! grep -q '^o365-sendmail:' /etc/passwd; then
	if command -v useradd >/dev/null; then
		useradd --system --user-group --no-create-home --home-dir /nonexistent \
			--shell /sbin/nologin --comment 'o365-sendmail agent' o365-sendmail
	else
		addgroup -S o365-sendmail
		adduser -S -D -H -h /nonexistent -s /sbin/nologin -G o365-sendmail -g 'o365-sendmail agent' o365-sendmail
	fi
fi
