#!/bin/bash
# Builds the release that is in build/release again, in another directory, time zone and umask and
# with an empty build cache, and compares every byte.
set -euo pipefail
cd "$(dirname "$0")/.."
sums=$PWD/build/release/SHA256SUMS
archs=$(sed -n 's/.*-container-\(.*\)\.tar\.gz$/\1/p' "$sums")
other=$(mktemp -d)
trap 'rm -rf "$other"' EXIT
mkdir "$other/tree"
git ls-files -z --cached --others --exclude-standard |
	while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done |
	tar --null --no-recursion -T - -cf - | tar -xf - -C "$other/tree"
cd "$other/tree"
git init -q
# shellcheck disable=SC2086 # a list of words is meant
(umask 002 && TZ=Asia/Tokyo LC_ALL=C GOCACHE=$other/cache packaging/release.sh $archs) >"$other/log" 2>&1 || {
	tail -n 40 "$other/log"
	echo "twice.sh: FAIL: the second build"
	exit 1
}
if ! diff "$sums" build/release/SHA256SUMS; then
	echo "twice.sh: FAIL: a second build gives other bytes"
	exit 1
fi
echo "twice.sh: $(wc -l <"$sums") files, the same bytes"
