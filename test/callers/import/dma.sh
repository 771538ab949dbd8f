#!/bin/bash
# shellcheck disable=SC2034 # peer.sh reads the variables
prepare() {
	echo web1.contoso.test >/etc/mailname
	printf 'SMARTHOST 127.0.0.1\nPORT 2\nMAILNAME /etc/mailname\nAUTHPATH /etc/dma/auth.conf\n' >/etc/dma/dma.conf
	echo 'noreply@contoso.test|127.0.0.1:hunter2' >/etc/dma/auth.conf
	twelve
	sleep 1
}
busy_says='cron starts dma'
# The processes that dma leaves behind, by the name of sendmail, hold its queue's locks for hours.
stop() {
	mv /etc/cron.d/dma /root/
	local exe
	for exe in /proc/[0-9]*/exe; do
		[ "$(readlink "$exe")" != /usr/sbin/dma ] || kill "$(basename "$(dirname "$exe")")"
	done
	sleep 0.5
}
files() { find /etc/dma /var/spool/dma -type f; }
