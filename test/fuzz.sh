#!/bin/sh
# Runs every fuzz target of the module for $FUZZTIME (default 10m), one after
# the other. New inputs that failed are left in the package's testdata/fuzz.
set -eu
cd "$(dirname "$0")/.."
go="${GO:-go}"
time="${FUZZTIME:-10m}"
failed=""
count=0

for package in $($go list ./...); do
	for target in $($go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		count=$((count + 1))
		echo "== $package $target ($time)"
		$go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -parallel 1 "$package" || failed="$failed $package:$target"
	done
done

if [ "$count" = 0 ]; then
	echo "fuzz.sh: no fuzz target found" >&2
	exit 1
fi
if [ -n "$failed" ]; then
	echo "fuzz.sh: these targets failed:$failed" >&2
	exit 1
fi
echo "$count fuzz targets ran for $time each without a finding"
