package rfc822

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzOutline holds what is sent of a body whose facts were gathered while it came in against what is sent of one
// that is read once more.
func FuzzOutline(f *testing.F) {
	const mixed = "Content-Type: multipart/mixed; boundary=b\n\n"
	for _, s := range []string{
		"\n\xfcber\n", "\nGr\u00fc\u00dfe\n-- \nein Gru\u00df\n", "\n--\n\nx\x00\n", mixed +
			"--b\n\n\u00fc\n--b--\nnach\xfc\n",
		mixed + "--b\nContent-Type: text/plain; charset=utf-8\n\n\xfc \x80\n--b\nContent-Type: " +
			"text/html\n\n\u00fc\n--b--\n",
		mixed + "--b\nContent-Type: message/rfc822\n\nSubject: x\n\n\u00fc\n--b--",
		mixed + "--b\nContent-Transfer-Encoding: base64\n\nno base64 at all, but " +
			"text\n--b\nContent-Transfer-Encoding: base64\n\nQUJD\n--b--\n",
		mixed + "--b\nContent-Type: image/png\nContent-Transfer-Encoding: " +
			"binary\n\n\x89PNG\r\n\x1a\n--x\n--b\n\n\u00fc\n--b--\n",
		"\n" + strings.Repeat("x", 1200) + "\u00fc\n--b\n\n" + strings.Repeat("\u00e9", 600) + "\n", mixed +
			"a\r-\r--b\r\r\u00fc\r--b--",
		"\n" + strings.Repeat("--\n\nx\n", maxSections+2) + "\u00fc\n",
	} {
		f.Add([]byte("MIME-Version: 1.0\n"+s), 50)
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, input []byte, piece int) {
		r := &pieceReader{bytes.NewReader(input), max(1, min(piece, 100))}
		m, err := Read(r, ReadOptions{Memory: 16})
		if err != nil {
			return
		}
		defer m.Close()
		blind := *m
		blind.outline = nil
		for _, o := range []WireOptions{{}, {AllowEightBit: true}, {AllowEightBit: true, EncodeParts: true}} {
			if _, err := m.Wire(o); err != nil {
				if _, blindErr := blind.Wire(o); blindErr != err {
					t.Errorf("%+v: %v, want %v", o, err, blindErr)
				}
				continue
			}
			if got, want := wireText(t, m, o), wireText(t, &blind, o); got != want {
				t.Errorf("%+v:\n%q\nwant\n%q", o, got, want)
			}
		}
	})
}

// pieceReader gives few bytes at a time.
type pieceReader struct {
	r *bytes.Reader
	n int
}

func (p *pieceReader) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }
