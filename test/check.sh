#!/bin/bash
# Runs every step of `make check` in order, stops at the first that fails, and
# at the end looks for secrets in what the steps printed.
set -euo pipefail
cd "$(dirname "$0")/.."
make="${MAKE:-make} --no-print-directory"
logs=build/check
rm -rf "$logs"
mkdir -p "$logs"
started=$SECONDS

# lacks reports whether a step can't run here, and says why. In CI that is a failure of the step.
lacks() {
	local step=$1 program
	shift
	[ "${CI:-}" != true ] || return 1
	if [ "$(id -u)" != 0 ]; then
		echo "$step tests: SKIP: they need root"
		return 0
	fi
	for program; do
		if ! command -v "$program" >/dev/null; then
			echo "$step tests: SKIP: they need $program (test/packages.sh names the packages)"
			return 0
		fi
	done
	return 1
}

if command -v getent >/dev/null && ! getent hosts localhost >/dev/null; then
	echo "make check: FAIL: this system does not know localhost: add the line \"127.0.0.1 localhost\" to /etc/hosts"
	exit 1
fi

# Without a package the steps that need it are skipped, with a reason; in CI nothing is.
echo "== packages"
test/packages.sh go system deb || { code=$?; [ "$code" = 3 ] && [ "${CI:-}" != true ]; } || {
	echo "make check: FAIL: packages"
	exit 1
}

for step in build format vet lint test race system crash interop package; do
	echo "== $step"
	case $step in
	crash) ! lacks crash dpkg strace || continue ;;
	package) ! lacks package dpkg dpkg-buildpackage dh po2debconf msgfmt lintian debootstrap systemd-nspawn || continue ;;
	esac
	begun=$SECONDS
	if ! $make "$step" 2>&1 | tee "$logs/$step.log"; then
		echo "make check: FAIL: $step"
		exit 1
	fi
	echo "== $step: passed in $((SECONDS - begun)) s"
done

# A token is a JWT, and "eyJ" is base64 of its first bytes; YXV0aD1CZWFyZXIg and
# the two after it are base64 of "auth=Bearer " in its three alignments.
echo "== secrets"
if grep -nE 'eyJ[A-Za-z0-9_-]{10}|YXV0aD1CZWFyZXIg|F1dGg9QmVhcmVyI|hdXRoPUJlYXJlci' "$logs"/*.log | cut -c1-100; then
	echo "make check: FAIL: a token was printed (the lines above are cut short)"
	exit 1
fi
echo "make check: passed in $((SECONDS - started)) s"
