//go:build interop

package interop

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"o365-sendmail/xoauth"
)

// Clients of the server, each for one purpose.
const (
	certClient   = "5f3c1c0e-8a57-4d0b-9a51-0b6a53a1c001" // has the certificate current
	rolledClient = "5f3c1c0e-8a57-4d0b-9a51-0b6a53a1c002" // has previous and current
	personClient = "5f3c1c0e-8a57-4d0b-9a51-0b6a53a1c003" // may not use client_credentials
	secretClient = "5f3c1c0e-8a57-4d0b-9a51-0b6a53a1c004" // has a secret
	nobodyClient = "5f3c1c0e-8a57-4d0b-9a51-0b6a53a1c005" // is not registered
)

// secret has what must be escaped in a form.
const secret = `q~8 +%/=&"\.` + "?#"

// A pair is a key with its self-signed certificate.
type pair struct {
	key  *rsa.PrivateKey
	cert []byte // DER
}

var (
	previous = sync.OnceValue(func() pair { return newPair(2048) })
	current  = sync.OnceValue(func() pair { return newPair(3072) })
)

func newPair(bits int) pair {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(bits)), Subject: pkix.Name{CommonName: "sendmail"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return pair{key: key, cert: cert}
}

// credential is the pair as an administrator gives it to xoauth.
func (p pair) credential(t *testing.T, algorithm string) *xoauth.CertificateCredential {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := xoauth.Certificate(xoauth.CertificateOptions{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		Algorithm:   algorithm,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// jwk is the public half as RFC 7517 writes it.
func (p pair) jwk() map[string]any {
	sum := sha256.Sum256(p.cert)
	return map[string]any{
		"kty": "RSA", "use": "sig",
		"kid": base64.RawURLEncoding.EncodeToString(sum[:]),
		"n":   base64.RawURLEncoding.EncodeToString(p.key.N.Bytes()),
		"e":   base64.RawURLEncoding.EncodeToString(big.NewInt(int64(p.key.E)).Bytes()),
		"x5c": []string{base64.StdEncoding.EncodeToString(p.cert)},
	}
}

// registrations are the clients in the form of RFC 7591.
func registrations() []map[string]any {
	client := func(id string, pairs ...pair) map[string]any {
		var keys []map[string]any
		for _, p := range pairs {
			keys = append(keys, p.jwk())
		}
		return map[string]any{
			"client_id": id, "grant_types": []string{"client_credentials"}, "response_types": []string{},
			"redirect_uris":              []string{},
			"token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": keys}, "scope": scope,
		}
	}
	person := client(personClient, current())
	person["grant_types"], person["response_types"] = []string{"authorization_code"}, []string{"code"}
	person["redirect_uris"] = []string{"https://client.example/callback"}
	secretive := client(secretClient)
	secretive["token_endpoint_auth_method"], secretive["client_secret"] = "client_secret_post", secret
	delete(secretive, "jwks")
	return []map[string]any{client(certClient, current()), client(rolledClient, previous(), current()), person,
		secretive}
}

// A request is one application's, with what the server said besides the reply.
type request struct {
	*xoauth.Source
	detail string // why the server refused
	base   http.RoundTripper
}

func (r *request) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.base.RoundTrip(req)
	if err == nil {
		r.detail = res.Header.Get("X-Detail")
	}
	return res, err
}

// newRequest makes a Source as the program does. change may be nil.
func newRequest(t *testing.T, clientID string, c xoauth.Credential, change func(*xoauth.Options)) *request {
	t.Helper()
	client, err := xoauth.NewHTTPClient(xoauth.HTTPOptions{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	r := &request{base: client.Transport}
	client.Transport = r
	o := xoauth.Options{ClientID: clientID, Scope: scope, TokenURL: tokenURL, Credential: c, HTTPClient: client}
	if change != nil {
		change(&o)
	}
	if r.Source, err = xoauth.New(o); err != nil {
		t.Fatal(err)
	}
	return r
}
