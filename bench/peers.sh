#!/bin/sh
# Fetches the Debian peers of `make bench`: msmtp is installed, which no mailer minds;
# nullmailer and dma, which would replace each other and the machine's own mailer, are
# only unpacked below build/bench/peers. Run as root; what is missing is left out.
set -eu
cd "$(dirname "$0")/.."
peers=build/bench/peers
mkdir -p "$peers"
[ -x /usr/bin/msmtp ] || DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends msmtp
for name in nullmailer dma; do
	[ ! -d "$peers/$name/usr" ] || continue
	into=$(mktemp -d)
	(cd "$into" && apt-get download -q -o APT::Sandbox::User=root "$name")
	dpkg-deb -x "$into"/*.deb "$peers/$name"
	rm -r "$into"
done
