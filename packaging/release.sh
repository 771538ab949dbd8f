#!/bin/bash
# Builds a release into build/release: Debian, rpm and apk packages, tarballs, the root of the
# container image and its recipe, a software bill of materials (CycloneDX) and SHA256SUMS. Its
# version and its time are those of the Debian changelog. Usage: release.sh [GOARCH ...]
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/release
[ $# -gt 0 ] || set -- amd64 arm64 arm
changelog=packaging/deb/debian/changelog
version=$(sed -n '1s/.*(\([^)]*\)).*/\1/p' $changelog)
time=$(date -u -d "$(sed -n 's/^ -- .*>  //p' $changelog | head -n 1)" +%Y-%m-%dT%H:%M:%SZ)
umask 022
rm -rf "$out"
mkdir -p "$out"

packaging/deb/build.sh "${@/%arm/armhf}"
for arch in "${@/%arm/armhf}"; do cp "build/deb/o365-sendmail_${version}_$arch.deb" "$out/"; done
packaging/nfpm/build.sh "$@"
cp build/packages/* "$out/"
cp packaging/container/Containerfile "$out/"

# What is linked is the same for every architecture, and cmd/fleet links all that the others do. The tool has no flag for the time.
# The bill has the name of the file.
program=$(mktemp -d)/o365-sendmail
trap 'rm -rf "${program%/*}"' EXIT
tar -xzOf "$out/o365-sendmail-$version-linux-${1/%arm/armv7}.tar.gz" --wildcards '*/lib/o365-sendmail/fleet' >"$program"
chmod 755 "$program"
GOFLAGS=-trimpath go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -std -noserial -licenses \
	-version "v$version" -output "$out/o365-sendmail-$version.cdx.json" "$program"
sed -i "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$time\"/" "$out/o365-sendmail-$version.cdx.json"

cd "$out"
sha256sum -- * >SHA256SUMS
cat SHA256SUMS
