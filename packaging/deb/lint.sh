#!/bin/bash
# Lets lintian at its strictest judge every package that build.sh has built, and systemd
# the units.
set -euo pipefail
cd "$(dirname "$0")/../.."
begun=$SECONDS
for changes in build/deb/*/*.changes; do
	lintian --allow-root -EI --pedantic --fail-on error,warning,info,pedantic "$changes"
	echo "lintian: $(basename "$changes"): nothing to say"
done
packaging/systemd/check.sh
echo "lint: $((SECONDS - begun)) s"
