package xoauth

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is text that no print, log or encoding shows. The zero value is empty.
type Secret struct{ text string }

// NewSecret wraps text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text. Whoever calls it answers for where the text goes.
func (s Secret) Reveal() string { return s.text }

// Empty tells whether there is any text.
func (s Secret) Empty() bool { return s.text == "" }

// Format covers every verb of package fmt, %#v and %x among them.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns a fixed word.
func (s Secret) String() string { return redacted }

// MarshalText returns a fixed word, for encoding/json, TOML and their like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns a fixed word.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// UnmarshalText takes the text, for a configuration file.
func (s *Secret) UnmarshalText(text []byte) error {
	s.text = string(text)
	return nil
}
