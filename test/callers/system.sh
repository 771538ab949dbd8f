#!/bin/sh
# Runs a script in a fresh layer over a Debian system: system.sh ROOT SHARED SCRIPT [USER]. SHARED is /standin in it.
# All that is mounted and started ends with this: it has to be run in mount and process namespaces of its own.
set -eu
root=$1 shared=$2 script=$3 user=${4:-root}
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
cp "$shared/config.toml" /mnt/root/etc/o365-sendmail.toml
echo host1.example >/mnt/root/etc/mailname
chroot /mnt/root sh -c 'grep -q ^alice: /etc/passwd || useradd -m -s /bin/sh -c "Alice Ärger" alice'
chroot /mnt/root chown "root:$(chroot /mnt/root id -gn "$user")" /etc/o365-sendmail.toml
chroot /mnt/root chown -R "$user:" /standin/cache
chmod 640 /mnt/root/etc/o365-sendmail.toml
exec chroot /mnt/root setpriv --reuid "$user" --regid "$user" --init-groups env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	HOME="$(chroot /mnt/root sh -c "echo ~$user")" USER="$user" LOGNAME="$user" LANG=C.UTF-8 sh -c 'cd; exec sh -eu "$0"' "/standin/$script"
