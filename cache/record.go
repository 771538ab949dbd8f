package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"o365-sendmail/xoauth"
)

// A cache file is one JSON object on one line:
//
//	{"version":1,"sum":"<hex sha256 of the body's bytes>","body":{...}}
//
// The frame is matched byte by byte: only this package writes it.
const (
	framePrefix = `{"version":1,"sum":"`
	frameMiddle = `","body":`
	frameSuffix = "}\n"
	sumLength   = 2 * sha256.Size
)

const (
	maxFile  = 128 << 10           // bytes of a cache file; Entra's tokens are 1.5 to 8 KiB
	maxToken = 64 << 10            // bytes of a token
	maxLife  = 31 * 24 * time.Hour // of a token; the longest real ones live 28 hours
)

// Key tells one token from another. None of its fields is a secret.
type Key struct {
	// Authority is the login host or token URL.
	Authority string `json:"authority"`
	// Tenant is the directory's id or domain.
	Tenant string `json:"tenant"`
	// ClientID is the application's id.
	ClientID string `json:"client_id"`
	// Scope is what the token is good for.
	Scope string `json:"scope"`
	// Credential is the credential's fingerprint: a new secret gets a file of its own.
	Credential string `json:"credential"`
}

// name is the stem of the key's file names. Lengths go into the hash so that no two keys share one.
func (k Key) name() string {
	buf := make([]byte, 0, 256)
	for _, f := range [...]string{k.Authority, k.Tenant, k.ClientID, k.Scope, k.Credential} {
		buf = strconv.AppendInt(buf, int64(len(f)), 10)
		buf = append(buf, ':')
		buf = append(buf, f...)
	}
	sum := sha256.Sum256(buf)
	return hex.EncodeToString(sum[:])
}

// tokenRecord is the body of a token file.
type tokenRecord struct {
	Key       Key       `json:"key"`
	Token     string    `json:"token"`
	Obtained  time.Time `json:"obtained"`
	Expiry    time.Time `json:"expiry"`
	RefreshAt time.Time `json:"refresh_at,omitzero"`
	stamp
}

// token returns the record in the caller's form.
func (r *tokenRecord) token() xoauth.Token {
	return xoauth.Token{
		Access:    xoauth.NewSecret(r.Token),
		Obtained:  r.Obtained,
		Expiry:    r.Expiry,
		RefreshAt: r.RefreshAt,
	}
}

var (
	errFrame   = errors.New("not a cache file of this version")
	errSum     = errors.New("checksum does not match")
	errForeign = errors.New("file belongs to another key")
	errContent = errors.New("impossible content")
)

// seal puts body into the frame.
func seal(body []byte) []byte {
	sum := sha256.Sum256(body)
	out := make([]byte, 0, len(framePrefix)+sumLength+len(frameMiddle)+len(body)+len(frameSuffix))
	out = append(out, framePrefix...)
	out = hex.AppendEncode(out, sum[:])
	out = append(out, frameMiddle...)
	out = append(out, body...)
	return append(out, frameSuffix...)
}

// unseal checks the frame and the sum and returns the body, a part of data.
func unseal(data []byte) ([]byte, error) {
	const head = len(framePrefix) + sumLength + len(frameMiddle)
	if len(data) < head+len(frameSuffix) || len(data) > maxFile ||
		string(data[:len(framePrefix)]) != framePrefix ||
		string(data[len(framePrefix)+sumLength:head]) != frameMiddle ||
		string(data[len(data)-len(frameSuffix):]) != frameSuffix {
		return nil, errFrame
	}
	body := data[head : len(data)-len(frameSuffix)]
	sum := sha256.Sum256(body)
	var want [sumLength]byte
	hex.Encode(want[:], sum[:])
	if string(data[len(framePrefix):len(framePrefix)+sumLength]) != string(want[:]) {
		return nil, errSum
	}
	return body, nil
}

// encodeToken makes the content of a token file.
func encodeToken(r *tokenRecord) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return seal(body), nil
}

// decodeToken reads the content of a token file made for k. It says nothing about freshness.
func decodeToken(data []byte, k Key) (*tokenRecord, error) {
	body, err := unseal(data)
	if err != nil {
		return nil, err
	}
	r := new(tokenRecord)
	if err := json.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("%w: %w", errContent, err)
	}
	if r.Key != k {
		return nil, errForeign
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// check refuses what no token endpoint can have given.
func (r *tokenRecord) check() error {
	life := r.Expiry.Sub(r.Obtained)
	if r.Obtained.IsZero() || life <= 0 || life > maxLife || !isBearer(r.Token) {
		return errContent
	}
	return nil
}

// isBearer reports whether s can stand in an HTTP or SASL bearer line (RFC 6750 2.1).
func isBearer(s string) bool {
	if s == "" || len(s) > maxToken {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
