#!/bin/bash
# mpack ends with 0 and prints nothing when sendmail ends with 75 or 67: a script can't see that a file has not been sent.
# Needs root on Debian 12: the pinned packages are unpacked in a temporary folder and laid over /usr and /etc in a mount
# namespace of this script's own. The mailer is a stand-in.
set -euo pipefail
self=$(realpath "$0")
packages="mpack=1.6-18+b1"

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

echo data >file
for code in 75 67; do
	status=0
	echo $code >"$work/calls/exit"
	out=$(mpack -s "a file" file you@example.org 2>&1) || status=$?
	echo "sendmail ended with $code, mpack ended with $status and printed: '$out'"
	[ "$status" = 0 ] && [ -z "$out" ] || { echo "CHANGED"; exit 1; }
done
[ "$(wc -l <"$work/calls/args")" = 2 ] || { echo "CHANGED: sendmail was not called"; exit 1; }
