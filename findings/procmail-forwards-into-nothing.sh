#!/bin/bash
# procmail's forwarding action ("! address") ends with 0 and keeps nothing when sendmail ends with 75: the message is in no
# mailbox, and the mail system that called procmail does not try again. Only the flag w makes it look at the exit code.
# Needs root on Debian 12: the pinned packages are unpacked in a temporary folder and laid over /usr and /etc in a mount
# namespace of this script's own. The mailer is a stand-in.
set -euo pipefail
self=$(realpath "$0")
packages="procmail=3.22-27"

if [ -z "${FINDING_WORK:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	chmod 755 "$work"
	cd "$work"
	# shellcheck disable=SC2086 # a list of words is meant
	apt-get -q download $packages >log 2>&1 || { apt-get -q update && apt-get -q download $packages; } >log 2>&1 || { cat log; exit 2; }
	for deb in *.deb; do dpkg -x "$deb" root; done
	mkdir -p root/usr/sbin root/usr/lib root/etc home calls
	chmod 777 home calls
	cat >root/usr/sbin/sendmail <<E
#!/bin/sh
{ printf '[%s]' "\$@"; echo; } >>$work/calls/args
cat >>$work/calls/input
exit \$(cat $work/calls/exit 2>/dev/null || echo 0)
E
	chmod 755 root/usr/sbin/sendmail
	ln -s ../sbin/sendmail root/usr/lib/sendmail
	FINDING_WORK=$work unshare -m "$self"
	exit
fi

work=$FINDING_WORK
mount --make-rprivate /
for dir in usr etc; do
	mount -t overlay -o "lowerdir=$work/root/$dir:/$dir" overlay "/$dir"
done
cd "$work/home"
export HOME=$work/home
echo "$packages" | tr ' ' '\n' | sed 's/^/package: /'

echo 75 >"$work/calls/exit"
for flag in "" w; do
	rm -f inbox
	printf 'DEFAULT=%s/inbox\n:0 %s\n! one@example.org\n' "$HOME" "$flag" >rc
	status=0
	printf 'From ann@example.net Mon Nov 30 10:00:00 2026\nSubject: x\n\nbody\n' | procmail ./rc >log 2>&1 || status=$?
	kept=$([ -s inbox ] && echo yes || echo no)
	echo "flag '$flag': sendmail ended with 75, procmail ended with $status, kept in the mailbox: $kept"
	[ "$status $kept" = "0 $([ -n "$flag" ] && echo yes || echo no)" ] || { echo "CHANGED"; exit 1; }
done
[ "$(wc -l <"$work/calls/args")" = 2 ] || { echo "CHANGED: sendmail was not called"; exit 1; }
