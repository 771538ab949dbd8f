#!/bin/sh
# Installs the Debian packages that build and test the package; does nothing when they
# are there. Needs root only if something is missing. FULL=1 takes piuparts too.
set -eu

packages="dpkg-dev debhelper po-debconf gettext lintian debootstrap systemd-container"
[ -z "${FULL:-}" ] || packages="$packages piuparts"
missing=""
for package in $packages; do
	if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
		missing="$missing $package"
	fi
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "packages.sh: only root can install what is missing:$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
try=1
until apt-get -q update; do
	[ "$try" -lt 4 ] || exit 1
	sleep $((try * 5))
	try=$((try + 1))
done
# shellcheck disable=SC2086 # a list of words is meant
apt-get -q -y --no-install-recommends -o Acquire::Retries=3 install $missing
