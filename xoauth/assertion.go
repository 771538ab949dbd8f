package xoauth

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// assertionLife is the upper end of what Microsoft suggests.
const assertionLife = 10 * time.Minute

// assertion makes a JWT that proves possession of the key to one token endpoint.
func (c *CertificateCredential) assertion(audience, clientID string, now time.Time) (string, error) {
	cert := newest(c.certs, now)
	sum256, sum1 := sha256.Sum256(cert.Raw), sha1.Sum(cert.Raw)
	header := struct {
		Alg     string `json:"alg"`
		Typ     string `json:"typ"`
		X5tS256 string `json:"x5t#S256"`
		X5t     string `json:"x5t,omitempty"`
	}{Alg: c.algorithm, Typ: "JWT", X5tS256: base64.RawURLEncoding.EncodeToString(sum256[:])}
	if c.algorithm == "RS256" { // the older form, known by SHA-1
		header.X5t = base64.RawURLEncoding.EncodeToString(sum1[:])
	}
	claims := struct {
		Aud string `json:"aud"`
		Iss string `json:"iss"`
		Sub string `json:"sub"`
		Jti string `json:"jti"`
		Nbf int64  `json:"nbf"`
		Iat int64  `json:"iat"`
		Exp int64  `json:"exp"`
	}{Aud: audience, Iss: clientID, Sub: clientID, Jti: newGUID(), Nbf: now.Unix(), Iat: now.Unix(),
		Exp: now.Add(assertionLife).Unix()}

	signed, err := joinJSON(header, claims)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(signed))
	signature, err := c.sign(digest[:])
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// sign follows RFC 7518 3.5 (PS256) or 3.3 (RS256).
func (c *CertificateCredential) sign(digest []byte) ([]byte, error) {
	if c.algorithm == "RS256" {
		return rsa.SignPKCS1v15(rand.Reader, c.key, crypto.SHA256, digest)
	}
	return rsa.SignPSS(rand.Reader, c.key, crypto.SHA256, digest,
		&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}

// joinJSON makes the signing input of RFC 7515 5.1.
func joinJSON(header, claims any) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c), nil
}

// newGUID makes a random GUID (RFC 9562 5.4).
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
