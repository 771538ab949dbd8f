#!/bin/bash
# Builds the rpm and apk packages and the plain tarballs into build/packages.
# Usage: build.sh [GOARCH ...]. Times come from the Debian changelog, so that the same
# sources give the same bytes. Needs Go, tar, gzip; nfpm is a tool of this module.
set -euo pipefail

cd "$(dirname "$0")"
top=$(cd ../.. && pwd)
out=$top/build/packages
[ $# -gt 0 ] || set -- amd64 arm64 arm
VERSION=$(sed -n '1s/.*(\([^)]*\)).*/\1/p' ../deb/debian/changelog)
SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^ -- .*>  //p' ../deb/debian/changelog | head -n 1)" +%s)
MTIME=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
export VERSION MTIME SOURCE_DATE_EPOCH
umask 022
go tool nfpm --version >/dev/null # builds it
nfpm=$(go tool -n nfpm)
rm -rf "$out"
mkdir -p "$out"

for GOARCH; do
	export GOARCH STAGE=$out/stage-$GOARCH
	tree=$STAGE/o365-sendmail-$VERSION-linux-$GOARCH
	mkdir -p "$STAGE/man" "$tree/man" "$tree/completion" "$tree/systemd"
	(cd "$top" && CGO_ENABLED=0 GOOS=linux GOARM=7 go build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X main.version=$VERSION" -o "$STAGE/o365-sendmail" ./cmd/sendmail
		CGO_ENABLED=0 GOOS=linux GOARM=7 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid=" -o "$STAGE/front" ./cmd/front)
	for page in sendmail.8 mailq.1 newaliases.1 o365-sendmail.8 o365-sendmail.toml.5; do
		gzip -9n <"$top/docs/$page" >"$STAGE/man/$page.gz"
		cp "$top/docs/$page" "$tree/man/"
	done
	cp account.sh rpm-*.sh "$STAGE/"
	touch -d "@$SOURCE_DATE_EPOCH" "$STAGE"/*.sh
	sed "s|\${STAGE}|$STAGE|g; s|\${MTIME}|$MTIME|" nfpm.yaml >"$STAGE/nfpm.yaml"
	for format in rpm apk; do
		"$nfpm" package --config "$STAGE/nfpm.yaml" --packager "$format" --target "$out"
	done

	cp "$STAGE/o365-sendmail" "$top/README.md" "$top/SECURITY.md" "$top/LICENSE" "$top/etc-sample/o365-sendmail.toml" "$tree/"
	cp ../deb/debian/copyright "$tree/COPYRIGHT"
	cp "$top"/internal/completion/*o365-sendmail* "$tree/completion/"
	cp ../systemd/*.service ../systemd/*.socket ../systemd/*.timer "$tree/systemd/"
	tar -C "$STAGE" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
		-cf - "$(basename "$tree")" | gzip -9n >"$out/$(basename "$tree").tar.gz"
	rm -rf "$STAGE"
done
cd "$out" && sha256sum -- *
