package rfc822

import (
	"errors"
	"fmt"
)

// ErrSignature is returned when a part that is signed can't go as it is: it has NUL, or 8-bit text for a server
// without 8BITMIME. No server would take it, and any encoding would break the signature (RFC 8551 3.1.3).
var ErrSignature = errors.New("a signed part has bytes that mail can't carry (NUL, or 8-bit text to a server without " +
	"8BITMIME), " +
	"and an encoding would break the signature; encode the part before it is signed")

// TooLargeError says that a message or its header passed a limit.
type TooLargeError struct {
	What  string // "message" or "header"
	Limit int64  // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the %s is larger than %d bytes", e.What, e.Limit)
}

// AddressError says what is wrong with one address.
type AddressError struct {
	Text    string // as it was given
	Problem string
}

func (e *AddressError) Error() string {
	text := e.Text
	if len(text) > 100 {
		text = text[:100] + "..."
	}
	return fmt.Sprintf("address %q: %s", text, e.Problem)
}
