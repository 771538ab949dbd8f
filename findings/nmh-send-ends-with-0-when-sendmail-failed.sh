#!/bin/bash
# nmh's send ends with 0 and renames the draft as if it had been sent when sendmail ends with 75, though it prints
# "exited 75": a script that looks at the exit code, or at the draft, believes that the message has left.
# Needs root on Debian 12: the pinned packages are unpacked in a temporary folder and laid over /usr and /etc in a mount
# namespace of this script's own. The mailer is a stand-in.
set -euo pipefail
self=$(realpath "$0")
packages="nmh=1.8~RC2-2 libcurl4 libdb5.3 liblockfile1 libreadline8 libsasl2-2"

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
printf 'Path: Mail\n' >.mh_profile
mkdir Mail
printf 'From: alice@web1.example\nTo: you@example.org\nSubject: draft\n--------\ntext\n' >Mail/draft
status=0
out=$(/usr/bin/mh/send "$HOME/Mail/draft" 2>&1 || echo "status $?") || true
case $out in *status*) status=${out##*status } ;; esac
echo "sendmail ended with 75, send ended with $status and printed: '$out'; the folder has: $(ls Mail | tr '\\n' ' ')"
[ "$status" = 0 ] && [ ! -e Mail/draft ] && [ -e Mail/,draft ] || { echo "CHANGED"; exit 1; }
[ -s "$work/calls/args" ] || { echo "CHANGED: sendmail was not called"; exit 1; }
