#!/bin/bash
# shellcheck disable=SC2034 # peer.sh reads the variables
prepare() {
	echo web1.contoso.test >/etc/mailname
	echo it@contoso.test >/etc/nullmailer/adminaddr
	# shellcheck disable=SC2089 # a password with blanks, in quotes
	printf '%s\n' "127.0.0.1 smtp --port=2 --auth-login --user=noreply@contoso.test --pass='hunter2 hunter2'" >/etc/nullmailer/remotes
	chown mail:root /etc/nullmailer/remotes
	twelve
}
busy() {
	rm -f /var/spool/nullmailer/trigger
	mkfifo -m 600 /var/spool/nullmailer/trigger
	chown mail /var/spool/nullmailer/trigger
	setpriv --reuid mail --regid mail --init-groups nullmailer-send >/standin/nullmailer.log 2>&1 &
	daemon=$!
	sleep 1
	kill -0 "$daemon" || cat /standin/nullmailer.log
}
busy_says='nullmailer-send is at work'
stop() { kill "$daemon"; wait "$daemon" 2>/dev/null || true; rm -f /var/spool/nullmailer/trigger; }
files() { find /etc/nullmailer /var/spool/nullmailer -type f; }
