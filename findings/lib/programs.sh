# Sourced by the findings that run programs of Debian packages beside a stand-in for sendmail; $packages names the
# packages, pinned by NAME=VERSION. It needs root on Debian 12. The packages are unpacked in a temporary folder, $work,
# and laid over /usr and /etc in a mount namespace of the script's own, in which the script then goes on, in an empty
# home. sendmail appends its arguments to $work/calls/args and its input to $work/calls/input, and ends with the number
# in $work/calls/exit, if there is one.
self=$(realpath "$0")

if [ -z "${FINDING_WORK:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	chmod 755 "$work"
	cd "$work"
	# shellcheck disable=SC2086 # a list of words is meant
	apt-get -q download $packages >log 2>&1 ||
		{ apt-get -q update && apt-get -q download $packages; } >log 2>&1 || { cat log; exit 2; }
	for deb in *.deb; do dpkg -x "$deb" root; done
	[ ! -d root/lib ] || cp -a root/lib/. root/usr/lib/ # as on a system with one /usr
	mkdir -p root/usr/sbin root/usr/lib root/etc home calls
	chmod 777 home calls
	rm -f root/usr/sbin/sendmail # a mailer has a link there
	cat >root/usr/sbin/sendmail <<E
#!/bin/sh
{ printf '[%s]' "\$@"; echo; } >>$work/calls/args
cat >>$work/calls/input
exit \$(cat $work/calls/exit 2>/dev/null || echo 0)
E
	chmod 755 root/usr/sbin/sendmail
	ln -sf ../sbin/sendmail root/usr/lib/sendmail
	FINDING_WORK=$work unshare -m "$self"
	exit
fi

work=$FINDING_WORK
mount --make-rprivate /
for dir in usr etc; do
	mkdir "$work/upper-$dir" "$work/work-$dir"
	mount -t overlay -o "lowerdir=$work/root/$dir:/$dir,upperdir=$work/upper-$dir,workdir=$work/work-$dir" overlay "/$dir"
done
cd "$work/home"
export HOME=$work/home
echo "$packages" | tr ' ' '\n' | sed 's/^/package: /'
