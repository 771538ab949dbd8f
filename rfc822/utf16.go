package rfc822

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// wideOrder is the byte order of UTF-16 text, nil for text that is not UTF-16.
type wideOrder = binary.ByteOrder

// markedOrder returns the byte order that a byte order mark at the start of p says (RFC 2781 3.2), if the character
// behind it has a zero byte: no other charset has one there.
func markedOrder(p []byte) wideOrder {
	switch {
	case len(p) < 4:
	case p[0] == 0xff && p[1] == 0xfe && p[2] != 0 && p[3] == 0:
		return binary.LittleEndian
	case p[0] == 0xfe && p[1] == 0xff && p[2] == 0 && p[3] != 0:
		return binary.BigEndian
	}
	return nil
}

// labelledOrder returns the byte order of text that names UTF-16 as its charset. Without a mark the line ends and
// ASCII characters in it show it: their high byte is zero. Text without a zero is not UTF-16.
func labelledOrder(charset string, p []byte) wideOrder {
	charset = strings.ToLower(charset)
	if kindOf(charset) != charsetWide || strings.Contains(charset, "32") || strings.Contains(charset, "4") {
		return nil
	}
	if order := markedOrder(p); order != nil {
		return order
	}
	var zeros [2]int
	for i, c := range p[:min(len(p), 512)] {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch {
	case zeros[1] > zeros[0]:
		return binary.LittleEndian
	case zeros[0] > 0:
		return binary.BigEndian
	}
	return nil
}

// wideReader reads UTF-16 as UTF-8, without its byte order mark.
type wideReader struct {
	in    *input
	order wideOrder
	begun bool
	lead  rune // the first half of a surrogate pair
	out   []byte
}

// Read implements io.Reader.
func (w *wideReader) Read(p []byte) (int, error) {
	for len(w.out) == 0 {
		b := w.in.pending()
		if len(b) < 2 {
			if !w.in.more() {
				if len(b) == 0 && w.lead == 0 {
					return 0, w.in.err
				}
				w.in.take(len(b))
				w.lead, w.out = 0, utf8.AppendRune(nil, utf8.RuneError)
			}
			continue
		}
		b = b[:min(len(b)&^1, pieceSize)]
		w.in.take(len(b))
		w.decode(b)
	}
	n := copy(p, w.out)
	w.out = w.out[n:]
	return n, nil
}

// decode writes whole code units as UTF-8.
func (w *wideReader) decode(b []byte) {
	w.out = w.out[:0]
	for ; len(b) > 0; b = b[2:] {
		r := rune(w.order.Uint16(b))
		first := !w.begun
		w.begun = true
		switch {
		case first && r == '\ufeff':
		case w.lead != 0:
			pair := utf16.DecodeRune(w.lead, r)
			w.lead = 0
			w.out = utf8.AppendRune(w.out, pair)
			if pair == utf8.RuneError && !utf16.IsSurrogate(r) {
				w.out = utf8.AppendRune(w.out, r)
			}
		case 0xd800 <= r && r < 0xdc00:
			w.lead = r
		default:
			w.out = utf8.AppendRune(w.out, r)
		}
	}
}

// plainInput returns the input of a message as a whole, which programs of Windows write in UTF-16.
func plainInput(in *input) *input {
	for p := in.pending(); (len(p) == 0 || len(p) < 4 && p[0] >= 0xfe) && in.more(); {
		p = in.pending()
	}
	if order := markedOrder(in.pending()); order != nil {
		return newInput(&wideReader{in: in, order: order}, false)
	}
	return in
}

// plainBody returns the input of a body, of which UTF-16 has no place in a message (RFC 2781 4): its line ends are not
// those of mail. It is written as UTF-8, and the header says so.
func plainBody(in *input, h *Header) (*input, bool) {
	value, has := h.Get("Content-Type")
	ct := parseContentType(value)
	label, _ := h.Get("Content-Transfer-Encoding")
	if has && !strings.HasPrefix(ct.media, "text/") || parseTransferEncoding(label) != encodingIdentity {
		return in, false
	}
	for len(in.pending()) < 4 && in.more() {
	}
	order := markedOrder(in.pending())
	if order == nil {
		order = labelledOrder(ct.charset, in.pending())
	}
	if order == nil {
		return in, false
	}
	if has {
		h.Set("Content-Type", setParam(value, "charset", "utf-8"))
	}
	return newInput(&wideReader{in: in, order: order}, false), true
}
