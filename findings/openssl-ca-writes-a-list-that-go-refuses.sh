#!/bin/bash
# openssl ca -gencrl with a configuration that names no crl_extensions and no crlnumber writes a list of version 1, which
# openssl verify takes and Go's crypto/x509 (1.26) refuses ("unsupported crl version"; RFC 5280 5.1.2.1 wants version 2).
# Needs openssl 3.0 and Go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
{
	openssl version
	go version
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=CA -keyout ca.key -out ca.pem 2>/dev/null
openssl req -x509 -CA ca.pem -CAkey ca.key -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=web1 \
	-addext basicConstraints=critical,CA:FALSE -keyout web1.key -out web1.pem 2>/dev/null
printf '[ca]\ndefault_ca = x\n[x]\ndatabase = db\ndefault_md = sha256\n' >v1.cnf
printf '[ca]\ndefault_ca = x\n[x]\ndatabase = db\ndefault_md = sha256\ncrl_extensions = e\n[e]\nauthorityKeyIdentifier = keyid\n' >v2.cnf
: >db
for v in v1 v2; do
	openssl ca -config $v.cnf -cert ca.pem -keyfile ca.key -gencrl -crldays 30 -out $v.crl 2>/dev/null
	openssl verify -CAfile ca.pem -CRLfile $v.crl -crl_check web1.pem | sed "s/^/openssl, $v: /"
done
cat >main.go <<'END'
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	for _, name := range os.Args[1:] {
		data, _ := os.ReadFile(name)
		block, _ := pem.Decode(data)
		_, err := x509.ParseRevocationList(block.Bytes)
		fmt.Println("go, "+name+":", err)
	}
}
END
go run main.go v1.crl v2.crl | tee out
grep -q '^go, v1.crl: x509: unsupported crl version$' out && grep -q '^go, v2.crl: <nil>$' out || { echo "CHANGED"; exit 1; }
