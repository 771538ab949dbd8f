#!/bin/bash
# shellcheck disable=SC2034 # peer.sh reads the variables
submit() {
	local sender=$1
	shift
	# msmtpq keeps its words with echo, which loses one that is empty.
	su alice -s /bin/bash -c "EMAIL_CONN_TEST=x EMAIL_QUEUE_QUIET=t /usr/libexec/msmtp/msmtpq/msmtpq -i -f '${sender:-<>}' -- $*" 2>/dev/null
}
prepare() {
	printf '%s\n' 'defaults' 'timeout 20' 'account office' 'host smtp.office365.com' 'port 2' 'auth on' 'user noreply@contoso.test' \
		'password hunter2' 'from noreply@contoso.test' 'account default : office' >/etc/msmtprc
	printf '%s\n' 'host 127.0.0.1' 'port 2' 'from alice@contoso.test' >/home/alice/.msmtprc
	chown alice: /home/alice/.msmtprc
	chmod 600 /home/alice/.msmtprc
	twelve
}
busy() { mkdir /home/alice/.msmtp.queue/.lock; }
busy_says='msmtpq is at work'
stop() { rmdir /home/alice/.msmtp.queue/.lock; }
files() { find /etc/msmtprc /home/alice/.msmtprc /home/alice/.msmtp.queue -type f; }
