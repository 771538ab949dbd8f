package emulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertion is a client_assertion taken apart (RFC 7523), signature not checked.
type assertion struct {
	header struct {
		Alg     string `json:"alg"`
		Type    string `json:"typ"`
		X5T     string `json:"x5t"`
		X5TS256 string `json:"x5t#S256"`
		KeyID   string `json:"kid"`
	}
	claims struct {
		Issuer   string   `json:"iss"`
		Subject  string   `json:"sub"`
		Audience audience `json:"aud"`
		ID       string   `json:"jti"`
		Before   *int64   `json:"nbf"`
		Expires  *int64   `json:"exp"`
	}
	signed    []byte
	signature []byte
}

// audience is a string or an array of strings (RFC 7519 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

func errAssertionForm(detail string) *aadError {
	return badClient(50027, "JWT token is invalid or malformed. %s", detail)
}

func parseAssertion(text string) (*assertion, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errAssertionForm("It does not have three parts.")
	}
	a := new(assertion)
	var err error
	if err = decodeSegment(parts[0], &a.header); err == nil {
		err = decodeSegment(parts[1], &a.claims)
	}
	if err == nil {
		a.signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	}
	if err != nil {
		return nil, errAssertionForm("It does not decode.")
	}
	a.signed = []byte(parts[0] + "." + parts[1])
	return a, nil
}

// checkAssertion judges a client_assertion: signed by the client's own certificate if
// the client issued it, else a federated token.
func (q *tokenRequest) checkAssertion(text string) error {
	if q.form.Get("client_assertion_type") != assertionType {
		return errMissing("client_assertion_type")
	}
	a, err := parseAssertion(text)
	if err != nil {
		return err
	}
	if strings.EqualFold(a.claims.Issuer, q.clientID) {
		return q.checkCertificate(a)
	}
	return q.checkFederated(a)
}

// checkTimes is AADSTS700024; Entra allows no skew that is documented, so 5 minutes.
func (q *tokenRequest) checkTimes(a *assertion) error {
	const skew = 300
	if a.claims.Expires == nil {
		return errAssertionForm("It has no exp.")
	}
	from := int64(0)
	if a.claims.Before != nil {
		from = *a.claims.Before
	}
	if now := q.now.Unix(); now < *a.claims.Expires+skew && now >= from-skew {
		return nil
	}
	const stamp = "2006-01-02T15:04:05.0000000Z"
	return badClient(700024, "Client assertion is not within its valid time range. Current time: %s, assertion valid "+
		"from %s, expiry time of assertion %s. Review the documentation at "+
		"https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
		q.now.UTC().Format(stamp), time.Unix(from, 0).UTC().Format(stamp),
		time.Unix(*a.claims.Expires, 0).UTC().Format(stamp))
}

// checkCertificate goes by learn.microsoft.com/entra/identity-platform/certificate-credentials.
func (q *tokenRequest) checkCertificate(a *assertion) error {
	if a.header.Alg != "PS256" && a.header.Alg != "RS256" {
		return errAssertionForm("Its alg is neither PS256 nor RS256.")
	}
	if a.header.X5T == "" && a.header.X5TS256 == "" {
		return errAssertionForm("No certificate thumbprint specified in token header.")
	}
	cert := q.app.certificate(a)
	if cert == nil {
		return q.errCertificate("The key was not found.", a.thumbprint(), nil)
	}
	// github.com/silverhack/monkey365/issues/183
	if pub, ok := cert.PublicKey.(*rsa.PublicKey); ok && pub.N.BitLen() < 2048 {
		return badClient(700027, "RSA key size %d is less than the minimum required 2048 bits", pub.N.BitLen())
	}
	if err := verifyRSA(cert.PublicKey, a); err != nil {
		return q.errCertificate("The provided signature value did not match the expected signature value.",
			a.thumbprint(), cert)
	}
	if q.now.After(cert.NotAfter) || q.now.Before(cert.NotBefore) {
		return q.errCertificate("The key used is expired.", a.thumbprint(), cert)
	}
	if err := q.checkOwnClaims(a); err != nil {
		return err
	}
	if err := q.checkTimes(a); err != nil {
		return err
	}
	return q.checkReplay(a)
}

func (q *tokenRequest) errCertificate(reason, thumbprint string, cert *x509.Certificate) error {
	found := ""
	if cert != nil {
		const stamp = "01/02/2006 15:04:05"
		found = fmt.Sprintf(", Found key 'Start=%s, End=%s'", cert.NotBefore.UTC().Format(stamp),
			cert.NotAfter.UTC().Format(stamp))
	}
	return badClient(700027, "The certificate with identifier used to sign the client assertion is not registered on "+
		"application. [Reason - %s, Thumbprint of key used by client: '%s'%s, Please visit the Azure Portal, Graph "+
		"Explorer or directly use MS Graph to see configured keys for app Id '%s'.]",
		reason, thumbprint, found, q.clientID)
}

func (q *tokenRequest) checkOwnClaims(a *assertion) error {
	const docs = "Review the documentation at " +
		"https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials ."
	switch {
	case !strings.EqualFold(a.claims.Subject, q.clientID):
		return badClient(700021, "Client assertion application identifier doesn't match 'client_id' parameter. %s",
			docs)
	case len(a.claims.Audience) != 1 || !q.ownAudience(a.claims.Audience[0]):
		return badClient(700023, "Client assertion audience claim does not match Realm issuer. %s", docs)
	}
	return nil
}

// ownAudience takes the token endpoint as this host or Microsoft's is named, with the
// tenant's id or a domain of it.
func (q *tokenRequest) ownAudience(aud string) bool {
	rest, ok := strings.CutPrefix(aud, "https://")
	host, path, found := strings.Cut(rest, "/")
	tenant, tail, _ := strings.Cut(path, "/")
	if !ok || !found || q.st.Tenant(tenant) != q.tenant || tail != "oauth2/v2.0/token" {
		return false
	}
	return host == q.host || host == "login.microsoftonline.com"
}

// checkReplay refuses a jti that was there before. Entra asks for a new one each time;
// its own refusal is assumed.
func (q *tokenRequest) checkReplay(a *assertion) error {
	if a.claims.ID == "" {
		return errAssertionForm("It has no jti.")
	}
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	for id, end := range q.e.memory.jti {
		if q.now.After(end) {
			delete(q.e.memory.jti, id)
		}
	}
	if _, seen := q.e.memory.jti[a.claims.ID]; seen {
		return errAssertionForm("Its jti was used before.")
	}
	q.e.memory.jti[a.claims.ID] = time.Unix(*a.claims.Expires, 0).Add(10 * time.Minute)
	return nil
}

// thumbprint is the key's as the error messages show it: upper-case hex.
func (a *assertion) thumbprint() string {
	for _, s := range []string{a.header.X5TS256, a.header.X5T} {
		if b, ok := anyBase64(s); ok && s != "" {
			return fmt.Sprintf("%X", b)
		}
	}
	return ""
}

// anyBase64 takes base64url and standard base64, padded or not: MSAL sends the latter.
func anyBase64(s string) ([]byte, bool) {
	s = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(s), "=")
	b, err := base64.RawURLEncoding.DecodeString(s)
	return b, err == nil
}

// certificate finds the app's certificate that the header names. Both thumbprints must
// agree if both are there.
func (a *App) certificate(as *assertion) *x509.Certificate {
	for _, text := range a.Certificates {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		s1, s256 := sha1.Sum(cert.Raw), sha256.Sum256(cert.Raw)
		if sameThumbprint(as.header.X5TS256, s256[:]) && sameThumbprint(as.header.X5T, s1[:]) {
			return cert
		}
	}
	return nil
}

func sameThumbprint(given string, sum []byte) bool {
	b, ok := anyBase64(given)
	return given == "" || ok && string(b) == string(sum)
}

// verifyRSA checks RS256 and PS256 (RFC 7518 3.3, 3.5).
func verifyRSA(key crypto.PublicKey, a *assertion) error {
	pub, ok := key.(*rsa.PublicKey)
	if !ok || pub.Size() < 256 {
		return errors.New("not an RSA key of 2048 bits or more")
	}
	digest := sha256.Sum256(a.signed)
	if a.header.Alg == "PS256" {
		return rsa.VerifyPSS(pub, crypto.SHA256, digest[:], a.signature,
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], a.signature)
}

// AddCertificate registers a certificate (PEM) on the default application, as an upload
// in the portal does.
func (e *Emulator) AddCertificate(pemText string) {
	e.Update(func(s *State) {
		app := s.App(e.ClientID)
		if app.Certificates == nil {
			app.Certificates = map[string]string{}
		}
		app.Certificates[fmt.Sprintf("certificate %d", len(app.Certificates)+1)] = pemText
	})
}
