# Sourced behind programs.sh by the findings about nullmailer, which sends by a service: its sendmail is asked to queue, and
# the file in its queue is looked at (envelope sender, recipients, an empty line, the message).
dpkg --fsys-tarfile "$work"/nullmailer_*.deb | tar -xO ./usr/sbin/sendmail >"$work/nullmailer-sendmail"
mount -t tmpfs none /var/spool
mkdir -p /var/spool/nullmailer/{queue,tmp,failed}
mkfifo /var/spool/nullmailer/trigger
chown -R mail /var/spool/nullmailer
chmod 755 "$work" "$work/nullmailer-sendmail"
echo host.example >/etc/mailname

# queued ARGUMENT ... gives standard input to nullmailer's sendmail; prints the queue's file, what was said, the exit code.
queued() {
	local status=0
	rm -f /var/spool/nullmailer/queue/*
	timeout 30 "$work/nullmailer-sendmail" "$@" >said 2>&1 || status=$?
	cat /var/spool/nullmailer/queue/* 2>/dev/null || echo 'nothing was queued'
	sed 's/^/said: /' said
	echo "exit code $status"
}
