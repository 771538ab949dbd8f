#!/bin/sh
# Fetches the Debian peers of `make bench`. Only msmtp is installed, which no mailer minds;
# the others, which would replace each other and the machine's own mailer, are unpacked below
# build/bench/peers: nullmailer and dma run from there, Postfix and Exim in a directory that
# has all libraries that they need and that the benchmark makes their root. No script of a
# package runs. Run as root; what is missing is left out.
set -eu
cd "$(dirname "$0")/.."
peers=build/bench/peers
mkdir -p "$peers"
[ -x /usr/bin/msmtp ] || DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends msmtp

# unpack DIRECTORY PACKAGE...
unpack() {
	to=$1
	shift
	from=$(mktemp -d)
	(cd "$from" && apt-get download -q -o APT::Sandbox::User=root "$@")
	mkdir "$to.new"
	for deb in "$from"/*.deb; do
		dpkg-deb -x "$deb" "$to.new"
	done
	mv "$to.new" "$to" # half of a peer would be taken for the whole
	rm -r "$from"
}

# libraries PACKAGE... lists what apt would install with them where there is nothing.
libraries() {
	nothing=$(mktemp -d)
	: >"$nothing/status"
	apt-get -s -o Dir::State::status="$nothing/status" -o Dir::State::extended_states="$nothing/extended" \
		--no-install-recommends install "$@" | sed -n 's/^Inst \(lib[^ ]*\).*/\1/p' | grep -v perl
	rm -r "$nothing"
}

rm -rf "$peers"/*.new
for name in nullmailer dma; do
	[ -d "$peers/$name" ] || unpack "$peers/$name" "$name"
done
# shellcheck disable=SC2046 # a list of words
[ -d "$peers/postfix" ] || unpack "$peers/postfix" postfix $(libraries postfix libsasl2-modules)
# shellcheck disable=SC2046
[ -d "$peers/exim" ] || unpack "$peers/exim" exim4-daemon-light $(libraries exim4-daemon-light)
