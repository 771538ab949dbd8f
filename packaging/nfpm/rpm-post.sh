#!/bin/sh
# $1 is the number of versions that are installed afterwards.
if command -v alternatives >/dev/null; then
	alternatives --install /usr/sbin/sendmail mta /usr/sbin/sendmail.o365-sendmail 60 \
		--slave /usr/lib/sendmail mta-sendmail /usr/sbin/sendmail.o365-sendmail \
		--slave /usr/bin/mailq mta-mailq /usr/sbin/sendmail.o365-sendmail \
		--slave /usr/bin/newaliases mta-newaliases /usr/sbin/sendmail.o365-sendmail \
		--slave /usr/share/man/man8/sendmail.8.gz mta-sendmailman /usr/share/man/man8/sendmail.o365-sendmail.8.gz \
		--slave /usr/share/man/man1/mailq.1.gz mta-mailqman /usr/share/man/man1/mailq.o365-sendmail.1.gz \
		--slave /usr/share/man/man1/newaliases.1.gz mta-newaliasesman /usr/share/man/man1/newaliases.o365-sendmail.1.gz ||
		true
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ "$1" = 1 ] && command -v systemctl >/dev/null; then
	systemctl --no-reload preset o365-sendmail.socket o365-sendmail.service || true
fi
