package rfc822

import (
	"testing"
	"unicode/utf8"
)

// FuzzEightBitFacts holds the facts that are found in steps, of a text in two pieces, against those found one by one.
func FuzzEightBitFacts(f *testing.F) {
	for _, s := range []string{"", "ascii only, and longer than eight", "Grüße aus Köln", "01234567ü", "ü01234567",
		"0123456\xc3",
		"\xc3\xbc\xc3", "\xff", "01234567\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "日本語のテキスト", "\xc0\x80",
		"Grüße aus Köln, und noch länger als zwei mal zweiunddreißig Bytes, sodass auch die Übergänge stimmen: Äpfel",
		"Широкая электрификация южных губерний даст мощный толчок подъёму сельского хозяйства",
		"\xf0\x9f\x98\x80", "a\x00ü", "\xe6\x97x", "\xf0\x9f\x98"} {
		for cut := range len(s) + 1 {
			f.Add([]byte(s), cut)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		cut = max(0, min(cut, len(text)))
		var got facts
		got.scan(text[:cut])
		got.scan(text[cut:])
		if valid := !got.notUTF8 && got.cut.n == 0; valid != utf8.Valid(text) {
			t.Errorf("%q at %d: valid %v", text, cut, valid)
		}
		var n, nul int64
		for _, c := range text {
			if c == 0 {
				nul++
			}
			n += int64(c >> 7)
		}
		if got.eightBit != n || got.nul != nul || got.bytes != int64(len(text)) {
			t.Errorf("%q at %d: %+v, want %d bytes over 127, %d NUL", text, cut, got, n, nul)
		}
	})
}

// FuzzLeadingPlain holds the run that is found in steps against the one found byte by byte.
func FuzzLeadingPlain(f *testing.F) {
	for c := range 256 {
		for at := range 10 {
			text := []byte("abc def ghi")
			text[at] = byte(c)
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want := 0
		for want < len(text) && (isPlain(text[want]) || text[want] == ' ') {
			want++
		}
		if got := leadingPlain(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	})
}
