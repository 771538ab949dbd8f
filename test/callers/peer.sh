#!/bin/bash
# Moves from one mailer to this program in a fresh layer over a Debian system that has that mailer: peer.sh ROOT SHARED
# NAME. SHARED is /standin in it, with the program, its configuration and NAME.sh, which has to say what the mailer is:
#
#	prepare     writes its configuration, and has it queue 12 messages while its relay is down, by send
#	busy        starts what works on its queue; empty when nothing does
#	stop        ends that
#	queue       prints what import --queue reads on standard input; nothing for most
#	files       prints its files and queue
#
# All that is mounted and started ends with this: it has to be run in mount and process namespaces of its own.
set -euo pipefail
if [ $# = 3 ]; then
	root=$1 shared=$2 name=$3
	mount --make-rprivate /
	mount -t tmpfs -o mode=755 tmpfs /mnt
	mkdir /mnt/upper /mnt/work /mnt/root
	mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
	mount -t proc proc /mnt/root/proc
	mkdir /mnt/root/standin
	mount --bind "$shared" /mnt/root/standin
	printf '127.0.0.1 localhost\n127.0.1.1 web1.contoso.test web1 %s\n' "$(hostname)" >/mnt/root/etc/hosts
	cp /etc/resolv.conf /mnt/root/etc/
	exec chroot /mnt/root env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		bash /standin/peer.sh "$name"
fi
name=$1
say() { echo "peer.sh: $name: $*"; }
fail() { say "FAIL: $*"; exit 1; }
# send N SENDER RECIPIENT...: the message on standard input goes to the mailer, and to /standin/sent as it must arrive.
submit() { sendmail -i -f "$@"; }
send() {
	local n=$1 sender=$2
	shift 2
	printf '%s\n' "$sender" "$@" >"/standin/sent/$n.envelope"
	cat >"/standin/sent/$n.eml"
	submit "$sender" "$@" <"/standin/sent/$n.eml"
}
# twelve sends what every mailer takes: recipients, the null sender, dots, mbox lines, 8 bit, a long body.
twelve() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		printf 'Subject: message %s\nTo: bob@example.org\n\nToken-%s-end\nFrom here\n' "$i" "$i" | send "$i" noreply@contoso.test bob@example.org
	done
	printf 'Subject: dots\nTo: bob@example.org\n\nToken-9-end\n.\n..\n.\n\nend\n' | send 9 noreply@contoso.test bob@example.org carol@example.org
	printf 'Subject: text\nTo: bob@example.org\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nToken-10-end\nGr\303\274\303\237e\n' |
		send 10 noreply@contoso.test bob@example.org
	{ printf 'Subject: long\nTo: bob@example.org\n\nToken-11-end\n'; seq 20000; } | send 11 noreply@contoso.test bob@example.org
	printf 'Subject: report\nTo: bob@example.org\n\nToken-12-end\n' | send 12 '' bob@example.org
}
busy() { :; }
stop() { :; }
queue() { :; }
ours() { /standin/o365-sendmail "$@"; }
state() { files | xargs -r -d '\n' stat -c '%n %s %a %u %g %Y' | sort; files | xargs -r -d '\n' cat | sha256sum; }
import() { queue | ours import "$name" --queue --write --json; }

useradd -r o365-sendmail
install -o root -g o365-sendmail -m 640 /standin/config.toml /etc/o365-sendmail.toml
install -d -o o365-sendmail -m 700 /var/spool/o365-sendmail /var/lib/o365-sendmail
mkdir /standin/sent
id -u alice >/dev/null 2>&1 || useradd -m -s /bin/bash alice
# shellcheck disable=SC1090 # the mailer's own
. "/standin/$name.sh"
prepare

# The configuration. What was there is told, and no password is printed.
state >/standin/before
ours import "$name" >/standin/config.txt
ours import "$name" --write --force --no-doctor >>/standin/config.txt
if grep -q hunter2 /standin/config.txt /etc/o365-sendmail.toml*; then fail "a password came over"; fi
ours config check || fail "the configuration that was written is not good"
cmp -s /standin/config.toml /etc/o365-sendmail.toml || ls /etc/o365-sendmail.toml.bak-* >/dev/null || fail "the old configuration was not kept"

if [ "${has_queue:-yes}" = yes ]; then
	busy
	if [ -n "${busy_says:-}" ]; then
		if import >/standin/busy 2>&1; then fail "took a queue that is in use"; fi
		grep -q "$busy_says" /standin/busy || fail "$(cat /standin/busy)"
	fi
	stop
	[ -z "${busy_says:-}" ] || state >/standin/before # what the mailer itself has changed meanwhile
	# Killed wherever it is, seven times.
	queue >/standin/queue.in
	for after in 0.005 0.01 0.015 0.02 0.03 0.04 0.05; do
		/standin/o365-sendmail import "$name" --queue --write --json </standin/queue.in >/dev/null 2>&1 &
		killed=$!
		sleep "$after"
		kill -KILL "$killed" 2>/dev/null || true
		wait "$killed" 2>/dev/null || true
	done
	import >/standin/first.json || fail "import: $?"
	import >/standin/second.json || fail "import again: $?"
	state >/standin/after
	cmp /standin/before /standin/after || { diff /standin/before /standin/after; fail "its files have changed"; }
	ours queue list --json >/standin/queue.json
	ours queue flush || fail "flush: $?"
	import >/standin/third.json || fail "import after delivery: $?"
	ours queue flush
	ours queue list --failed
fi
