#!/bin/bash
# Builds what is no Debian package into build/packages: rpm and apk packages, tarballs for any
# Linux, and the root of the container image. Usage: build.sh [GOARCH ...]
#
# Times come from the Debian changelog, so that the same sources give the same bytes. Needs Go,
# tar, gzip; nfpm is a tool of this folder's module.
set -euo pipefail

cd "$(dirname "$0")"
top=$(cd ../.. && pwd)
out=$top/build/packages
[ $# -gt 0 ] || set -- amd64 arm64 arm
VERSION=$(sed -n '1s/.*(\([^)]*\)).*/\1/p' ../deb/debian/changelog)
SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^ -- .*>  //p' ../deb/debian/changelog | head -n 1)" +%s)
MTIME=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
export VERSION MTIME SOURCE_DATE_EPOCH GOARM=7
umask 022
go tool nfpm --version >/dev/null # builds it
nfpm=$(go tool -n nfpm)
rm -rf "$out"
mkdir -p "$out"

# archive OPTION ... writes a tar archive that depends on names and contents alone.
archive() { tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --numeric-owner "$@"; }

# programs DIR builds the programs for GOARCH.
programs() {
	local flags=(-trimpath -buildvcs=false)
	(cd "$top" && export CGO_ENABLED=0 GOOS=linux &&
		go build "${flags[@]}" -ldflags "-s -w -buildid= -X main.version=$VERSION" -o "$1/o365-sendmail" ./cmd/sendmail &&
		go build "${flags[@]}" -ldflags "-s -w -buildid= -X main.version=$VERSION" -o "$1/fleet" ./cmd/fleet &&
		go build "${flags[@]}" -ldflags "-s -w -buildid=" -o "$1/sendmail" ./cmd/front)
}

# packages builds rpm and apk.
packages() {
	sed "s|\${STAGE}|$STAGE|g; s|\${MTIME}|$MTIME|; s|\${ARCH}|$ARCH|" nfpm.yaml >"$STAGE/nfpm.yaml"
	for format in rpm apk; do
		"$nfpm" package --config "$STAGE/nfpm.yaml" --packager "$format" --target "$out"
	done
}

# tarball builds what is copied to /usr on any Linux: sbin, share and lib, and documents beside.
tarball() {
	local name=o365-sendmail-$VERSION-linux-${ARCH/arm7/armv7}
	local tree=$STAGE/$name page
	mkdir -p "$tree/sbin" "$tree/lib/systemd/system" "$tree/lib/o365-sendmail" "$tree/share/doc/o365-sendmail" "$tree/share/o365-sendmail" \
		"$tree/share/bash-completion/completions" "$tree/share/zsh/site-functions" "$tree/share/fish/vendor_completions.d"
	cp "$STAGE/o365-sendmail" "$STAGE/sendmail" "$tree/sbin/"
	cp "$STAGE/fleet" "$tree/lib/o365-sendmail/"
	for page in "$STAGE"/man/*.gz; do
		set -- "${page%.gz}"
		mkdir -p "$tree/share/man/man${1##*.}"
		cp "$page" "$tree/share/man/man${1##*.}/"
	done
	cp "$top/internal/completion/o365-sendmail.bash" "$tree/share/bash-completion/completions/o365-sendmail"
	cp "$top/internal/completion/_o365-sendmail" "$tree/share/zsh/site-functions/"
	cp "$top/internal/completion/o365-sendmail.fish" "$tree/share/fish/vendor_completions.d/"
	cp ../prometheus/alerts.yml ../prometheus/dashboard.json "$tree/share/o365-sendmail/"
	cp -r "$top/docs/schemas" "$tree/share/o365-sendmail/"
	cp ../systemd/*.service ../systemd/*.socket ../systemd/*.timer "$tree/lib/systemd/system/"
	cp "$top/etc-sample/o365-sendmail.toml" o365-sendmail.openrc "$top/SECURITY.md" "$tree/share/doc/o365-sendmail/"
	cp ../deb/debian/copyright "$tree/share/doc/o365-sendmail/copyright"
	cp "$top/README.md" "$top/LICENSE" "$tree/"
	archive -C "$STAGE" --owner=0 --group=0 -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
}

# image builds the root of the container image: the programs, Mozilla's certificate authorities,
# and an account of its own, whose number the files' owners are told by.
image() {
	local root=$STAGE/root id=925 own=(var/lib/o365-sendmail var/spool/o365-sendmail run/o365-sendmail)
	mkdir -p "$root/usr/sbin" "$root/usr/bin" "$root/usr/lib/o365-sendmail" "$root/etc/ssl/certs" "$root/tmp" "${own[@]/#/$root/}"
	cp "$STAGE/o365-sendmail" "$STAGE/sendmail" "$root/usr/sbin/"
	cp "$STAGE/fleet" "$root/usr/lib/o365-sendmail/"
	ln -s ../sbin/sendmail "$root/usr/lib/sendmail"
	ln -s ../sbin/sendmail "$root/usr/bin/mailq"
	ln -s ../sbin/sendmail "$root/usr/bin/newaliases"
	cp "$out/roots.pem" "$root/etc/ssl/certs/ca-certificates.crt"
	printf 'root:x:0:0::/:/sbin/nologin\no365-sendmail:x:%s:%s::/nonexistent:/sbin/nologin\n' $id $id >"$root/etc/passwd"
	printf 'root:x:0:\no365-sendmail:x:%s:\n' $id >"$root/etc/group"
	cp ../deb/debian/copyright "$root/copyright"
	chmod 1777 "$root/tmp"
	chmod 0700 "$root/var/lib/o365-sendmail" "$root/var/spool/o365-sendmail"
	archive -C "$root" --owner=0 --group=0 "${own[@]/#/--exclude=}" -cf "$STAGE/root.tar" .
	archive -C "$root" --owner=$id --group=$id -rf "$STAGE/root.tar" "${own[@]/#/./}"
	gzip -9n <"$STAGE/root.tar" >"$out/o365-sendmail-$VERSION-container-$GOARCH.tar.gz"
}

go run ./cmd/roots >"$out/roots.pem"
for GOARCH; do
	# nfpm tells the kinds of arm apart, and knows what each format calls them.
	export GOARCH STAGE=$out/stage-$GOARCH ARCH=${GOARCH/%arm/arm7}
	mkdir -p "$STAGE/man"
	programs "$STAGE"
	for page in sendmail.8 mailq.1 newaliases.1 o365-sendmail.8 o365-sendmail.toml.5; do
		gzip -9n <"$top/docs/$page" >"$STAGE/man/$page.gz"
	done
	cp account.sh rpm-*.sh "$STAGE/"
	touch -d "@$SOURCE_DATE_EPOCH" "$STAGE"/*.sh
	packages
	tarball
	image
	rm -rf "$STAGE"
done
rm "$out/roots.pem"
