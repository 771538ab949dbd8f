#!/bin/sh
# Runs a script in a fresh layer over a Debian system: system.sh ROOT SHARED SCRIPT USER. SHARED is /standin in it.
# If SHARED has o365-sendmail, that is the agent: it runs as a user of its own, who alone can read the configuration.
# All that is mounted and started ends with this: it has to be run in mount and process namespaces of its own.
set -eu
root=$1 shared=$2 script=$3 user=$4
inside() { chroot /mnt/root "$@"; }
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
mount -t proc proc /mnt/root/proc
mkdir /mnt/root/standin
mount --bind "$shared" /mnt/root/standin
cp /etc/hosts /mnt/root/etc/hosts
cp "$shared/call" /mnt/root/usr/sbin/sendmail
ln -sf ../sbin/sendmail /mnt/root/usr/lib/sendmail
echo host1.example >/mnt/root/etc/mailname
inside sh -c 'grep -q ^alice: /etc/passwd || useradd -m -s /bin/sh -c "Alice Ärger" alice'
home=$(inside sh -c "echo ~$user")
if [ -e "$shared/o365-sendmail" ]; then
	inside useradd -r o365-sendmail
	install -o root -g "$(inside id -g o365-sendmail)" -m 640 "$shared/config.toml" /mnt/root/etc/o365-sendmail.toml
	inside install -d -o o365-sendmail /run/o365-sendmail
	inside install -d -o o365-sendmail -m 700 /var/spool/o365-sendmail
	inside chown o365-sendmail /standin/cache
	inside setpriv --reuid o365-sendmail --regid o365-sendmail --init-groups /standin/o365-sendmail serve >"$shared/agent.log" 2>&1 &
	tries=200
	until [ -S /mnt/root/run/o365-sendmail/submit.sock ]; do
		tries=$((tries - 1))
		[ "$tries" != 0 ] || { cat "$shared/agent.log"; exit 70; }
		sleep 0.1
	done
else
	install -m 600 "$shared/config.toml" /mnt/root/etc/o365-sendmail.toml
	inside /standin/sender "$user"
fi
status=0
inside setpriv --reuid "$user" --regid "$user" --init-groups env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	HOME="$home" USER="$user" LOGNAME="$user" LANG=C.UTF-8 sh -c 'cd; exec sh -eu "$0"' "/standin/$script" || status=$?
if [ -e "$shared/o365-sendmail" ]; then
	tries=200
	until inside /standin/sendmail -bp | grep -q 'queue is empty'; do
		tries=$((tries - 1))
		[ "$tries" != 0 ] || { cat "$shared/agent.log"; inside /standin/sendmail -bp; exit 70; }
		sleep 0.1
	done
fi
[ "$status" = 0 ] || [ ! -e "$shared/agent.log" ] || cat "$shared/agent.log"
exit $status
