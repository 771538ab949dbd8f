#!/bin/bash
# Fetches the sources of sources.tsv, and checks their sums: fetch.sh FOLDER. Nothing of them is part of this project.
# What is in FOLDER already is not fetched again. Debian's sources are asked for with lists of their own, so that the
# machine's stay as they are.
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
# Go's "./..." is not to go in there.
echo 'module peers' >"$folder/go.mod"
list=$(cd "$(dirname "$0")" && pwd)/sources.tsv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

apt() { # suite command...
	local at=$work/$1
	apt-get -q -o Dir::Etc::sourcelist="$at/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$at/lists" -o Dir::Cache="$at/cache" -o APT::Sandbox::User=root "${@:2}"
}
prepare() { # suite
	[ ! -e "$work/$1" ] || return 0
	mkdir -p "$work/$1/lists/partial" "$work/$1/cache/archives/partial"
	local mirror
	mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | awk '/debian/ && !/security/ && !n++')}
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$work/$1/sources.list"
	apt "$1" update >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}

grep -v '^#' "$list" | while IFS=$'\t' read -r name version suite sum; do
	[ ! -d "$folder/$name-$version" ] || continue
	prepare "$suite"
	mkdir "$work/source"
	# Upstream's part is enough, whatever has become of Debian's own.
	(cd "$work/source" && apt "$suite" source --download-only "$name" >"$work/log" 2>&1) || true
	orig=$(find "$work/source" -name "${name}_$version.orig.tar.*" ! -name '*.asc')
	[ -n "$orig" ] || { tail -5 "$work/log"; echo "fetch.sh: no source $name $version" >&2; exit 1; }
	echo "$sum  $orig" | sha256sum --quiet -c
	mkdir "$work/out"
	tar -xf "$orig" --strip-components=1 -C "$work/out"
	rm -r "$work/source"
	mv "$work/out" "$folder/$name-$version"
	echo "$name $version"
done
