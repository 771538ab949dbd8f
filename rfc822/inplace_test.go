package rfc822

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inFile returns a file that has text and is read from its beginning.
func inFile(t *testing.T, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestInPlace: a body that is left where it is arrives as one that was read on the way does.
func TestInPlace(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef\n", 4)
	for name, c := range map[string]struct {
		text   string
		read   bool // it is read all the same
		dotted bool // the same with DotEnds
	}{
		"LF":               {text: "A: 1\n\n" + long},
		"CRLF":             {text: "A: 1\r\n\r\n" + strings.ReplaceAll(long, "\n", "\r\n")},
		"no line end":      {text: "A: 1\n\n" + long + "end"},
		"CR CR LF, CR":     {text: "A: 1\n\n" + long + "a\r\r\nb\rc\n"},
		"no header":        {text: "hello\n" + long},
		"folded":           {text: "A: 1\n  2\nB: x\n\n\n\n" + long},
		"NUL, eight bits":  {text: "A: 1\n\n" + long + "\x00\xff\nü\n"},
		"binary":           {text: "Content-Type: image/png\nContent-Transfer-Encoding: binary\n\n" + long + "\r\n\r\x00"},
		"a line too long":  {text: "A: 1\n\n" + strings.Repeat("x", 3*pieceSize)},
		"dots in text":     {text: "A: 1\n\n.a\n..\na.\n. \n" + long},
		"dot":              {text: "A: 1\n\n" + long + ".\n" + long, dotted: true},
		"dot at once":      {text: "A: 1\n\n.\n" + long, dotted: true},
		"dot, CR":          {text: "A: 1\r\r" + strings.ReplaceAll(long+".\n"+long, "\n", "\r"), read: true},
		"dot, CR in LF":    {text: "A: 1\n\n" + long + "x\r.\ry\n", dotted: true},
		"dot at the end":   {text: "A: 1\n\n" + long + ".", dotted: true},
		"dot in a piece 1": {text: "A: 1\n\n" + strings.Repeat("x", pieceSize-3) + "\n.\n" + long, dotted: true},
		"dot in a piece 2": {text: "A: 1\n\n" + strings.Repeat("x", pieceSize-2) + "\n.\n" + long, dotted: true},
		"dot in a piece 3": {text: "A: 1\n\n" + strings.Repeat("x", pieceSize-1) + "\n.\n" + long, dotted: true},
		"UTF-16":           {text: "\xff\xfe" + strings.Join(strings.Split("A: 1\n\n"+long, ""), "\x00") + "\x00", read: true},
		"UTF-16 below":     {text: "A: 1\n\n\xff\xfe" + strings.Join(strings.Split(long, ""), "\x00") + "\x00", read: true},
		"small":            {text: "A: 1\n\nhello\n", read: true},
	} {
		for _, dotEnds := range []bool{false, true} {
			o := ReadOptions{Memory: 16, DotEnds: dotEnds && (c.dotted || c.read)}
			want := mustRead(t, c.text, o)
			o.DotEnds, o.InPlace = dotEnds, true
			f := inFile(t, c.text)
			m, err := Read(f, o)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if left := !c.read && !(c.dotted && dotEnds); m.Body().Unread != left {
				t.Errorf("%s, dot ends %v: left where it was %v, want %v", name, dotEnds, m.Body().Unread, left)
			}
			if at, _ := f.Seek(0, io.SeekCurrent); !dotEnds && at != int64(len(c.text)) {
				t.Errorf("%s: the file stands at %d of %d", name, at, len(c.text))
			}
			w, err := m.Wire(WireOptions{AsIs: true, AllowEightBit: true})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // it can be sent again
				text, err := io.ReadAll(open(t, w))
				if err != nil || int64(len(text)) != w.Size() {
					t.Fatalf("%s: %d bytes of %d, %v", name, len(text), w.Size(), err)
				}
				got := mustRead(t, string(text), ReadOptions{})
				if a, b := wireText(t, got, WireOptions{}), wireText(t, want, WireOptions{}); a != b {
					t.Errorf("%s, dot ends %v: %.300q, want %.300q", name, dotEnds, a, b)
				}
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestNotInPlace: what has no length is read, and so is what is larger than allowed, which is then refused.
func TestNotInPlace(t *testing.T) {
	t.Parallel()
	proc, err := os.Open("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	defer proc.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = io.WriteString(w, "A: 1\n\n"+strings.Repeat("hello\n", 100))
		_ = w.Close()
	}()
	for _, f := range []*os.File{proc, r} {
		m, err := Read(f, ReadOptions{Memory: 16, InPlace: true})
		if err != nil || m.Body().Unread || m.Size() < 600 {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
	text := "A: 1\n\n" + strings.Repeat("hello\n", 100)
	_, err = Read(inFile(t, text), ReadOptions{Memory: 16, InPlace: true, MaxSize: 500})
	if err == nil || err.Error() != "the message is larger than 500 bytes" {
		t.Error(err)
	}
}

// TestCutInPlace: a file that becomes shorter while it is sent is an error, and never a shorter message.
func TestCutInPlace(t *testing.T) {
	t.Parallel()
	f := inFile(t, "A: 1\n\n"+strings.Repeat("hello\n", 100))
	m, err := Read(f, ReadOptions{Memory: 16, InPlace: true})
	if err != nil {
		t.Fatal(err)
	}
	w, err := m.Wire(WireOptions{AsIs: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(f.Name(), 300); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(open(t, w)); err == nil {
		t.Error("no error")
	}
}
