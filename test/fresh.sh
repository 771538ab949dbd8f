#!/bin/bash
# Runs make targets as a stranger would, in a fresh Debian that has git, make, ca-certificates and the
# Go that Debian offers for it, and prints how long each took. Needs root, debootstrap, the network.
#
# Usage: fresh.sh SUITE [TARGET ...]     bookworm or trixie; demo and check if nothing is named
set -euo pipefail
cd "$(dirname "$0")/.."
suite=$1
shift
[ $# -gt 0 ] || set -- demo check
# shellcheck disable=SC2016 # apt-get's own form
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | awk '!/security/ && !n++')}
root=$(mktemp -d /var/tmp/fresh.XXXXXX)
chmod 755 "$root" # as / is: tests run as other users, too
trap 'rm -rf --one-file-system "$root"' EXIT
step() { # step NAME COMMAND ... prints the time of a command, and what it said if it fails
	local begun=$SECONDS name=$1
	shift
	if ! "$@" >"$root.log" 2>&1; then
		grep -E '^ *--- FAIL|^FAIL|_test\.go:[0-9]+: ' "$root.log" | head -n 20 || true
		tail -n 40 "$root.log"
		echo "fresh.sh: FAIL: $suite: $name"
		exit 1
	fi
	echo "$suite: $name: $((SECONDS - begun)) s"
}
# inside runs a command with the new system as its root, not in a chroot of this one: nothing in it gets out of that by
# entering another process's namespaces, and users may make namespaces of their own.
inside() {
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --pid --fork --kill-child -- sh -ec '
		cd "$1"
		shift
		mount --bind . .
		cd "$PWD"
		mount --rbind /dev dev
		mount -t tmpfs -o mode=1777 tmpfs dev/shm
		mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
		mount --rbind /sys sys
		mount -t proc proc proc
		mount -t tmpfs -o mode=755 tmpfs run
		mkdir run/outside
		pivot_root . run/outside
		umount -l /run/outside
		rmdir /run/outside
		code=0
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" || code=$?
		exit $code' sh "$root" "$@"
}

step debootstrap debootstrap --variant=minbase --include=ca-certificates,git,make "$suite" "$root" "$mirror"
cp /etc/resolv.conf "$root/etc/"
# The authorities that this machine has added to Debian's.
cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
printf 'path-exclude=/usr/share/doc/*\n' >"$root/etc/dpkg/dpkg.cfg.d/fresh"
from=()
if [ "$suite" = bookworm ]; then
	# What test/packages.sh says there.
	echo "deb $mirror bookworm-backports main" >"$root/etc/apt/sources.list.d/backports.list"
	from=(-t bookworm-backports)
fi
step 'authorities, package lists' inside sh -c 'update-ca-certificates && apt-get -q update'
step Go inside apt-get -q -y --no-remove --no-install-recommends "${from[@]}" install golang-go ca-certificates
git clone -q . "$root/root/o365-sendmail"
for target; do
	# debootstrap makes no /etc/hosts, as Debian's installer does; the demo needs none.
	[ "$target" = demo ] || printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
	step "make $target" inside CI=true make -C /root/o365-sendmail "$target"
	tail -n 3 "$root.log"
done
rm -f "$root.log"
