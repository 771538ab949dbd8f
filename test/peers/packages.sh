#!/bin/sh
# Installs what the suites need beside Go, if it is missing. Nothing is removed or replaced: --no-remove.
set -eu
packages="python3 perl git git-email libmailtools-perl php-cli php-xml php-symfony-mailer phpunit"
missing=""
for package in $packages; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# shellcheck disable=SC2086 # a list of words is meant
apt-get -q -y --no-install-recommends --no-remove -o Acquire::Retries=3 install $missing
