#!/bin/bash
# calendar -a hands sendmail -F "Reminder Service" with the quotation marks in the argument, though no shell takes them
# away, and writes a From field of its own: a mailer that builds From by -F has to cope with a name in quotes.
# Needs root on Debian 12: the pinned packages are unpacked in a temporary folder and laid over /usr and /etc in a mount
# namespace of this script's own. The mailer is a stand-in.
set -euo pipefail
self=$(realpath "$0")
packages="calendar=12.1.8 cpp cpp-12 libisl23 libmpc3 libmpfr6 libbsd0"

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
	mkdir -p "$work/upper-$dir" "$work/work-$dir"
	mount -t overlay -o "lowerdir=$work/root/$dir:/$dir,upperdir=$work/upper-$dir,workdir=$work/work-$dir" overlay "/$dir"
done
cd "$work/home"
export HOME=$work/home
echo "$packages" | tr ' ' '\n' | sed 's/^/package: /'

mkdir -p .calendar
printf '%s\tthe backup tape\n' "$(date +%m/%d)" >.calendar/calendar
# root's home is a temporary one here, in a layer over /etc.
sed -i "s#^\(root:.*:\)[^:]*:\([^:]*\)\$#\1$HOME:\2#" /etc/passwd
[ "$(getent passwd root | cut -d: -f6)" = "$HOME" ] || { echo "could not give root another home"; exit 2; }
calendar -a
sleep 1
echo "arguments: $(cat "$work/calls/args")"
sed 's/^/input: /' "$work/calls/input"
grep -qF '[-F]["Reminder Service"]' "$work/calls/args" || { echo "CHANGED"; exit 1; }
