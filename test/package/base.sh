#!/bin/sh
# Makes the Debian that the package tests start from: base.sh SUITE DIRECTORY.
# It has no MTA; the packages that the tests install lie in its archive cache, so that
# they need no network. Needs root and debootstrap. A directory that is there is kept.
set -eu

suite=$1 dir=$2
# The mirror that this machine uses itself.
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | awk '!/security/ && !n++')}
# Another version of this script makes another base.
stamp=$dir/.complete-$(cksum <"$0" | tr ' ' -)
[ ! -e "$stamp" ] || exit 0
rm -rf "$dir"
mkdir -p "$(dirname "$dir")"

debootstrap --variant=minbase --include=adduser,ca-certificates,debconf,strace,procps,man-db \
	"$suite" "$dir" "$mirror"
cp /etc/resolv.conf /etc/hosts "$dir/etc/"
# A test machine is thrown away; fsync only costs time.
echo force-unsafe-io >"$dir/etc/dpkg/dpkg.cfg.d/test"
printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
chmod 755 "$dir/usr/sbin/policy-rc.d"

inside() { chroot "$dir" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
inside apt-get -q update
inside apt-get -q -y --no-install-recommends install php-cli
# Each by itself, since they replace each other.
for package in 'bsd-mailx cron' 'systemd systemd-sysv dbus php-fpm' postfix exim4-daemon-light msmtp-mta nullmailer; do
	# shellcheck disable=SC2086 # a list of words is meant
	inside apt-get -q -y --no-install-recommends --download-only install $package
done
inside useradd --create-home --shell /bin/sh alice
inside useradd --create-home --shell /bin/sh bob
rm "$dir/usr/sbin/policy-rc.d"
touch "$stamp"
