#!/bin/bash
# Builds the Debian packages into build/deb. Usage: build.sh [ARCHITECTURE ...]
#
# The working tree (what git would add) is copied to a source tree with debian/ at its
# top, and built there with dpkg-buildpackage. The same sources give the same bytes:
# times come from debian/changelog, paths are trimmed. Needs: debhelper, po-debconf,
# Go, git.
set -euo pipefail

cd "$(dirname "$0")/../.."
top=$PWD
out=$top/build/deb
[ $# -gt 0 ] || set -- amd64 arm64 armhf

for tool in dpkg-buildpackage dh po2debconf git go; do
	if ! command -v "$tool" >/dev/null; then
		echo "build.sh: $tool is missing: apt-get install dpkg-dev debhelper po-debconf git; Go is in go.mod" >&2
		exit 1
	fi
done

# debhelper gives the build a home of its own; Go keeps its caches.
GOCACHE=$(go env GOCACHE) GOMODCACHE=$(go env GOMODCACHE)
export GOCACHE GOMODCACHE
# debian/rules takes the Go that is there: the one that go.mod asks for, which an older one has fetched.
PATH=$(go env GOROOT)/bin:$PATH
umask 022
mkdir -p "$out"

for arch; do
	version=$(dpkg-parsechangelog -l packaging/deb/debian/changelog -S Version)
	stage=$out/$arch/o365-sendmail-$version
	rm -rf "${out:?}/$arch"
	mkdir -p "$stage"
	# What is deleted and not yet committed is not copied.
	git ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
		tar --null --no-recursion -T - -cf - | tar -xf - -C "$stage"
	mv "$stage/packaging/deb/debian" "$stage/debian"
	if ! (cd "$stage" && dpkg-buildpackage --build=binary --host-arch "$arch" \
		--no-check-builddeps --unsigned-changes --unsigned-buildinfo) >"$out/$arch/log" 2>&1; then
		tail -n 40 "$out/$arch/log" >&2
		echo "build.sh: FAIL: $arch; the whole log is $out/$arch/log" >&2
		exit 1
	fi
	cp "$out/$arch"/*.deb "$out/"
	(cd "$out" && sha256sum "o365-sendmail_${version}_$arch.deb")
done
