#!/bin/bash
# Judges what build.sh has built: the same bytes again from another place, lintian at its
# strictest, piuparts in Debian 12 and 13. Takes minutes; piuparts needs root.
set -euo pipefail
cd "$(dirname "$0")/../.."
FULL=1 packaging/deb/packages.sh
arch=$(dpkg --print-architecture)
version=$(dpkg-parsechangelog -l packaging/deb/debian/changelog -S Version)

packaging/deb/lint.sh

echo "== the same bytes"
first=$(cd build/deb && sha256sum o365-sendmail_"$version"_*.deb)
other=$(mktemp -d)
trap 'rm -rf "$other"' EXIT
git ls-files -z --cached --others --exclude-standard |
	while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done |
	tar --null --no-recursion -T - -cf - | tar -xf - -C "$other"
# shellcheck disable=SC2046 # a list of words is meant
(cd "$other" && git init -q && umask 002 && TZ=Asia/Tokyo LC_ALL=C \
	packaging/deb/build.sh $(cut -d_ -f3 <<<"$first" | cut -d. -f1))
second=$(cd "$other/build/deb" && sha256sum ./*.deb | sed 's|\./||')
if [ "$first" != "$second" ]; then
	printf 'first:\n%s\nsecond:\n%s\ncheck.sh: FAIL: a second build gives other bytes\n' "$first" "$second"
	exit 1
fi
echo "$first"

# The mirror that this machine uses itself.
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | awk '!/security/ && !n++')}
for suite in bookworm trixie; do
	echo "== piuparts $suite"
	# The user stays after a purge, and so do the files that belong to the host.
	if ! piuparts --distribution "$suite" --mirror "$mirror main" \
		--warn-on-leftovers-after-purge --ignore /etc/aliases --ignore /etc/mailname \
		"build/deb/o365-sendmail_${version}_$arch.deb" >"build/deb/piuparts-$suite.log" 2>&1; then
		tail -n 40 "build/deb/piuparts-$suite.log"
		echo "check.sh: FAIL: piuparts $suite"
		exit 1
	fi
	tail -n 2 "build/deb/piuparts-$suite.log"
done
