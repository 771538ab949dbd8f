package rfc822

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// seed gives a fuzz target the golden inputs and some small ones.
func seed(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob("testdata/*.eml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		"\n", ".\n", "\r", "\x00", "A: 1\r\r\n\r\r\nx\r\r\n", "A:\r\rb\r.\r", "From x\n", "\n.\n.\r\n",
		"A: \xff\x00\n\n\xff\x00", "To: \"\xe9\n", "Content-Type: multipart/x; boundary=b\n\n--b\n\n\x00\n--b--\n",
		"Content-Type: multipart/signed; boundary=b\n\n--b\n\n\x00\n--b--\n",
		"Content-Type: message/rfc822\n\nA: \x00\n\x00\n",
		"Content-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b\nX: \xfc\n\n" + strings.Repeat("x", 1000) +
			"\n--b--\n",
		"Content-Transfer-Encoding: quoted-printable\n\n=\x00= \n=4\n=",
		"Content-Transfer-Encoding: base64\n\nQUJD\x00RA==\n",
		"Content-Type: multipart/x; boundary=b\n\n--b\n--b\nContent-Type: multipart/x; boundary=b\n\n--b\n\x00",
	} {
		f.Add([]byte(s))
	}
}

// lineEnds is the plainest way to say what Read does to a text without a header.
func lineEnds(s string) string {
	for strings.Contains(s, "\r\n") {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	s = strings.ReplaceAll(s, "\r", "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return strings.ReplaceAll(s, "\n", "\r\n")
}

func FuzzRead(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		binary := bytes.Contains(bytes.ToLower(input), []byte("binary"))
		if !binary {
			checkBody(t, input)
		}
		m, err := Read(bytes.NewReader(input), ReadOptions{Memory: 64})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if !binary { // its content is written as base64
			checkKept(t, input, m)
		}
		slow, err := Read(&slowReader{input}, ReadOptions{Memory: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		if slow.Body() != m.Body() || bodyText(t, slow) != bodyText(t, m) {
			t.Errorf("the size of the reads matters: %+v, %+v", slow.Body(), m.Body())
		}
		if signatureBreaks(t, m) {
			return
		}
		if i := m.Body(); !i.NUL && !i.EightBit && !i.hints.odd && i.LongestLine <= maxLine && !m.oddHeader() {
			if text := wireText(t, m, WireOptions{AllowEightBit: true}); !strings.HasSuffix(text,
				"\r\n"+bodyText(t, m)) {
				t.Errorf("the body changed on the wire")
			}
		}
		wireText(t, m, WireOptions{})
	})
}

// signatureBreaks reports whether the message can't go, in 7-bit form at least.
func signatureBreaks(t *testing.T, m *Message) bool {
	t.Helper()
	_, err := m.Wire(WireOptions{})
	if err != nil && err != ErrSignature {
		t.Fatal(err)
	}
	return err != nil
}

// checkBody reads the input as a body alone.
func checkBody(t *testing.T, input []byte) {
	t.Helper()
	m, err := Read(io.MultiReader(strings.NewReader("\n"), bytes.NewReader(input)), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got, want := bodyText(t, m), lineEnds(string(input)); got != want {
		t.Errorf("body of %q: got %q, want %q", input, got, want)
	}
}

// checkKept checks that header and body together are the input, but for line ends, the blank
// line, what a header may lose, a byte order mark and a "From " line.
func checkKept(t *testing.T, input []byte, m *Message) {
	t.Helper()
	strip := strings.NewReplacer("\r", "", "\n", "", "\x00", "", " ", "")
	var text strings.Builder
	for _, f := range m.Header.Fields() {
		text.Write(f.Raw())
		if len(f.Name()) == 0 || !bytes.HasSuffix(f.Raw(), []byte("\r\n")) {
			t.Errorf("field %q", f.Raw())
		}
	}
	text.WriteString(bodyText(t, m))
	got, want := strip.Replace(text.String()), strip.Replace(string(input))
	dropped, kept := strings.CutSuffix(want, got)
	if got != want && !(kept && (strings.HasPrefix(dropped, "From") || strings.HasPrefix(dropped, "\xef\xbb\xbf"))) {
		t.Errorf("bytes got lost: got %q, want %q", got, want)
	}
}

func bodyText(t testing.TB, m *Message) string {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(m.body, 0, m.info.Size))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// slowReader gives a few bytes at a time.
type slowReader struct{ rest []byte }

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(3, len(p))], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func FuzzWire(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		m, err := Read(bytes.NewReader(input), ReadOptions{})
		if err != nil {
			return
		}
		defer m.Close()
		if signatureBreaks(t, m) {
			return
		}
		for _, o := range []WireOptions{{AllowEightBit: true}, {}, {AllowEightBit: true, EncodeParts: true}} {
			text := wireText(t, m, o)
			if !hasTextBesideParts(m) {
				checkContent(t, m, text)
			}
			again, err := FromWire(strings.NewReader(text), int64(len(text)))
			if err != nil {
				t.Fatalf("FromWire of %q: %v", text, err)
			}
			// A header that must keep 8-bit bytes in words that are too long is split once more.
			header, _, _ := strings.Cut(text, "\r\n\r\n")
			if got := wireText(t, again, o); got != text && isASCII(header) {
				t.Errorf("the wire form is not stable:\ngot  %q\nwant %q", got, text)
			}
		}
	})
}

// hasTextBesideParts reports whether the message has structure at all: text between
// parts may change, and the standard parsers disagree with each other about odd parts and
// about a type or an encoding that can't leave as it is: it is not ASCII, or a word of it fills a line.
func hasTextBesideParts(m *Message) bool {
	types, encodings := strings.Join(m.Header.All("Content-Type"), " "), m.Header.All("Content-Transfer-Encoding")
	all := types + " " + strings.Join(encodings, " ")
	tooLong := slices.ContainsFunc(strings.Fields(all), func(word string) bool { return len(word) >= maxLine })
	return !isASCII(all) || tooLong || strings.Contains(types, "/") || len(encodings) > 1
}

func FuzzParseAddressList(f *testing.F) {
	for _, s := range []string{
		"a@b.c", `"x, y" <a@b>, root`, "g: a, <@r:b@c>;", "=?utf-8?q?=C3=BC?= (c) <a@b>", `"a b"@c`, "<a", `"`, "(((",
		"a@[1]", "\x00@b", "a\r\n @b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, errs := ParseAddressList(s)
		for _, err := range errs {
			if strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
				t.Errorf("%q: control characters in %q", s, err)
			}
		}
		for _, a := range list {
			checkAddress(t, a)
		}
		encoded, _ := encodeAddresses(s, "")
		if !strings.ContainsAny(s, "\r\n") && isASCII(s) && encoded != s {
			t.Errorf("%q was changed to %q", s, encoded)
		}
	})
}

// FuzzRewriteAddresses: what is rewritten still names the same mailboxes, and needs it no more.
func FuzzRewriteAddresses(f *testing.F) {
	for _, s := range []string{
		"a @ b.c, root (x)", "Joe <a,b@c>, <x", "g: a, <@r:b@c>;", "a@\u00fc.de\u00a0, \u3000", `"a b" . c @ d`,
		"<mailto:a@b>", "<a,b c;>",
	} {
		f.Add(s)
	}
	r := addressRewriter{domain: "h.example", ascii: func(d string) (string, error) {
		if strings.Contains(d, "x") {
			return "", errors.New("none")
		}
		return "xn--a.example", nil
	}}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\r\n\x00") || len(s) > 200 { // a longer name has no room for a domain
			return
		}
		field := Field{raw: []byte("To:" + s + "\r\n"), name: 2}
		once := field.rewritten(r)
		before, _ := ParseAddressList(s)
		after, _ := ParseAddressList(once.Value())
		if !slices.EqualFunc(before, after, func(a, b Address) bool { return a.Local == b.Local && b.Domain != "" }) {
			t.Errorf("%q became %q: %+v, %+v", s, once.Value(), before, after)
		}
		if twice := once.rewritten(r); string(twice.Raw()) != string(once.Raw()) {
			t.Errorf("%q became %q and then %q", s, once.Raw(), twice.Raw())
		}
	})
}

// checkAddress checks that an accepted address is harmless and comes back from its own
// written forms.
func checkAddress(t *testing.T, a Address) {
	t.Helper()
	addr := a.Addr()
	if addr == "" || len(addr) > maxAddress {
		t.Errorf("%+v gives %q", a, addr)
	}
	for i := range len(addr) {
		if addr[i] < ' ' || addr[i] == 0x7f {
			t.Errorf("control character in %q", addr)
		}
	}
	if strings.ContainsAny(a.String(), "\r\n\x00") {
		t.Errorf("line end in %q", a.String())
	}
	for _, form := range []string{addr, "<" + addr + ">", a.String()} {
		back, err := ParseAddress(form)
		if err != nil || back.Local != a.Local || back.Domain != a.Domain {
			t.Errorf("%q comes back as %+v, %v", form, back, err)
		}
	}
}
