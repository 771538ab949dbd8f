#!/bin/bash
# Judges what build.sh has built: lintian at its strictest, piuparts in Debian 12 and 13. Takes
# minutes; piuparts needs root. ../twice.sh builds it again.
set -euo pipefail
cd "$(dirname "$0")/../.."
FULL=1 packaging/deb/packages.sh
arch=$(dpkg --print-architecture)
version=$(dpkg-parsechangelog -l packaging/deb/debian/changelog -S Version)

packaging/deb/lint.sh

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
