package rfc822

import (
	"bytes"
	"slices"
	"strings"
)

// Header is the header of a message: fields in their order. The zero value is empty.
type Header struct{ fields []Field }

// Field is one field of a header.
type Field struct {
	raw  []byte // with the line end of each of its lines, CRLF
	name int    // bytes of the name
}

// Name returns the name as it was written.
func (f Field) Name() string { return string(f.raw[:f.name]) }

// Value returns what stands after the colon, unfolded (RFC 5322 2.2.3) and
// without white space around it. Encoded words stay as they are.
func (f Field) Value() string { return string(bytes.Trim(f.unfolded(), " \t")) }

// Raw returns the field as it stands in the message, lines ending in CRLF. It must not be
// changed.
func (f Field) Raw() []byte { return f.raw }

// is reports whether the field has a name, whatever the case of its letters.
func (f Field) is(name string) bool {
	return f.name == len(name) && equalFold(f.raw[:f.name], name)
}

// content returns the bytes after the colon, folded as they are.
func (f Field) content() []byte {
	return f.raw[f.name+bytes.IndexByte(f.raw[f.name:], ':')+1:]
}

func (f Field) unfolded() []byte {
	v := bytes.TrimSuffix(f.content(), []byte("\r\n"))
	if bytes.IndexByte(v, '\n') < 0 {
		return v
	}
	return bytes.ReplaceAll(v, []byte("\r\n"), nil)
}

// equalFold compares ASCII without case. (bytes.EqualFold also takes the Kelvin sign for a k.)
func equalFold(a []byte, b string) bool {
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// Message returns a message with a copy of the header, and without a body.
func (h *Header) Message() *Message {
	return &Message{Header: &Header{fields: h.Fields()}, body: bytes.NewReader(nil), close: func() error { return nil }}
}

// Fields returns the fields in their order.
func (h *Header) Fields() []Field { return slices.Clone(h.fields) }

// Get returns the value of the first field of that name.
func (h *Header) Get(name string) (string, bool) {
	if i := h.index(name); i >= 0 {
		return h.fields[i].Value(), true
	}
	return "", false
}

// Has reports whether there is a field of that name.
func (h *Header) Has(name string) bool { return h.index(name) >= 0 }

// All returns the values of all fields of that name.
func (h *Header) All(name string) []string {
	var values []string
	for _, f := range h.fields {
		if f.is(name) {
			values = append(values, f.Value())
		}
	}
	return values
}

func (h *Header) index(name string) int {
	return slices.IndexFunc(h.fields, func(f Field) bool { return f.is(name) })
}

// Prepend adds a field at the top, folded. CR, LF and NUL in value become spaces.
func (h *Header) Prepend(name, value string) {
	h.fields = slices.Insert(h.fields, 0, newField(name, value))
}

// Append adds a field at the bottom, folded. CR, LF and NUL in value become spaces.
func (h *Header) Append(name, value string) {
	h.fields = append(h.fields, newField(name, value))
}

// Set gives a field a value, folded: it replaces the first field of that name where it
// stands, drops the others, and appends one when there is none.
func (h *Header) Set(name, value string) {
	i := h.index(name)
	if i < 0 {
		h.Append(name, value)
		return
	}
	h.fields[i] = newField(name, value)
	rest := slices.DeleteFunc(h.fields[i+1:], func(f Field) bool { return f.is(name) })
	h.fields = h.fields[:i+1+len(rest)]
}

// Edit gives each field of that name the value that edit returns for its own, folded. A field
// whose value stays is left as it is.
func (h *Header) Edit(name string, edit func(value string) string) {
	for i, f := range h.fields {
		if !f.is(name) {
			continue
		}
		old := f.Value()
		if value := edit(old); value != old {
			h.fields[i] = newField(f.Name(), value)
		}
	}
}

// Remove drops all fields of that name and returns how many there were.
func (h *Header) Remove(name string) int {
	before := len(h.fields)
	h.fields = slices.DeleteFunc(h.fields, func(f Field) bool { return f.is(name) })
	return before - len(h.fields)
}

// RemoveBcc drops what names hidden recipients.
func (h *Header) RemoveBcc() {
	h.Remove("Bcc")
	h.Remove("Resent-Bcc")
}

// Received returns the number of Received fields, which is the number of hops so far
// (RFC 5321 6.3).
func (h *Header) Received() int {
	n := 0
	for _, f := range h.fields {
		if f.is("Received") {
			n++
		}
	}
	return n
}

// size returns the bytes of all fields.
func (h *Header) size() int {
	n := 0
	for _, f := range h.fields {
		n += len(f.raw)
	}
	return n
}

// newField makes a field of a value that may contain anything.
func newField(name, value string) Field {
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || r == ':' {
			return -1
		}
		return r
	}, name)
	line := make([]byte, 0, len(name)+len(value)+8)
	line = append(line, name...)
	line = append(line, ": "...)
	for i := range len(value) {
		c := value[i]
		if c == '\r' || c == '\n' || c == 0 {
			c = ' '
		}
		line = append(line, c)
	}
	return Field{raw: appendFolded(nil, bytes.TrimRight(line, " \t"), len(name)+1), name: len(name)}
}
