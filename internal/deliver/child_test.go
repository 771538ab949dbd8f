package deliver

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/cache"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
	"o365-sendmail/xoauth"
)

// childAccount reads what writeChildConfig wrote.
func childAccount(t testing.TB, dir string) *Account {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "child"))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	f := strings.Split(string(text), "\n")
	host, url, tenant, client, secret, mailbox := f[0], f[2], f[3], f[4], f[5], f[6]
	port, err := strconv.Atoi(f[1])
	if err != nil {
		t.Fatal(err)
	}
	const scope = "https://outlook.office365.com/.default"
	tokens := cache.New(cache.Options{Dir: filepath.Join(dir, "cache")})
	return &Account{
		Submit: submit.Config{Host: host, Port: port, RootCAs: pool, EHLOName: "web1.contoso.test", CommandTimeout: 10 * time.Second},
		Cache:  tokens, Quota: quota.New(tokens.Shared(), nil), Mailbox: mailbox, Connections: 3,
		Key: cache.Key{Authority: url, Tenant: tenant, ClientID: client, Scope: scope, Credential: "child"},
		Source: func() (xoauth.TokenSource, error) {
			hc, err := xoauth.NewHTTPClient(xoauth.HTTPOptions{RootCAs: pool, Timeout: 10 * time.Second})
			if err != nil {
				return nil, err
			}
			return xoauth.New(xoauth.Options{Tenant: tenant, ClientID: client, Scope: scope, TokenURL: url, Credential: xoauth.ClientSecret(xoauth.NewSecret(secret)), HTTPClient: hc})
		},
	}
}

// unsyncedOps are the system's without fsync, to fill a spool quickly.
func unsyncedOps() *durable.Ops {
	ops := *durable.System
	nothing := func(*os.File) error { return nil }
	ops.Sync, ops.Datasync = nothing, nothing
	return &ops
}

func unsynced(o *spool.Options) { o.Ops = unsyncedOps() }
