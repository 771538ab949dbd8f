package rfc822

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadLineEndsAndHeaderEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"CRLF", "A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n", "A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n"},
		{"LF", "A: 1\nB: 2\n\nx\ny\n", "A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n"},
		{"CR", "A: 1\rB: 2\r\rx\ry\r", "A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n"},
		{"CR, last line unended", "A: 1\rB: 2\r\rx\ry", "A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n"},
		{"PHP 8: CRLF header, LF body", "A: 1\r\nB: 2\r\n\r\nx\ny\n", "A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n"},
		{"doubled CR is one line end", "A: 1\r\r\nB: 2\r\r\n\r\r\nx\r\r\ny\r\r\n", "A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n"},
		{"CRs before a LF are one line end", "\nx\r\r\r\r\ny\n", "\r\nx\r\ny\r\n"},
		{"bare CRs in the body", "\nx\ry\r\rz\n", "\r\nx\r\ny\r\n\r\nz\r\n"},
		{"LF CR", "A: 1\n\rB: 2\n\r\n\rx\n\r", "A: 1\r\nB: 2\r\n\r\n\r\nx\r\n\r\n"},
		{"bare CR in a header is a space", "A: 1\rBcc: x@y\nB: 2\n\nx\n", "A: 1 Bcc: x@y\r\nB: 2\r\n\r\nx\r\n"},
		{"smuggling", "A: 1\r\n\r\nx\n.\ny\n.\r\nz\r.\rQUIT\r\n", "A: 1\r\n\r\nx\r\n.\r\ny\r\n.\r\nz\r\n.\r\nQUIT\r\n"},
		{"last line unended", "A: 1\n\nx", "A: 1\r\n\r\nx\r\n"},
		{"last line ends in CR", "A: 1\n\nx\r", "A: 1\r\n\r\nx\r\n"},
		{"header alone", "A: 1\n", "A: 1\r\n\r\n"},
		{"header alone, unended", "A: 1", "A: 1\r\n\r\n"},
		{"leading blank line", "\nA: 1\n", "\r\nA: 1\r\n"},
		{"only a line end", "\n", "\r\n"},
		{"no header", "hello\nworld\n", "\r\nhello\r\nworld\r\n"},
		{"line without colon", "A: 1\nhello\nB: 2\n\nx\n", "A: 1\r\n\r\nhello\r\nB: 2\r\n\r\nx\r\n"},
		{"words before a colon", "A: 1\nDear Bob: hello\n", "A: 1\r\n\r\nDear Bob: hello\r\n"},
		{"MIME delimiter", "A: 1\n--b:c\n", "A: 1\r\n\r\n--b:c\r\n"},
		{"continuation first", " x\nA: 1\n", "\r\n x\r\nA: 1\r\n"},
		{"mbox line", "From joe@x Mon Jan  1 00:00:00 2024\nA: 1\n\nFrom me\n", "A: 1\r\n\r\nFrom me\r\n"},
		{"mbox line with colons only", "From x:y:z\nA: 1\n", "A: 1\r\n\r\n"},
		{"byte order mark", "\xef\xbb\xbfA: 1\n\n\xef\xbb\xbfx\n",
			"A: 1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: " +
				"1.0\r\n\r\n\xef\xbb\xbfx\r\n"},
		{"byte order mark, mbox line", "\xef\xbb\xbfFrom joe@x\nA: 1\n", "A: 1\r\n\r\n"},
		{"byte order mark, no header", "\xef\xbb\xbfhello\n",
			"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: 1.0\r\n\r\n" +
				"\xef\xbb\xbfhello\r\n"},
		{"second mbox line", "A: 1\nFrom x\n", "A: 1\r\n\r\nFrom x\r\n"},
		{"From with a blank before its colon", "From : x@y\n\n", "From : x@y\r\n\r\n"},
		{"names, case, folding, order", "sUbJ: a\n\tb\n  c\nX-É: 1\nsUbJ:d\n\n",
			"sUbJ: a\r\n\tb\r\n  c\r\nX-?: 1\r\nsUbJ:d\r\n\r\n"},
		{"NUL in a header", "Sub\x00ject: a\x00b\n\x00 c\n\nx\n", "Subject: ab\r\n c\r\n\r\nx\r\n"},
		{"NUL for a blank line", "A: 1\n\x00\nx\n", "A: 1\r\n\r\nx\r\n"},
		{"empty name", ": x\n", "\r\n: x\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, reader := range []io.Reader{
				strings.NewReader(c.in),
				iotest.OneByteReader(strings.NewReader(c.in)),
				iotest.DataErrReader(strings.NewReader(c.in)),
				iotest.HalfReader(strings.NewReader(c.in)),
			} {
				m, err := Read(reader, ReadOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if got := wireText(t, m, WireOptions{AllowEightBit: true}); got != c.want {
					t.Errorf("got  %q\nwant %q", got, c.want)
				}
			}
		})
	}
}

func TestReadDotEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
		cut      bool
	}{
		{"A: 1\n\nx\n.\ny\n", "A: 1\r\n\r\nx\r\n", true},
		{"A: 1\r\n\r\nx\r\n.\r\n", "A: 1\r\n\r\nx\r\n", false},
		{"A: 1\n\nx\n.", "A: 1\r\n\r\nx\r\n", false},
		{"A: 1\n\nx\n..\n.y\n .\n. \n", "A: 1\r\n\r\nx\r\n..\r\n.y\r\n .\r\n. \r\n", false},
		{"A: 1\n\nx\r.\ry", "A: 1\r\n\r\nx\r\n", true},
		{"A: 1\n.\nB: 2\n", "A: 1\r\n\r\n", true},
		{".\n", "\r\n", false},
		{"\n.\n.\n", "\r\n", true},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader,
		} {
			m, err := Read(wrap(strings.NewReader(c.in)), ReadOptions{DotEnds: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := wireText(t, m, WireOptions{}); got != c.want {
				t.Errorf("%s: %q: got %q, want %q", name, c.in, got, c.want)
			}
			if cut := m.Body().CutAtDot; name == "whole" && cut != c.cut {
				t.Errorf("%q: CutAtDot = %v", c.in, cut)
			}
		}
		if strings.Contains(c.in, "A: 1\n\nx\n.") {
			m := mustRead(t, c.in, ReadOptions{})
			want := strings.ReplaceAll(c.in, "\n", "\r\n")
			if got := wireText(t, m, WireOptions{}); strings.TrimSuffix(got, "\r\n") != strings.TrimSuffix(want,
				"\r\n") {
				t.Errorf("without DotEnds: %q gives %q", c.in, got)
			}
		}
	}
}

func TestReadBodyInfo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body string
		want BodyInfo
	}{
		{"", BodyInfo{}},
		{"x\nabc\n", BodyInfo{Size: 8, Lines: 2, LongestLine: 3}},
		{"x\nabcd", BodyInfo{Size: 9, Lines: 2, LongestLine: 4}},
		{"é\n", BodyInfo{Size: 4, Lines: 1, LongestLine: 2, EightBit: true}},
		{"a\x00\n", BodyInfo{Size: 4, Lines: 1, LongestLine: 2, NUL: true}},
		{strings.Repeat("y", 200_000) + "\n.\n", BodyInfo{Size: 200_005, Lines: 2, LongestLine: 200_000}},
	} {
		m := mustRead(t, "A: 1\n\n"+c.body, ReadOptions{})
		if got := m.Body(); got != c.want {
			t.Errorf("%.20q: %+v, want %+v", c.body, got, c.want)
		}
	}
}

func TestReadFactsStopAtTheDot(t *testing.T) {
	t.Parallel()
	m := mustRead(t, "A: 1\n\nx\n.\né\x00\n", ReadOptions{DotEnds: true})
	if got := m.Body(); got.EightBit || got.NUL {
		t.Errorf("what follows the dot was counted: %+v", got)
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		r    io.Reader
		o    ReadOptions
		is   error
	}{
		{"fails at once", iotest.ErrReader(broken), ReadOptions{}, broken},
		{"fails in the header", io.MultiReader(strings.NewReader("A: 1\nB"), iotest.ErrReader(broken)), ReadOptions{},
			broken},
		{"fails in the body", io.MultiReader(strings.NewReader("A: 1\n\nx"), iotest.ErrReader(broken)), ReadOptions{},
			broken},
		{"closed", closedFile(t), ReadOptions{}, os.ErrClosed},
		{"never progresses", iotest.TimeoutReader(io.MultiReader(strings.NewReader("A"), emptyReads{})), ReadOptions{},
			iotest.ErrTimeout},
		{"reads nothing", emptyReads{}, ReadOptions{}, io.ErrNoProgress},
	} {
		m, err := Read(c.r, c.o)
		if !errors.Is(err, c.is) || m != nil {
			t.Errorf("%s: %v, %v", c.name, m, err)
		}
	}
}

type emptyReads struct{}

func (emptyReads) Read([]byte) (int, error) { return 0, nil }

func closedFile(t *testing.T) *os.File {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReadTooLarge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		in    io.Reader
		o     ReadOptions
		what  string
		limit int64
	}{
		{"body", io.MultiReader(strings.NewReader("A: 1\n\n"), endless("xyz\n")), ReadOptions{MaxSize: 1000}, "message",
			1000},
		{"body beyond memory", io.MultiReader(strings.NewReader("A: 1\n\n"), endless("xyz\n")),
			ReadOptions{MaxSize: 1 << 20}, "message", 1 << 20},
		{"body without line ends", io.MultiReader(strings.NewReader("A: 1\n\n"), endless("x")),
			ReadOptions{MaxSize: 1 << 20}, "message", 1 << 20},
		{"body of CRs", io.MultiReader(strings.NewReader("A: 1\n\n"), endless("\r")), ReadOptions{MaxSize: 1 << 20},
			"message", 1 << 20},
		{"header passes the size", endless("A: 1\n"), ReadOptions{MaxSize: 1000}, "message", 1000},
		{"header", endless("A: 1\n"), ReadOptions{}, "header", defaultMaxHeader},
		{"one header line", io.MultiReader(strings.NewReader("A: "), endless("x")), ReadOptions{}, "header",
			defaultMaxHeader},
		{"own limit", endless("A: 1\n"), ReadOptions{MaxHeader: 4096}, "header", 4096},
	} {
		_, err := Read(c.in, c.o)
		var large *TooLargeError
		if !errors.As(err, &large) || large.What != c.what || large.Limit != c.limit {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	exact := "A: 1\r\n\r\nx\r\n"
	if _, err := Read(strings.NewReader(exact), ReadOptions{MaxSize: int64(len(exact))}); err != nil {
		t.Errorf("a message of just the limit: %v", err)
	}
	if _, err := Read(strings.NewReader("A: 1\n\nx"), ReadOptions{MaxSize: int64(len(exact)) - 1}); err == nil {
		t.Error("the limit is not of the wire form")
	}
}

// endless repeats a text without end.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}
