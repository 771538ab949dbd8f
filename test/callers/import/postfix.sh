#!/bin/bash
# shellcheck disable=SC2034 # peer.sh reads the variables
prepare() {
	postconf -e relayhost='[127.0.0.1]:2' defer_transports=smtp myhostname=web1.contoso.test \
		maillog_file=/var/log/postfix.log inet_interfaces=loopback-only smtp_sasl_password_maps=hash:/etc/postfix/sasl_passwd \
		maximal_queue_lifetime=3d
	# No other system's port 25 is in the way.
	sed -i '/^smtp  *inet/d' /etc/postfix/master.cf
	echo '[127.0.0.1]:2 noreply@contoso.test:hunter2' >/etc/postfix/sasl_passwd
	postmap /etc/postfix/sasl_passwd
	newaliases
	postfix start >/dev/null 2>&1
	twelve
	local tries=100
	until [ "$(postqueue -j | grep -c '"deferred"')" = 12 ]; do
		tries=$((tries - 1))
		[ "$tries" != 0 ] || fail "$(postqueue -p)"
		sleep 0.1
	done
}
# What o365-sendmail(8) says.
queue() { find /var/spool/postfix/{maildrop,incoming,active,deferred,hold} -type f -exec postcat -v {} + 2>/dev/null; }
busy_says="Postfix' master (process"
stop() { postfix stop >/dev/null 2>&1; }
files() { find /etc/postfix/main.cf /etc/postfix/sasl_passwd /var/spool/postfix/{maildrop,incoming,active,deferred,hold} -type f; }
