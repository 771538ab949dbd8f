package spool

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"
)

const (
	idTime   = "20060102150405"
	idRandom = 8 // octets
	idLength = len(idTime) + 1 + 2*idRandom
)

// The suffixes of the names in a spool directory, after the id.
const (
	suffixMessage = ".msg" // an accepted message
	suffixNew     = ".new" // one that is being written; never accepted
	suffixLog     = ".log" // what was said about it; may be lost
)

// newID makes an id. Its time is for people only.
func newID(now time.Time, random io.Reader) (string, error) {
	var b [idRandom]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("no random queue id: %w", err)
	}
	return now.UTC().Format(idTime) + "-" + hex.EncodeToString(b[:]), nil
}

// ValidID tells whether s has the form of a queue id. Only such a text is ever
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

// splitName takes a directory entry apart; ok is false for a foreign name.
func splitName(name string) (id, suffix string, ok bool) {
	if len(name) <= idLength || !ValidID(name[:idLength]) {
		return "", "", false
	}
	id, suffix = name[:idLength], name[idLength:]
	return id, suffix, suffix == suffixMessage || suffix == suffixNew || suffix == suffixLog
}
