package rfc822

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"
)

// TestWireRandomStructures makes messages of all kinds of parts and checks that the standard
// library's parsers find the same content in what goes out.
func TestWireRandomStructures(t *testing.T) {
	t.Parallel()
	const messages = 400
	refused := 0
	for n := range uint64(messages) {
		g := generator{rand.New(rand.NewPCG(n, 822))}
		input := "From: a@b.c\nSubject: x\n" + g.entity(0)
		m := mustRead(t, input, ReadOptions{Memory: 512, TempDir: t.TempDir()})
		for _, o := range []WireOptions{{AllowEightBit: true}, {}, {AllowEightBit: true, EncodeParts: true}} {
			w, err := m.Wire(o)
			if err != nil {
				t.Fatal(err)
			}
			if !o.AllowEightBit && w.EightBit() {
				t.Errorf("%d: 8-bit text is left", n)
			}
			text := wireText(t, m, o)
			before := headerText(m.Header) + "\r\n" + bodyText(t, m)
			want, ok := leaves([]byte(before))
			if !ok { // soft breaks in the input made delimiters
				refused++
				continue
			}
			if got, ok := leaves([]byte(text)); !ok || !slices.Equal(got, want) {
				t.Errorf("%d: the content changed\nin  %q\nout %q", n, before, text)
			}
		}
		if t.Failed() {
			return
		}
	}
	if refused > messages/10 {
		t.Errorf("the standard parsers refuse the input %d times", refused)
	}
}

type generator struct{ *rand.Rand }

func (g generator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

// entity returns the rest of a header and a body.
func (g generator) entity(depth int) string {
	switch g.IntN(6) {
	case 0, 1:
		if depth < 3 {
			return g.multipart(depth)
		}
	case 2:
		if depth < 3 {
			return "Content-Type: message/rfc822\n\nSubject: inner\n" + g.entity(depth+1)
		}
	}
	return g.leaf()
}

func (g generator) multipart(depth int) string {
	boundary := fmt.Sprintf("b-%d'%d", depth, g.IntN(3))
	kind := g.pick("mixed", "alternative", "digest")
	var b strings.Builder
	fmt.Fprintf(&b, "Content-Type: multipart/%s;\n boundary=\"%s\"\n%s\n", kind, boundary,
		g.pick("", "Content-Transfer-Encoding: 8bit\n", "Content-Transfer-Encoding: binary\n"))
	b.WriteString(g.pick("", "preamble\n"))
	for range 1 + g.IntN(3) {
		b.WriteString("--" + boundary + g.pick("", " ", "\t") + "\n")
		if kind == "digest" {
			b.WriteString("\nSubject: digested\n" + g.entity(depth+1))
		} else {
			b.WriteString("X-Part: y\nContent-Description: " + g.pick("x", strings.Repeat("long ", 300)) + "\n" +
				g.entity(depth+1))
		}
		b.WriteString("\n")
	}
	return b.String() + "--" + boundary + "--\n" + g.pick("", "epilogue\n")
}

func (g generator) leaf() string {
	kind := g.pick("Content-Type: text/plain; charset=utf-8\n", "Content-Type: text/html\n",
		"Content-Type: application/x-y; name=z\n", "")
	text := g.text()
	switch g.IntN(4) {
	case 0:
		encoded := base64.StdEncoding.EncodeToString([]byte(text))
		return kind + "Content-Transfer-Encoding: base64\n\n" +
			g.pick(encoded, encoded[:len(encoded)/2]+"\n"+encoded[len(encoded)/2:])
	case 1:
		var b strings.Builder
		w := quotedprintable.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil {
			panic(err)
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
		return kind + "Content-Transfer-Encoding: Quoted-Printable\n\n" +
			g.pick(strings.ReplaceAll(b.String(), "=\r\n", ""), b.String())
	}
	return kind + g.pick("", "Content-Transfer-Encoding: 8bit\n", "Content-Transfer-Encoding: 7bit\n") + "\n" + text
}

// text returns lines that are hard on encoders. None can be a delimiter, but a
// soft break at the wrong place could make one.
func (g generator) text() string {
	var b strings.Builder
	for range g.IntN(5) {
		switch g.IntN(7) {
		case 0:
			b.WriteString(strings.Repeat("x", 990+g.IntN(20)))
		case 1:
			b.WriteString(strings.Repeat(fmt.Sprintf("%s--b-%d'%d--", strings.Repeat("y", 1+g.IntN(80)), g.IntN(3),
				g.IntN(3)), 1+g.IntN(40)))
		case 2:
			b.WriteString(strings.Repeat("grüße ", g.IntN(300)))
		case 3:
			b.WriteString("日本" + g.pick(" ", "\t", "  ", ".", "\xff"))
		case 4:
			b.WriteString(".")
		case 5:
			b.WriteString(strings.Repeat(g.pick("=", "=3D", "a ", "\x00"), g.IntN(500)))
		case 6:
			b.WriteString("From here to -- there")
		}
		b.WriteString("\n")
	}
	return b.String() + "end"
}

func TestWireSMTPUTF8(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"From: Jörg <joerg@b.c>":         false,
		"To: jörg@b.c":                   true,
		"To: x <a@bücher.example>":       true,
		"Cc: a@b.c (Büro), \"Ü\" <a@b>":  false,
		"Subject: grüße <jörg@b.c>":      false,
		"Reply-To: <\"jö rg\"@b.c>":      true,
		"To: j\xf6rg@b.c":                false,
		"Message-ID: <ü@b.c>":            false,
		"To: Größe":                      false,
		"Resent-To: Gruppe ü: ü@b.c, a;": true,
	} {
		m := mustRead(t, header+"\n\nx\n", ReadOptions{})
		w, err := m.Wire(WireOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if w.SMTPUTF8() != want {
			t.Errorf("%q: SMTPUTF8 = %v: %q", header, !want, wireText(t, m, WireOptions{}))
		}
		wireText(t, m, WireOptions{})
	}
}

func TestWireLeavesHeaderAlone(t *testing.T) {
	t.Parallel()
	m := mustRead(t, "Content-Type: text/plain; charset=utf-8\nSubject: ü\n\nü\n", ReadOptions{})
	before := headerText(m.Header)
	sevenBit := wireText(t, m, WireOptions{})
	if headerText(m.Header) != before {
		t.Error("Wire changed the header")
	}
	if eightBit := wireText(t, m, WireOptions{AllowEightBit: true}); !strings.HasSuffix(eightBit, "\r\n\r\nü\r\n") ||
		eightBit == sevenBit {
		t.Errorf("got %q", eightBit)
	}
}

func TestFromWireRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"A: 1\n\nx\n", "A: 1\r\n\r\nx", "A: 1\r\n\r\nx\n", "A: 1\r\n\r\nx\ry\r\n", "A: 1\r\nB",
		"A: 1\r\n", "A: 1\r\n\r\nx\r\r\n", "From x\r\nA: 1\r\n\r\n", "A: 1\r\nx\r\n", "A: \x001\r\n\r\n"} {
		if _, err := FromWire(strings.NewReader(s), int64(len(s))); err != ErrNotWire {
			t.Errorf("%q: %v", s, err)
		}
	}
	const good = "A: 1\r\n\r\nx\r\n"
	if _, err := FromWire(strings.NewReader(good), int64(len(good))+1); err == nil {
		t.Error("a file that is shorter than said is taken")
	}
}

// TestWireOldSyntax sends an encoding that is declared in the old syntax: as it came where
// nothing has to change, and for every reader to see where its content was fixed.
func TestWireOldSyntax(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"Content-Transfer-Encoding :quoted-printable\n\n=41\n": "Content-Transfer-Encoding " +
			":quoted-printable\r\n\r\n=41\r\n",
		"Content-Transfer-Encoding :quoted-printable\n\n=41\x00\n": "Content-Transfer-Encoding: " +
			"quoted-printable\r\nMIME-Version: 1.0\r\n\r\n=41=00\r\n",
		"Content-Transfer-Encoding\t: base64\n\nQUJD\x00\n": "Content-Transfer-Encoding: " +
			"base64\r\nMIME-Version: 1.0\r\n\r\nQUJD\r\n",
		"Content-Transfer-Encoding : 8bit\n\na longer text\x00\n": "Content-Transfer-Encoding: " +
			"quoted-printable\r\nMIME-Version: 1.0\r\n\r\na longer text=00\r\n",
	} {
		if got := wireText(t, mustRead(t, input, ReadOptions{}), WireOptions{}); got != want {
			t.Errorf("%q: got %q, want %q", input, got, want)
		}
	}
}
