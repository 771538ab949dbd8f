package spool

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"time"
)

const (
	idTime   = "20060102150405"
	idRandom = 8 // bytes
	idLength = len(idTime) + 1 + 2*idRandom
)

// The suffixes of the names in a spool directory, after the id.
const (
	suffixMessage = ".msg" // an accepted message
	suffixNew     = ".new" // one that is being written; never accepted
	suffixLog     = ".log" // what was said about it; may be lost
)

// NewID makes an id for a message that may come into the spool later. It can't fail: the system's random
// numbers do not (crypto/rand).
func NewID(now time.Time) string {
	id, _ := newID(now, rand.Reader)
	return id
}

// newID makes an id. Its time is for people only.
func newID(now time.Time, random io.Reader) (string, error) {
	var b [idRandom]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("no random queue id: %w", err)
	}
	return now.UTC().Format(idTime) + "-" + hex.EncodeToString(b[:]), nil
}

// ValidID reports whether s has the form of a queue id. Only such a text is ever
// made part of a path.
func ValidID(s string) bool {
	if len(s) != idLength || s[len(idTime)] != '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		digit := '0' <= c && c <= '9'
		switch {
		case i < len(idTime) && !digit:
			return false
		case i > len(idTime) && !digit && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// Key is an id in 16 bytes: a listing of a long queue has one for each message. The first number is its time.
type Key [2]uint64

// ParseKey returns false for a text that is not a queue id.
func ParseKey(id string) (Key, bool) {
	if !ValidID(id) {
		return Key{}, false
	}
	stamp, err1 := strconv.ParseUint(id[:len(idTime)], 10, 64)
	random, err2 := strconv.ParseUint(id[len(idTime)+1:], 16, 64)
	return Key{stamp, random}, err1 == nil && err2 == nil
}

// String is the id.
func (k Key) String() string {
	const digits = "0123456789abcdef"
	var b [idLength]byte
	for i, v := len(idTime)-1, k[0]; i >= 0; i, v = i-1, v/10 {
		b[i] = digits[v%10]
	}
	b[len(idTime)] = '-'
	for i, v := idLength-1, k[1]; i > len(idTime); i, v = i-1, v>>4 {
		b[i] = digits[v&15]
	}
	return string(b[:])
}

// Compare orders keys as their ids are ordered: the oldest first, to the second.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k[0], o[0]), cmp.Compare(k[1], o[1]))
}

// Time is when the id was made, to the second; it serves for ages only. The zero Key has none.
func (k Key) Time() time.Time {
	t, _ := time.Parse(idTime, k.String()[:len(idTime)])
	return t
}

// splitName takes a directory entry apart; ok is false for a foreign name.
func splitName(name string) (id, suffix string, ok bool) {
	if len(name) <= idLength || !ValidID(name[:idLength]) {
		return "", "", false
	}
	id, suffix = name[:idLength], name[idLength:]
	return id, suffix, suffix == suffixMessage || suffix == suffixNew || suffix == suffixLog
}
