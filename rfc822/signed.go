package rfc822

import (
	"bytes"
	"slices"
	"strings"
)

// signatureFields are the fields whose signature covers other fields and the body (RFC 6376, RFC 8617, RFC 4870).
var signatureFields = [...]string{"DKIM-Signature", "ARC-Message-Signature", "DomainKey-Signature"}

// covered reports whether a signature in the header covers the body.
func covered(h *Header) bool { return slices.ContainsFunc(signatureFields[:], h.Has) }

// signature is what has to be known of a signature field to see whether it holds.
type signature struct {
	field, domain string
	names         []string // of the fields that it covers, one for each
	exact         bool     // their white space counts (RFC 6376 3.4.1)
}

// signatureOf reads a signature field (RFC 6376 3.5).
func signatureOf(f Field) signature {
	s := signature{field: f.Name(), exact: true}
	for tag := range strings.SplitSeq(f.Value(), ";") {
		name, value, _ := strings.Cut(tag, "=")
		value = strings.Join(strings.Fields(value), "")
		switch strings.TrimSpace(name) {
		case "d":
			s.domain = value
		case "c":
			s.exact = strings.HasPrefix(value, "simple")
		case "h":
			s.names = strings.Split(value, ":")
		}
	}
	if !f.is("DKIM-Signature") {
		s.exact = false
	}
	return s
}

// broken returns the names of the covered fields that are not in after what they were in before. A field
// that is named n times is covered n times from the last one up, those that do not exist included (RFC 6376 5.4.2).
func (s signature) broken(before, after []Field) []string {
	var names []string
	times := make(map[string]int)
	for _, name := range s.names {
		times[strings.ToLower(name)]++
	}
	for _, name := range s.names {
		n := times[strings.ToLower(name)]
		delete(times, strings.ToLower(name))
		if n > 0 && !slices.EqualFunc(last(before, name, n), last(after, name, n), s.same) {
			names = append(names, name)
		}
	}
	return names
}

// last returns the last n fields of a name.
func last(fields []Field, name string, n int) (found []Field) {
	for i := len(fields) - 1; i >= 0 && len(found) < n; i-- {
		if fields[i].is(name) {
			found = append(found, fields[i])
		}
	}
	return found
}

// same reports whether two fields of one name are the same to the signature.
func (s signature) same(a, b Field) bool {
	if s.exact {
		return bytes.Equal(a.raw, b.raw)
	}
	return slices.EqualFunc(bytes.Fields(a.unfolded()), bytes.Fields(b.unfolded()), bytes.Equal)
}

// brokenSignatures says of each signature in the header what it covers that has changed, for a log.
func brokenSignatures(before, after []Field, body bool) (texts []string) {
	const most = 5
	for _, f := range before {
		if !slices.ContainsFunc(signatureFields[:], f.is) {
			continue
		}
		s := signatureOf(f)
		changed := s.broken(before, after)
		if body {
			changed = append(changed, "the body")
		}
		if len(changed) == 0 {
			continue
		}
		by := ""
		if s.domain != "" && isToken(s.domain) && len(s.domain) <= 255 {
			by = " of " + s.domain
		}
		texts = append(texts, "the "+s.field+by+" does not hold after the change of "+
			strings.Join(changed[:min(len(changed), most)], ", "))
	}
	return texts[:min(len(texts), most)]
}
