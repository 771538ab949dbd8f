package rfc822

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// facts is what decides how a run of octets can be sent.
type facts struct {
	octets   int64
	lines    int64
	longest  int64 // octets of the longest line, without CRLF
	line     int64 // octets of the line so far
	eightBit int64 // octets over 127
	high     highBytes
	nul      int64
	utf8     utf8Check
}

// add takes the next piece of a body in wire form.
func (f *facts) add(p piece) {
	text := p.text
	if p.eol {
		text = bytes.TrimSuffix(text, []byte("\r\n"))
	}
	f.octets += int64(len(p.text))
	f.line += int64(len(text))
	f.longest = max(f.longest, f.line)
	if p.eol {
		f.line = 0
		f.lines++
	}
	if bytes.IndexByte(text, 0) >= 0 {
		f.nul += int64(bytes.Count(text, []byte{0}))
	}
	if hasEightBit(text) {
		f.addEightBit(text)
		f.utf8.add(text)
	} else if len(text) > 0 && len(f.utf8.rest) > 0 {
		f.utf8.bad = true
	}
	if p.eol && len(f.utf8.rest) > 0 {
		f.utf8.bad = true
	}
}

// addEightBit counts the bytes over 127 and notes which there are. Most text has few: eight bytes without any are
// passed over at once.
func (f *facts) addEightBit(text []byte) {
	n, high := 0, f.high
	for len(text) >= 8 {
		if over := binary.LittleEndian.Uint64(text) & highBits; over != 0 {
			n += bits.OnesCount64(over)
			for _, c := range text[:8] {
				high |= highTable[c]
			}
		}
		text = text[8:]
	}
	for _, c := range text {
		n += int(c >> 7)
		high |= highTable[c]
	}
	f.eightBit, f.high = f.eightBit+int64(n), high
}

// highBits are those of eight bytes over 127.
const highBits = 0x8080808080808080

// validUTF8 is utf8.Valid, which passes over ASCII in steps of eight bytes only before the first other character.
func validUTF8(text []byte) bool {
	for len(text) > 0 {
		if len(text) >= 8 && binary.LittleEndian.Uint64(text)&highBits == 0 {
			text = text[8:]
			continue
		}
		if text[0] < utf8.RuneSelf {
			text = text[1:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		text = text[n:]
	}
	return true
}

// dense reports whether base64 is shorter than quoted-printable would be.
func (f *facts) dense() bool { return (f.nul+f.eightBit)*6 > f.octets }

// charset names the charset of the text; own is what it names itself.
func (f *facts) charset(own string) string {
	if f.eightBit == 0 {
		if kindOf(own) == charsetUnknown {
			return "us-ascii"
		}
		return own
	}
	high := f.high
	if f.utf8.bad || len(f.utf8.rest) > 0 {
		high |= highNotValid
	}
	return high.charset(own)
}

// utf8Check reports whether text is UTF-8, piece by piece.
type utf8Check struct {
	rest []byte // an unfinished character
	bad  bool
}

func (u *utf8Check) add(text []byte) {
	if u.bad {
		return
	}
	if len(u.rest) > 0 {
		text = append(u.rest, text...)
	}
	n := len(text)
	for n > 0 && len(text)-n < utf8.UTFMax && !utf8.RuneStart(text[n-1]) {
		n--
	}
	if n > 0 && !utf8.FullRune(text[n-1:]) {
		n--
	} else {
		n = len(text)
	}
	u.bad = !validUTF8(text[:n])
	if u.rest = nil; n < len(text) {
		u.rest = bytes.Clone(text[n:])
	}
}
