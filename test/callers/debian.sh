#!/bin/bash
# Makes a Debian 12 with packages in it that send mail: debian.sh NAME CACHE PACKAGE... It prints the directory, which
# is kept for the next run; another version of this script, or another list, makes another. The system has a package
# that claims to be the MTA and holds nothing, so that none is installed, and a policy that starts no service.
# Needs root and debootstrap.
set -euo pipefail

name=$1 cache=$2
shift 2
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | awk '!/security/ && !n++')}
security=$(apt-get indextargets --format '$(REPO_URI)' | awk '/security/ && !n++')
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9

sum() { cat "$0" - <<<"$*" | cksum | cut -d' ' -f1; }
log=$cache/$name.log
failed() {
	tail -n 20 "$log" >&2
	echo "debian.sh: FAIL: $1" >&2
	exit 1
}

# The bare system is the same for all lists.
bare=$cache/bare-$(sum)
if [ ! -d "$bare" ]; then
	rm -rf "$cache"/bare-*
	debootstrap --variant=minbase --include=adduser,ca-certificates,debconf,procps bookworm "$bare.new" "$mirror" >"$log" 2>&1 ||
		failed debootstrap
	cp /etc/resolv.conf "$bare.new/etc/"
	echo "127.0.0.1 localhost $(hostname)" >"$bare.new/etc/hosts" # ssmtp is not installed where its host has no address
	echo force-unsafe-io >"$bare.new/etc/dpkg/dpkg.cfg.d/test"
	printf '%s\n' 'Acquire::Languages "none";' 'Acquire::Retries "3";' 'APT::Install-Recommends "false";' >"$bare.new/etc/apt/apt.conf.d/99test"
	if [ -n "$security" ]; then
		echo "deb $security bookworm-security main" >"$bare.new/etc/apt/sources.list.d/security.list"
	fi
	printf '#!/bin/sh\nexit 101\n' >"$bare.new/usr/sbin/policy-rc.d"
	chmod 755 "$bare.new/usr/sbin/policy-rc.d"
	mkdir -p "$bare.new/tmp/mta/DEBIAN"
	printf '%s\n' 'Package: stand-in-mta' 'Version: 1' 'Architecture: all' 'Provides: mail-transport-agent' \
		'Maintainer: Test <test@example.org>' 'Description: claims to be the MTA' >"$bare.new/tmp/mta/DEBIAN/control"
	dpkg-deb --build "$bare.new/tmp/mta" "$bare.new/tmp/mta.deb" >>"$log" 2>&1 || failed dpkg-deb
	chroot "$bare.new" dpkg -i /tmp/mta.deb >>"$log" 2>&1 || failed stand-in-mta
	mv "$bare.new" "$bare"
fi

dir=$cache/$name-$(sum "$@")
if [ ! -d "$dir" ]; then
	rm -rf "$cache/$name"-*
	new=$dir.new
	cp -a --reflink=auto "$bare" "$new"
	mount -t proc proc "$new/proc"
	trap 'umount -l "$new/proc"' EXIT
	inside() {
		chroot "$new" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" >>"$log" 2>&1
	}
	inside apt-get -q update || failed 'apt-get update'
	inside apt-get -q -y -o Dpkg::Use-Pty=0 install "$@" || failed "$*"
	inside apt-get clean
	umount -l "$new/proc"
	trap - EXIT
	mv "$new" "$dir"
fi
echo "$dir"
