#!/bin/sh
# Checks the units: systemd has nothing to say about them, and their exposure is low.
# The programs and manual pages that they name need not be installed.
set -eu
cd "$(dirname "$0")"
if ! command -v systemd-analyze >/dev/null; then
	echo "units: SKIP: no systemd-analyze"
	exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for unit in *.socket *.service *.timer; do
	sed 's|^ExecStart=/usr/sbin/[a-z0-9-]*|ExecStart=/bin/true|' "$unit" >"$dir/$unit"
done
said=$(systemd-analyze verify --man=no "$dir"/*.socket "$dir"/*.service "$dir"/*.timer 2>&1)
if [ -n "$said" ]; then
	echo "$said"
	echo "units: FAIL: systemd-analyze verify is not silent"
	exit 1
fi
for unit in *.service; do
	# The threshold is ten times the exposure level.
	if ! systemd-analyze security --offline=true --threshold=15 "$dir/$unit" >"$dir/out" 2>&1; then
		tail -1 "$dir/out"
		echo "units: FAIL: $unit is exposed more than 1.5"
		exit 1
	fi
	tail -1 "$dir/out"
done
