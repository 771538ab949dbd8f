#!/bin/bash
# Fetches the projects of sources.tsv at their versions, and checks their sums: fetch.sh FOLDER. Nothing of them is
# part of this project. A project that is in FOLDER already is not fetched again.
set -euo pipefail
folder=$1
list=$(cd "$(dirname "$0")" && pwd)/sources.tsv
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
echo "module fetched" >"$folder/go.mod" # keeps their packages out of this project's ./...
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The sources of Debian 12 are asked for with lists of their own, so that the machine's stay as they are, and what else it
# asks (backports have other versions) does not count.
apt() {
	apt-get -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
prepare() {
	[ ! -e "$work/sources.list" ] || return 0
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
	local mirror
	mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | awk '/debian/ && !/security/ && !n++')}
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >"$work/sources.list"
	apt update >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}

debian() { # name version sum to
	prepare
	mkdir "$work/$1"
	# Only the upstream part is needed, whatever Debian's own part is called by now.
	(cd "$work/$1" && apt source --download-only "$1" >"$work/log" 2>&1) || true
	local orig
	orig=$(find "$work/$1" -name "$1_$2.orig.tar.*" ! -name '*.asc')
	[ -n "$orig" ] || { tail -5 "$work/log"; echo "fetch.sh: no source $1 $2" >&2; return 1; }
	echo "$3  $orig" | sha256sum --quiet -c
	mkdir "$4.new" && tar -xf "$orig" -C "$4.new"
}

go_module() { # path version sum to
	local answer
	answer=$(cd "$work" && GOFLAGS=-mod=mod go mod download -json "$1@$2")
	grep -qF "\"Sum\": \"$3\"" <<<"$answer" || { echo "fetch.sh: $1 $2 has another sum" >&2; return 1; }
	cp -r "$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$answer")" "$4.new"
	chmod -R u+w "$4.new"
}

grep -v '^#' "$list" | while IFS=$'\t' read -r kind name version sum; do
	to=$folder/${name//\//_}
	[ ! -d "$to" ] || continue
	rm -rf "$to.new"
	case $kind in
	debian) debian "$name" "$version" "$sum" "$to" ;;
	go) go_module "$name" "$version" "$sum" "$to" ;;
	*) echo "fetch.sh: what is $kind?" >&2; exit 1 ;;
	esac
	mv "$to.new" "$to"
	echo "$name $version"
done
