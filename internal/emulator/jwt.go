package emulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// tokenKey signs access tokens. Making it takes longer than all the rest of an
// emulator's start, so the process makes one, when the first token is asked for.
var tokenKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(fmt.Sprintf("emulator: making an RSA key: %v", err))
	}
	return key
})

// tokenKeyID is the kid and x5t of access tokens.
var tokenKeyID = sync.OnceValue(func() string {
	sum := sha1.Sum(tokenKey().N.Bytes())
	return base64.RawURLEncoding.EncodeToString(sum[:])
})

// claims are those of an Exchange access token, which is a v1.0 token
// (learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
type claims struct {
	Audience string   `json:"aud"`
	Issuer   string   `json:"iss"`
	IssuedAt int64    `json:"iat"`
	Before   int64    `json:"nbf"`
	Expires  int64    `json:"exp"`
	AIO      string   `json:"aio,omitempty"`
	AppName  string   `json:"app_displayname,omitempty"`
	AppID    string   `json:"appid"`
	AppIDACR string   `json:"appidacr"`
	IDP      string   `json:"idp,omitempty"`
	IDType   string   `json:"idtyp"`
	ObjectID string   `json:"oid"`
	RH       string   `json:"rh,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Scopes   string   `json:"scp,omitempty"`
	SID      string   `json:"sid,omitempty"`
	Subject  string   `json:"sub"`
	TenantID string   `json:"tid"`
	UPN      string   `json:"upn,omitempty"`
	UTI      string   `json:"uti"`
	Version  string   `json:"ver"`
	WIDs     []string `json:"wids,omitempty"`
	XMS      string   `json:"xms_spcu,omitempty"`
	Padding  string   `json:"xms_ftd,omitempty"`
}

func (c *claims) hasRole(role string) bool {
	for _, r := range c.Roles {
		if r == role {
			return true
		}
	}
	return false
}

// signToken makes an access token of at least size bytes, about.
func signToken(c claims, size int) string {
	if short := size - len(encodeToken(c)); short > 0 {
		c.Padding = randomText(max(short*3/4-len(`,"xms_ftd":""`), 1))
	}
	return encodeToken(c)
}

// tokenHeader has the members in the order of real tokens: readers and secret scanners
// know them by their first letters, eyJ0eXAiOiJKV1QiLCJub25jZSI6.
type tokenHeader struct {
	Type  string `json:"typ"`
	Nonce string `json:"nonce"`
	Alg   string `json:"alg"`
	X5T   string `json:"x5t"`
	KeyID string `json:"kid"`
}

func encodeToken(c claims) string {
	nonce := randomText(43)
	header := func(nonce string) string {
		return segment(tokenHeader{"JWT", nonce, "RS256", tokenKeyID(), tokenKeyID()})
	}
	payload := segment(c)
	// As at Microsoft, a header with a nonce is signed with the nonce's hash in its
	// place: only the resource can verify the token.
	digest := sha256.Sum256([]byte(header(hashNonce(nonce)) + "." + payload))
	sig, err := rsa.SignPKCS1v15(nil, tokenKey(), crypto.SHA256, digest[:])
	if err != nil {
		panic(fmt.Sprintf("emulator: signing a token: %v", err))
	}
	return header(nonce) + "." + payload + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func hashNonce(nonce string) string {
	sum := sha256.Sum256([]byte(nonce))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("emulator: encoding a token: %v", err))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

var errToken = errors.New("not a token of this tenant's issuer")

// verifyToken checks form, signature and times of an access token.
func verifyToken(token string, now time.Time) (*claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errToken
	}
	var header tokenHeader
	if err := decodeSegment(parts[0], &header); err != nil || header.Alg != "RS256" || header.KeyID != tokenKeyID() {
		return nil, errToken
	}
	header.Nonce = hashNonce(header.Nonce)
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, errToken
	}
	digest := sha256.Sum256([]byte(segment(header) + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&tokenKey().PublicKey, crypto.SHA256, digest[:], sig); err != nil {
		return nil, fmt.Errorf("signature of the access token: %w", err)
	}
	c := new(claims)
	if err := decodeSegment(parts[1], c); err != nil {
		return nil, errToken
	}
	return c, c.inTime(now)
}

func (c *claims) inTime(now time.Time) error {
	switch {
	case now.Unix() >= c.Expires:
		return errors.New("the access token has expired")
	case now.Unix() < c.Before-300:
		return errors.New("the access token is not valid yet")
	}
	return nil
}

func decodeSegment(s string, v any) error {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
