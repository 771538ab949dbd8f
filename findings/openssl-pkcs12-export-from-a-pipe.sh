#!/bin/sh
# openssl pkcs12 -export reads key and certificate from one file in any order, but from standard
# input only if the key comes first. openssl-pkcs12(1) says of -in, standard input by default:
# "The order of credentials in a file doesn't matter". openssl pkcs12 -nodes writes the
# certificate first, so the well-known line
#     openssl pkcs12 -in old.pfx -nodes | openssl pkcs12 -export -out new.pfx
# fails on what openssl pkcs12 -export itself has written.
# Seen with Debian's package openssl 3.0.x. Ends with 1 when that changes, 2 when it can't run.
set -u
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
command -v openssl >/dev/null || { echo "openssl is not installed: apt-get install openssl"; exit 2; }
openssl version
dpkg-query -W openssl 2>/dev/null

openssl req -x509 -newkey rsa:2048 -noenc -days 30 -subj /CN=a -keyout key.pem -out cert.pem 2>/dev/null || exit 2
cat key.pem cert.pem >key-first.pem
cat cert.pem key.pem >cert-first.pem
openssl pkcs12 -export -in key-first.pem -passout pass:a -out old.pfx || exit 2

result() { # name, expected exit code, command
	out=$(sh -c "$3" 2>&1)
	code=$?
	echo "$1: exit $code ${out:+($out)}"
	[ "$code" = "$2" ] || changed=1
}
changed=0
result "file, key first" 0 "openssl pkcs12 -export -in key-first.pem -passout pass:a -out 1.pfx"
result "file, certificate first" 0 "openssl pkcs12 -export -in cert-first.pem -passout pass:a -out 2.pfx"
result "standard input, key first" 0 "openssl pkcs12 -export -passout pass:a -out 3.pfx <key-first.pem"
result "standard input, certificate first" 1 "openssl pkcs12 -export -passout pass:a -out 4.pfx <cert-first.pem"
result "its own output by a pipe" 1 \
	"openssl pkcs12 -in old.pfx -passin pass:a -nodes | openssl pkcs12 -export -passout pass:a -out 5.pfx"
if [ "$changed" = 1 ]; then
	echo "CHANGED: it does not behave as described above"
	exit 1
fi
