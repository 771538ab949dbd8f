//go:build system

package system

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// An authority is a second token endpoint, independent of the emulator's: it
// makes the certificates of the Postfix lab and signs the tokens that Dovecot
// checks with the public key alone.
type authority struct {
	caFile, certFile, keyFile string // PEM; the server certificate is for localhost and 127.0.0.1
	publicKeyPEM              []byte // of the token key
	url                       string // token endpoint of tenant
	tenant, clientID          string
	clientSecret, mailbox     string

	key      *rsa.PrivateKey
	requests atomic.Int64
	server   *http.Server
}

// newAuthority writes the certificates to dir and starts the token endpoint on
// a loopback port.
func newAuthority(dir string) (*authority, error) {
	a := &authority{
		tenant:       "f1a7d3c2-5b0e-4a77-9a5f-0d6f5f0b7c11",
		clientID:     "7d9c1c9e-2a51-4f1b-8f6e-61e2a0a5b0d4",
		clientSecret: "Lab8Q~" + rand.Text(),
		mailbox:      "noreply@contoso.test",
	}
	if err := a.makeCertificates(dir); err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	a.key = key
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	a.publicKeyPEM = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	certificate, err := tls.LoadX509KeyPair(a.certFile, a.keyFile)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	path := "/" + a.tenant + "/oauth2/v2.0/token"
	a.url = fmt.Sprintf("https://localhost:%d%s", l.Addr().(*net.TCPAddr).Port, path)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, a.serveToken)
	a.server = &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		ReadTimeout: 20 * time.Second}
	go a.server.ServeTLS(l, "", "")
	return a, nil
}

func (a *authority) serveToken(w http.ResponseWriter, r *http.Request) {
	a.requests.Add(1)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	refuse := func(status int, code, description string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"error": code, "error_description": description})
	}
	switch {
	case r.PostFormValue("grant_type") != "client_credentials":
		refuse(http.StatusBadRequest, "unsupported_grant_type",
			"AADSTS70003: The app requested an unsupported grant type.")
	case r.PostFormValue("scope") != "https://outlook.office365.com/.default":
		refuse(http.StatusBadRequest, "invalid_scope",
			"AADSTS70011: The provided request must include a 'scope' input parameter.")
	case r.PostFormValue("client_id") != a.clientID:
		refuse(http.StatusBadRequest, "unauthorized_client",
			"AADSTS700016: Application was not found in the directory.")
	case r.PostFormValue("client_secret") != a.clientSecret:
		refuse(http.StatusUnauthorized, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
	default:
		json.NewEncoder(w).Encode(map[string]any{
			"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599,
			"access_token": a.token(a.mailbox, time.Now()),
		})
	}
}

// token signs an access token for the mailbox, shaped as Entra's application
// tokens are, that is valid for an hour from the moment now.
func (a *authority) token(mailbox string, now time.Time) string {
	claims := map[string]any{
		"aud": "https://outlook.office365.com", "iss": "https://sts.windows.net/" + a.tenant + "/", "tid": a.tenant,
		"iat": now.Add(-5 * time.Minute).Unix(), "nbf": now.Add(-5 * time.Minute).Unix(),
		"exp":   now.Add(time.Hour).Unix(),
		"appid": a.clientID, "idtyp": "app", "oid": "b2f1c0de-6d1c-4e21-8a55-0f0f6f8f7a01",
		"sub": "b2f1c0de-6d1c-4e21-8a55-0f0f6f8f7a01", "roles": []string{"SMTP.SendAsApp"},
		"email": mailbox, // not Entra's: what Dovecot compares with user=
	}
	return a.sign(map[string]any{"typ": "JWT", "alg": "RS256", "kid": "lab"}, claims)
}

func (a *authority) sign(header, claims map[string]any) string {
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := encode(header) + "." + encode(claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// makeCertificates makes a certificate authority and one server certificate.
func (a *authority) makeCertificates(dir string) error {
	now := time.Now()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "system test authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	a.caFile, a.certFile, a.keyFile = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "server.pem"),
		filepath.Join(dir, "server-key.pem")
	for _, f := range []struct {
		name, kind string
		der        []byte
		mode       os.FileMode
	}{{a.caFile, "CERTIFICATE", caDER, 0o644}, {a.certFile, "CERTIFICATE", leafDER, 0o644},
		{a.keyFile, "PRIVATE KEY", keyDER, 0o600}} {
		if err := os.WriteFile(f.name, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), f.mode); err != nil {
			return err
		}
	}
	return nil
}
