#!/bin/sh
# Makes the Debian that the package tests start from: base.sh SUITE CACHE. It prints the
# directory, which is kept for the next run; another version of this script makes another.
# The system has no MTA; the packages that the tests install lie in its archive cache, so
# that they need no network. Needs root and debootstrap.
set -eu

suite=$1 cache=$2
# The mirror that this machine uses itself.
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | awk '!/security/ && !n++')}
dir=$cache/$suite-$(cksum <"$0" | cut -d' ' -f1)
mkdir -p "$cache"
exec 9>"$cache/.$suite.lock"
flock 9
if [ -d "$dir" ]; then
	touch "$dir"
	echo "$dir"
	exit 0
fi
find "$cache" -mindepth 1 -maxdepth 1 -name "$suite*" -mtime +7 -exec rm -rf {} +
new=$dir.new
rm -rf "$new"

begun=$(date +%s)
took() { echo "$suite: $1: $(($(date +%s) - begun)) s" >&2; }

# A name server with one answer lost would end it all: a second try costs little.
debootstrap --variant=minbase --include=adduser,ca-certificates,debconf,strace,procps,man-db \
	"$suite" "$new" "$mirror" >"$cache/$suite.log" 2>&1 || {
	rm -rf "$new"
	debootstrap --variant=minbase --include=adduser,ca-certificates,debconf,strace,procps,man-db \
		"$suite" "$new" "$mirror" >"$cache/$suite.log" 2>&1 || {
		tail -n 20 "$cache/$suite.log" "$new/debootstrap/debootstrap.log" >&2
		exit 1
	}
}
took debootstrap
cp /etc/resolv.conf /etc/hosts "$new/etc/"
# A test machine is thrown away; fsync only costs time. So do translated descriptions,
# and man's index, which man does without.
echo force-unsafe-io >"$new/etc/dpkg/dpkg.cfg.d/test"
printf '%s\n' 'Acquire::Languages "none";' 'Acquire::Retries "3";' 'APT::Install-Recommends "false";' \
	>"$new/etc/apt/apt.conf.d/99test"
printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
chmod 755 "$new/usr/sbin/policy-rc.d"

inside() { chroot "$new" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" >>"$cache/$suite.log" 2>&1; }
failed() {
	tail -n 20 "$cache/$suite.log" >&2
	echo "base.sh: FAIL: $1" >&2
	exit 1
}
echo 'man-db man-db/auto-update boolean false' | inside debconf-set-selections
inside apt-get -q update || failed 'apt-get update'
inside apt-get -q -y install php-cli || failed php-cli
took 'apt-get install'
# Each by itself, since they replace each other.
for packages in 'bsd-mailx cron whiptail perl rpm apparmor busybox' 'bash-completion zsh fish monitoring-plugins-standard' 'systemd systemd-sysv dbus php-fpm' \
	postfix exim4-daemon-light msmtp-mta nullmailer; do
	# shellcheck disable=SC2086 # a list of words is meant
	inside apt-get -q -y --download-only install $packages || failed "$packages"
done
inside useradd --create-home --shell /bin/sh alice
inside useradd --create-home --shell /bin/sh bob
rm "$new/usr/sbin/policy-rc.d"
mv "$new" "$dir"
took done
echo "$dir"
