#!/bin/bash
# A cluster of NATS servers, each with a certificate of its own name. The client is given the first, and learns of the
# others as the first says: by address. It looks for the name of the first in their certificates, so that when the first
# stops, it never gets to the others, although they run and their certificates are good. Its last error is then that a
# certificate is valid for n2, not n1. With all names in each certificate it goes on at once.
# Seen with nats.go 1.55.0 and nats-server 2.15.2. Needs go; fetches the pinned modules into a temporary folder. Ends
# with 1 when that changes, 2 when it can't run.
set -euo pipefail
command -v go >/dev/null || { echo "it needs go"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >main.go <<'E2'
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
}

var (
	caKey, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ca       = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true,
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	roots = x509.NewCertPool()
)

func certificate(names ...string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: names,
		NotAfter:    time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca, &key.PublicKey, caKey)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// dialer finds every host at 127.0.0.1.
type dialer struct{}

func (dialer) Dial(network, address string) (net.Conn, error) {
	_, port, _ := net.SplitHostPort(address)
	return net.DialTimeout(network, "127.0.0.1:"+port, 2*time.Second)
}

func try(what string, names func(i int) []string) {
	var servers []*server.Server
	for i := range 3 {
		o := &server.Options{ServerName: fmt.Sprintf("n%d", i+1), Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
			Cluster:   server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: -1},
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate(names(i)...)}}, TLSTimeout: 5}
		if i > 0 {
			o.Routes = server.RoutesFromStr("nats://" + servers[0].ClusterAddr().String())
		}
		s, err := server.NewServer(o)
		check(err)
		s.Start()
		defer s.Shutdown()
		if !s.ReadyForConnections(20 * time.Second) {
			os.Exit(2)
		}
		servers = append(servers, s)
	}
	for end := time.Now().Add(20 * time.Second); servers[0].NumRoutes() == 0 || servers[1].NumRoutes() == 0; {
		if time.Sleep(100 * time.Millisecond); time.Now().After(end) {
			os.Exit(2)
		}
	}
	time.Sleep(time.Second)
	other := false
	port := servers[0].Addr().(*net.TCPAddr).Port
	nc, err := nats.Connect(fmt.Sprintf("tls://n1.example.org:%d", port), nats.SetCustomDialer(dialer{}),
		nats.Secure(&tls.Config{RootCAs: roots}), nats.MaxReconnects(-1), nats.ReconnectWait(200*time.Millisecond))
	check(err)
	defer nc.Close()
	known := len(nc.DiscoveredServers())
	servers[0].Shutdown()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		other = other || strings.Contains(fmt.Sprint(nc.LastError()), "not n1.example.org")
		if nc.IsConnected() && nc.ConnectedServerName() != "n1" {
			break
		}
	}
	fmt.Printf("%s: learnt of others: %v, at another within 15 s: %v, \"not n1\": %v\n", what, known >= 2,
		nc.IsConnected(), other)
}

func main() {
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	check(err)
	ca, err = x509.ParseCertificate(der)
	check(err)
	roots.AddCert(ca)
	try("each its own name", func(i int) []string { return []string{fmt.Sprintf("n%d.example.org", i+1)} })
	try("all names in each", func(int) []string { return []string{"n1.example.org", "n2.example.org", "n3.example.org"} })
}
E2
{ go mod init try && go get github.com/nats-io/nats.go@v1.55.0 github.com/nats-io/nats-server/v2@v2.15.2 &&
	go mod tidy; } >log 2>&1 || { cat log; exit 2; }
grep -oE 'nats-io/(nats.go|nats-server/v2) v[0-9.]*' go.mod
go run . | tee out
cat >want <<'E2'
each its own name: learnt of others: true, at another within 15 s: false, "not n1": true
all names in each: learnt of others: true, at another within 15 s: true, "not n1": false
E2
diff want out || { echo "CHANGED"; exit 1; }
