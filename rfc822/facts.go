package rfc822

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// facts is what decides how a run of bytes can be sent.
type facts struct {
	bytes    int64
	lines    int64
	longest  int64 // bytes of the longest line, without CRLF
	line     int64 // bytes of the line so far
	nul      int64
	eightBit int64 // bytes over 127
	notUTF8  bool
	cut      utf8Cut
}

// utf8Cut is the beginning of a character whose rest is in the next piece.
type utf8Cut struct {
	bytes [utf8.UTFMax - 1]byte
	n     int
}

// add takes the next piece of a body in wire form.
func (f *facts) add(p piece) {
	n := int64(len(p.text))
	if p.eol {
		n -= int64(len("\r\n"))
	}
	f.line += n
	f.longest = max(f.longest, f.line)
	if p.eol {
		f.line = 0
		f.lines++
	}
	f.scan(p.text)
}

// scan takes the next text, whatever its lines are.
func (f *facts) scan(text []byte) {
	f.bytes += int64(len(text))
	if bytes.IndexByte(text, 0) >= 0 {
		f.nul += int64(bytes.Count(text, []byte{0}))
	}
	if f.cut.n > 0 {
		text = f.complete(text)
	}
	switch {
	case !hasEightBit(text):
	case f.notUTF8:
		f.eightBit += countEightBit(text)
	default:
		f.scanEightBit(text)
	}
}

// merge adds the facts of whole lines that follow.
func (f *facts) merge(g *facts) {
	f.bytes += g.bytes
	f.lines += g.lines
	f.longest = max(f.longest, g.longest)
	f.nul += g.nul
	f.eightBit += g.eightBit
	f.notUTF8 = f.notUTF8 || g.notUTF8
}

// scanEightBit counts the bytes over 127 and sees whether they are UTF-8.
func (f *facts) scanEightBit(text []byte) {
	for i := 0; i < len(text) && !f.notUTF8; {
		i += f.scanPairs(text[i:])
		for more := true; more && i < len(text); {
			c := text[i]
			if c < utf8.RuneSelf {
				i++
				continue
			}
			if 0xe1 <= c && c < 0xf0 && c != 0xed && len(text)-i > 2 && text[i+1]&0xc0 == 0x80 &&
				text[i+2]&0xc0 == 0x80 {
				f.eightBit += 3
				i += 3
				continue
			}
			_, size := utf8.DecodeRune(text[i:])
			switch {
			case size > 1:
				f.eightBit += int64(size)
			case utf8.FullRune(text[i:]):
				f.notUTF8 = true
				f.eightBit += countEightBit(text[i:])
			default:
				size = copy(f.cut.bytes[:], text[i:])
				f.cut.n = size
				f.eightBit += int64(size)
			}
			i += size
			more = size > 2
		}
	}
}

// scanPairs is scanEightBit for ASCII and characters of two bytes (C2 to DF, 80 to BF), which most text consists of,
// eight bytes at a time and without a branch that depends on them. It stops before anything else, and near
// the end, and returns how much it looked at.
func (f *facts) scanPairs(text []byte) (n int) {
	open := uint64(0) // 80 where the last byte before the next begins a character
	for ; len(text)-n >= 32; n += 32 {
		block := text[n : n+32]
		a, wrongA := pairs(binary.LittleEndian.Uint64(block), open)
		b, wrongB := pairs(binary.LittleEndian.Uint64(block[8:]), a>>56)
		c, wrongC := pairs(binary.LittleEndian.Uint64(block[16:]), b>>56)
		d, wrongD := pairs(binary.LittleEndian.Uint64(block[24:]), c>>56)
		if wrongA|wrongB|wrongC|wrongD != 0 {
			break
		}
		leads := a>>7 + b>>7 + c>>7 + d>>7
		f.eightBit += 2 * int64(leads*eachByte>>56) // the sum of its bytes
		open = d >> 56
	}
	if open != 0 {
		n--
		f.eightBit -= 2
	}
	return n
}

// pairs looks at eight bytes: lead has the highest bit of each that begins a character of two, and wrong is 0 if
// they are ASCII and such characters. last is 80 if the byte before them begins one.
func pairs(x, last uint64) (lead, wrong uint64) {
	high := x & highBits
	lead = high & (x << 1)
	next := high &^ (x << 1)
	fit := x&(0x1e*eachByte) + 0x7e*eachByte // has no highest bit for C0 and C1
	return lead, next ^ (lead<<8 | last) | lead&(x<<2) | lead&^fit
}

// complete takes what belongs to the cut character, which was counted, and returns the text behind it.
func (f *facts) complete(text []byte) []byte {
	char := append(make([]byte, 0, 2*utf8.UTFMax), f.cut.bytes[:f.cut.n]...)
	char = append(char, text[:min(len(text), utf8.UTFMax-1)]...)
	used := 0
	if !utf8.FullRune(char) {
		used = len(text)
		f.cut.n = copy(f.cut.bytes[:], char)
	} else {
		if _, size := utf8.DecodeRune(char); size > 1 {
			used = size - f.cut.n
		} else {
			f.notUTF8 = true
		}
		f.cut.n = 0
	}
	f.eightBit += countEightBit(text[:used])
	return text[used:]
}

// countEightBit counts the bytes over 127.
func countEightBit(text []byte) (n int64) {
	for ; len(text) >= 8; text = text[8:] {
		n += int64(bits.OnesCount64(binary.LittleEndian.Uint64(text) & highBits))
	}
	for _, c := range text {
		n += int64(c >> 7)
	}
	return n
}

// eachByte is 1 in each of eight bytes, and highBits the bit of those over 127.
const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
)

// dense reports whether base64 is shorter than quoted-printable would be.
func (f *facts) dense() bool { return (f.nul+f.eightBit)*6 > f.bytes }
