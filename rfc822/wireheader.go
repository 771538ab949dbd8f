package rfc822

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// appendWire appends the field as it goes out: unchanged if it can go, else in ASCII and with
// lines of at most 998 bytes. own is the charset that the message names for its text. smtputf8 tells that an
// address stayed as it is because it is not ASCII.
func (f Field) appendWire(dst []byte, own string) (out []byte, smtputf8 bool) {
	if !hasEightBit(f.raw) {
		if longestLine(f.raw) <= maxLine {
			return append(dst, f.raw...), false
		}
		return f.appendShortened(dst), false
	}
	name := bytes.Map(func(r rune) rune { // nothing can encode a name
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, f.raw[:f.name])
	value := string(f.unfolded())
	encoded := ""
	switch {
	case f.isAddress():
		encoded, smtputf8 = encodeAddresses(escapeTrails(value, own, true), own)
	case f.is("Content-Type") || f.is("Content-Disposition"):
		encoded = encodeParams(escapeTrails(value, own, false), own)
	case f.isStructured():
		encoded = encodeStructured(value, own)
	default:
		encoded = encodeText(value, own)
	}
	line := make([]byte, 0, len(name)+1+len(encoded))
	line = append(line, name...)
	line = append(line, ':')
	line = append(line, encoded...)
	return appendFolded(dst, line, len(name)+1), smtputf8
}

// appendShortened appends an ASCII field, its long lines folded and the others as they are.
func (f Field) appendShortened(dst []byte) []byte {
	start := len(f.raw) - len(f.content())
	for rest := f.raw; len(rest) > 0; start = 0 {
		i := bytes.IndexByte(rest, '\n') + 1
		if line := rest[:i-len("\r\n")]; len(line) > maxLine {
			dst = appendFolded(dst, line, start)
		} else {
			dst = append(dst, rest[:i]...)
		}
		rest = rest[i:]
	}
	return dst
}

// longestLine returns the bytes of the longest line, without its CRLF.
func longestLine(raw []byte) int {
	longest := 0
	for len(raw) > longest {
		i := bytes.IndexByte(raw, '\n') + 1
		if i == 0 {
			return max(longest, len(raw))
		}
		longest = max(longest, i-len("\r\n"))
		raw = raw[i:]
	}
	return longest
}

func (f Field) isAddress() bool {
	return slices.ContainsFunc([]string{
		"From", "Sender", "Reply-To", "To", "Cc", "Bcc",
		"Resent-From", "Resent-Sender", "Resent-Reply-To", "Resent-To", "Resent-Cc", "Resent-Bcc",
		"Errors-To", "Return-Path", "Return-Receipt-To", "Disposition-Notification-To",
		"Delivered-To", "X-Original-To", "Mail-Followup-To", "Mail-Reply-To", "Apparently-To",
	}, f.is)
}

// isStructured reports whether encoded words may stand in the field's comments only
// (RFC 2047 5).
func (f Field) isStructured() bool {
	return slices.ContainsFunc([]string{
		"Message-ID", "In-Reply-To", "References", "Resent-Message-ID", "Content-ID",
		"Received", "Date", "Resent-Date", "MIME-Version", "Content-Transfer-Encoding", "DKIM-Signature",
	}, f.is)
}

// escapeEightBit writes bytes over 127 as mark and two digits, for places where nothing can be
// declared. The mark has to be one that may stand there: "=" in an atom (RFC 5322 3.2.3), "_"
// in a token (RFC 2045 5.1).
func escapeEightBit(s []byte, mark byte) []byte {
	if !hasEightBit(s) {
		return s
	}
	var out []byte
	for _, c := range s {
		if c >= 0x80 {
			out = append(out, mark, hexDigits[c>>4], hexDigits[c&15])
		} else {
			out = append(out, c)
		}
	}
	return out
}
