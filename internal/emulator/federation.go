package emulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
)

// AzureAudience is the audience of federated tokens for Entra's public cloud.
const AzureAudience = "api://AzureADTokenExchange"

const docsFederation = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"

// checkFederated matches an outside token against the app's federated credentials:
// issuer, audience, subject, exactly and in that order, then its signature and times.
func (q *tokenRequest) checkFederated(a *assertion) error {
	match := func(ok func(*Federation) bool) bool {
		for _, f := range q.app.Federated {
			if ok(f) {
				return true
			}
		}
		return false
	}
	issuer := func(f *Federation) bool { return f.Issuer == a.claims.Issuer }
	aud := func(f *Federation) bool { return issuer(f) && slices.Contains(a.claims.Audience, f.Audience) }
	switch {
	case !match(issuer):
		return q.errFederated(a, 700211, fmt.Sprintf("No matching federated identity record found for presented "+
			"assertion issuer '%s'.", a.claims.Issuer))
	case !match(aud):
		return q.errFederated(a, 700212, fmt.Sprintf("No matching federated identity record found for presented "+
			"assertion audience '%s'.", strings.Join(a.claims.Audience, " ")))
	case !match(func(f *Federation) bool { return aud(f) && f.Subject == a.claims.Subject }):
		if match(func(f *Federation) bool { return aud(f) && strings.EqualFold(f.Subject, a.claims.Subject) }) {
			return q.errFederated(a, 7002138, fmt.Sprintf("No matching federated identity record found for presented "+
				"assertion subject '%s'. The subject matches with case-insensitive comparison, but not with "+
				"case-sensitive comparison.", a.claims.Subject))
		}
		return q.errFederated(a, 700213, fmt.Sprintf("No matching federated identity record found for presented "+
			"assertion subject '%s'.", a.claims.Subject))
	}
	if err := q.verifyOutside(a); err != nil {
		return badClient(50013, "Assertion failed signature validation. [Reason - The key was not found., Thumbprint "+
			"of key used by client: '%s', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to "+
			"see configured keys for app Id '%s'.]", a.header.KeyID, q.clientID)
	}
	return q.checkTimes(a)
}

// errFederated is the newer answer, or the one of 2022.
func (q *tokenRequest) errFederated(a *assertion, code int, text string) error {
	if q.st.Entra.Federation2022 {
		return &aadError{status: http.StatusBadRequest, err: "invalid_request", code: 70021, text: fmt.Sprintf(
			"No matching federated identity record found for presented assertion. Assertion Issuer: '%s'. Assertion "+
				"Subject: '%s'. Assertion Audience: '%s'. %s",
			a.claims.Issuer, a.claims.Subject, strings.Join(a.claims.Audience, " "), docsFederation)}
	}
	return badClient(code, "%s Check your federated identity credential Subject, Audience and Issuer against the "+
		"presented assertion. %s", text, docsFederation)
}

// jwk is a key of a JSON Web Key Set (RFC 7517).
type jwk struct {
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	Use string `json:"use,omitempty"`
	Alg string `json:"alg,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
}

type jwks struct {
	Keys []jwk `json:"keys"`
}

// verifyOutside checks the signature with the issuer's key set.
func (q *tokenRequest) verifyOutside(a *assertion) error {
	var set jwks
	if err := json.Unmarshal(q.st.Issuers[a.claims.Issuer], &set); err != nil {
		return errors.New("the issuer has no key set")
	}
	for _, k := range set.Keys {
		if k.Kid != a.header.KeyID {
			continue
		}
		switch {
		case k.Kty == "RSA" && (a.header.Alg == "RS256" || a.header.Alg == "PS256"):
			return verifyRSA(k.rsa(), a)
		case k.Kty == "EC" && a.header.Alg == "ES256":
			return k.verifyEC(a)
		}
	}
	return errors.New("no such key")
}

func (k jwk) rsa() *rsa.PublicKey {
	n, _ := base64.RawURLEncoding.DecodeString(k.N)
	e, _ := base64.RawURLEncoding.DecodeString(k.E)
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
}

func (k jwk) verifyEC(a *assertion) error {
	x, errX := base64.RawURLEncoding.DecodeString(k.X)
	y, errY := base64.RawURLEncoding.DecodeString(k.Y)
	if k.Crv != "P-256" || errX != nil || errY != nil || len(a.signature) != 64 {
		return errors.New("not a P-256 key and signature")
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return err
	}
	digest := sha256.Sum256(a.signed)
	r, s := new(big.Int).SetBytes(a.signature[:32]), new(big.Int).SetBytes(a.signature[32:])
	if !ecdsa.Verify(pub, digest[:], r, s) {
		return errors.New("wrong signature")
	}
	return nil
}

// Issuer is an outside token issuer for workload identity federation, such as a
// Kubernetes cluster.
type Issuer struct {
	URL string
	key *rsa.PrivateKey
	now func() time.Time
}

// AddFederation makes an issuer, known to Entra by its key set, and a federated
// credential on the default application that accepts its tokens for subject.
func (e *Emulator) AddFederation(issuerURL, subject string) (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	i := &Issuer{URL: issuerURL, key: key, now: e.now}
	set, err := i.keySet()
	if err != nil {
		return nil, err
	}
	e.Update(func(s *State) {
		if s.Issuers == nil {
			s.Issuers = map[string]json.RawMessage{}
		}
		s.Issuers[issuerURL] = set
		app := s.App(e.ClientID)
		if app.Federated == nil {
			app.Federated = map[string]*Federation{}
		}
		app.Federated[subject] = &Federation{Issuer: issuerURL, Subject: subject, Audience: AzureAudience}
	})
	return i, nil
}

func (i *Issuer) keySet() (json.RawMessage, error) {
	return json.Marshal(jwks{Keys: []jwk{{
		Kty: "RSA", Kid: "1", Use: "sig", Alg: "RS256",
		N: base64.RawURLEncoding.EncodeToString(i.key.N.Bytes()),
		E: base64.RawURLEncoding.EncodeToString(big.NewInt(int64(i.key.E)).Bytes()),
	}}})
}

// Token issues a token for subject and audience that is good for life from now on
// (negative: it has ended already).
func (i *Issuer) Token(subject, audience string, life time.Duration) (string, error) {
	now := i.now()
	signed := segment(map[string]string{"alg": "RS256", "kid": "1", "typ": "JWT"}) + "." + segment(map[string]any{
		"iss": i.URL, "sub": subject, "aud": []string{audience}, "iat": now.Unix(),
		"nbf": now.Add(min(0, life)).Unix() - 60, "exp": now.Add(life).Unix(), "jti": newGUID(),
	})
	digest := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(nil, i.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}
