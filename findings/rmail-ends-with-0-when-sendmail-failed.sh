#!/bin/bash
# rmail, by which UUCP hands over mail, prints that sendmail ended with 75, and ends with 0: UUCP takes the message for delivered and
# removes it. It passes -oee, by which sendmail is to report by mail instead, but a sendmail that ends with 75 has kept nothing.
# Needs root on Debian 12: the pinned packages are unpacked in a temporary folder and laid over /usr and /etc in a mount
# namespace of this script's own. The mailer is a stand-in.
set -euo pipefail
self=$(realpath "$0")
packages="rmail=8.17.1.9-2+deb12u2"

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

for code in 75 67; do
	echo $code >"$work/calls/exit"
	status=0
	out=$(printf 'From ann Mon Nov 30 10:00:00 2026 remote from far\nFrom: ann@far.example\nTo: you@example.org\nSubject: s\n\ntext\n' | rmail you@example.org 2>&1) || status=$?
	echo "sendmail ended with $code, rmail ended with $status and printed: '$out'"
	[ "$status" = 0 ] || { echo "CHANGED"; exit 1; }
done
cat "$work/calls/args"
[ "$(wc -l <"$work/calls/args")" = 2 ] || { echo "CHANGED: sendmail was not called"; exit 1; }
