package rfc822

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inFile writes text to a file and opens that.
func inFile(t testing.TB, text string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestInPlaceIsTheSame(t *testing.T) {
	t.Parallel()
	lines := strings.Repeat("0123456789 some text\n\n", 10_000)
	for _, c := range []struct {
		name, body string
		inPlace    bool
	}{
		{"lines", lines, true},
		{"no LF at the end", lines + "end", true},
		{"ends with a piece", strings.Repeat("x\n", pieceSize), true},
		{"one line, ends with a piece", strings.Repeat("x", 2*pieceSize), true},
		{"LF begins each piece", strings.Repeat("\n"+strings.Repeat("x", pieceSize-1), 3), true},
		{"LF ends each piece", strings.Repeat(strings.Repeat("x", pieceSize-1)+"\n", 3), true},
		{"8-bit", strings.Repeat("é"+lines, 2), true},
		{"NUL", lines + "\x00\n" + lines, true},
		{"a dot at the end of a line", lines + "x.\n" + lines, true},
		{"a dot at the start of a line", lines + ".x\n" + lines, true},
		{"dot line", lines + ".\n" + lines, false},
		{"dot at the end", lines + ".", false},
		{"dot before a piece ends", strings.Repeat("x", pieceSize-2) + "\n.\n" + lines, false},
		{"CR", lines + "\r" + lines, false},
		{"CRLF", strings.ReplaceAll(lines, "\n", "\r\n"), false},
		{"small", "x\n", false},
	} {
		for _, head := range []string{"A: 1\n\n", "\n", ""} {
			o := ReadOptions{Memory: 1000, DotEnds: true, TempDir: t.TempDir()}
			want := mustRead(t, head+c.body, o)
			o.InPlace = true
			f := inFile(t, "before"+head+c.body)
			if _, err := f.Seek(6, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			got, err := Read(f, o)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if _, is := got.body.(*inPlace); is != c.inPlace {
				t.Errorf("%s: in place is %v", c.name, is)
			}
			if got.Body() != want.Body() || bodyText(t, got) != bodyText(t, want) {
				t.Errorf("%s: %+v, %+v", c.name, got.Body(), want.Body())
			}
			for _, w := range []WireOptions{{}, {AllowEightBit: true}} {
				if wireText(t, got, w) != wireText(t, want, w) {
					t.Errorf("%s: another wire form", c.name)
				}
			}
			if rest, err := io.ReadAll(f); err != nil || c.inPlace && len(rest) > 0 {
				t.Errorf("%s: %d octets are left in the file, %v", c.name, len(rest), err)
			}
			if err := got.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestInPlaceTooLarge(t *testing.T) {
	t.Parallel()
	text := "A: 1\n\n" + strings.Repeat("x\n", 100_000) + "x"
	size := int64(len(text) + 100_000 + 2 + 2)
	for limit, refused := range map[int64]bool{size: false, size - 1: true, 2000: true} {
		_, err := Read(inFile(t, text), ReadOptions{Memory: 1000, InPlace: true, MaxSize: limit})
		var large *TooLargeError
		if errors.As(err, &large) != refused || refused && (large.Limit != limit || large.What != "message") {
			t.Errorf("limit %d of %d: %v", limit, size, err)
		}
	}
}

// What is changed after the message was read must not go out, nor what is cut off be missed.
func TestInPlaceFindsChanges(t *testing.T) {
	t.Parallel()
	text := "A: 1\n\n" + strings.Repeat("0123456789\n", 100_000)
	for name, change := range map[string]func(*os.File) error{
		"one octet":   func(f *os.File) error { _, err := f.WriteAt([]byte("#"), 900_000); return err },
		"a line more": func(f *os.File) error { _, err := f.WriteAt([]byte("\n"), 70_000); return err },
		"shorter":     func(f *os.File) error { return f.Truncate(int64(len(text)) - 1) },
		"empty":       func(f *os.File) error { return f.Truncate(0) },
		"longer, which does not matter": func(f *os.File) error {
			_, err := f.WriteAt([]byte("more\n"), int64(len(text)))
			return err
		},
	} {
		f := inFile(t, text)
		m, err := Read(f, ReadOptions{InPlace: true})
		if err != nil {
			t.Fatal(err)
		}
		w, err := m.Wire(WireOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := change(f); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(open(t, w))
		if ok := strings.HasPrefix(name, "longer"); ok != (err == nil) || !ok && !errors.Is(err, errChanged) {
			t.Errorf("%s: %v", name, err)
		}
		if want := strings.ReplaceAll(text, "\n", "\r\n"); !strings.HasPrefix(want, string(got)) || err == nil && want != string(got) {
			t.Errorf("%s: %d octets that were not in the message", name, len(got))
		}
		if _, err := io.Copy(io.Discard, io.NewSectionReader(m.body, 0, m.Body().Size)); (err == nil) != strings.HasPrefix(name, "longer") {
			t.Errorf("%s: by ReadAt: %v", name, err)
		}
	}
}
