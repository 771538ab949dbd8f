package rfc822

import (
	"testing"
	"unicode/utf8"
)

// FuzzEightBitFacts holds the counts made in steps of eight bytes against those made one by one.
func FuzzEightBitFacts(f *testing.F) {
	for _, s := range []string{"", "ascii only, and longer than eight", "Grüße aus Köln", "01234567ü", "ü01234567", "0123456\xc3", "\xc3\xbc\xc3",
		"\xff", "01234567\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "日本語のテキスト", "\xc0\x80"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := validUTF8(text), utf8.Valid(text); got != want {
			t.Errorf("%q: valid %v, want %v", text, got, want)
		}
		var got facts
		got.addEightBit(text)
		var n int64
		var high highBytes
		for _, c := range text {
			n += int64(c >> 7)
			high |= highTable[c]
		}
		if got.eightBit != n || got.high != high {
			t.Errorf("%q: %d and %b, want %d and %b", text, got.eightBit, got.high, n, high)
		}
	})
}
