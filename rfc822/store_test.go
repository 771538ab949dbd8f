package rfc822

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// Not parallel: it counts what the whole process allocates.
func TestMemoryIsFlat(t *testing.T) {
	const size = 150 << 20
	line := strings.Repeat("x", 70) + "\n"
	for _, c := range []struct {
		name string
		in   io.Reader
		most uint64 // bytes allocated for reading and writing
	}{
		{"lines", io.MultiReader(strings.NewReader("A: 1\n\n"), io.LimitReader(endless(line), size)), 4 << 20},
		{"8-bit lines", io.MultiReader(strings.NewReader("A: 1\n\n"), io.LimitReader(endless("ä"+line), size)),
			4 << 20},
		{"50 MB line", io.MultiReader(strings.NewReader("A: 1\n\n"), io.LimitReader(endless("x"), 50<<20)), 4 << 20},
		{"50 MB line without a header", io.LimitReader(endless("x"), 50<<20), 4 << 20},
		{"50 MB of CR", io.MultiReader(strings.NewReader("A: 1\n\n"), io.LimitReader(endless("\r"), 50<<20)), 4 << 20},
		{"50 MB of NUL", io.LimitReader(endless("\x00"), 50<<20), 4 << 20},
		{"50 MB mbox line", io.MultiReader(strings.NewReader("From "), io.LimitReader(endless("x"), 50<<20)), 4 << 20},
		{"tiny parts", io.MultiReader(strings.NewReader("Content-Type: multipart/mixed; boundary=b\n\n"),
			io.LimitReader(endless("--b\n\n\x00\n"), 10<<20)), 80 << 20},
		{"deep nesting", io.MultiReader(strings.NewReader("Content-Type: multipart/mixed; boundary=b\n\n"),
			io.LimitReader(endless("--b\nContent-Type: multipart/mixed; boundary=b\n\n\x00\n"), 10<<20)), 200 << 20},
		{"100,000 header lines", io.MultiReader(io.LimitReader(endless("Ab: 123\n"), 800_000),
			strings.NewReader("\nx\n")), 32 << 20},
		{"1 MB header line", io.MultiReader(strings.NewReader("A: "), io.LimitReader(endless("ä b "), 1<<20),
			strings.NewReader("\n\nx\n")), 96 << 20},
	} {
		before := allocated()
		m, err := Read(c.in, ReadOptions{TempDir: t.TempDir()})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		w, err := m.Wire(WireOptions{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r := open(t, w)
		n, err := r.(io.WriterTo).WriteTo(io.Discard)
		if err != nil || n != w.Size() {
			t.Errorf("%s: %d bytes of %d, %v", c.name, n, w.Size(), err)
		}
		used := allocated() - before
		t.Logf("%-28s %9d bytes in, %9d out, %6d KiB allocated", c.name, m.Body().Size, n, used>>10)
		if used > c.most {
			t.Errorf("%s: %d KiB allocated, more than %d", c.name, used>>10, c.most>>10)
		}
		if err := errors.Join(r.Close(), m.Close()); err != nil {
			t.Error(err)
		}
	}
}

func allocated() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.TotalAlloc
}

func TestStoreLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, err := Read(io.LimitReader(endless("abc\n"), 1<<20), ReadOptions{TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if names, err := filepath.Glob(dir + "/*"); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	w, err := m.Wire(WireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(open(t, w)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
}

func TestStoreFallbacks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := namedThenUnlinked(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Sys().(*syscall.Stat_t).Nlink != 0 {
		t.Errorf("mode %v, %d names", info.Mode(), info.Sys().(*syscall.Stat_t).Nlink)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}

	m, err := Read(io.LimitReader(endless("abc\n"), 1<<20), ReadOptions{TempDir: filepath.Join(dir, "missing")})
	if runtime.GOOS != "linux" {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("no directory: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("no directory, but memory files: %v", err)
	}
	defer m.Close()
	if got := bodyText(t, m); got != strings.Repeat("abc\r\n", 1<<18) {
		t.Errorf("%d bytes came back", len(got))
	}
}

func TestStoreWriteFails(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	s := &store{memory: 1, file: full}
	if _, err := s.write([]byte("xy"), true); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk gives %v", err)
	}
}

func TestReaderOfManyAtOnce(t *testing.T) {
	t.Parallel()
	m := mustRead(t, "A: 1\n\n"+strings.Repeat("é, and more text\n", 5000),
		ReadOptions{Memory: 1000, TempDir: t.TempDir()})
	w, err := m.Wire(WireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan string)
	for range 4 {
		go func() {
			r, err := w.Open()
			if err != nil {
				results <- err.Error()
				return
			}
			b, err := io.ReadAll(r)
			if err != nil {
				b = []byte(err.Error())
			}
			results <- string(b)
		}()
	}
	first := <-results
	for range 3 {
		if other := <-results; other != first || int64(len(other)) != w.Size() {
			t.Errorf("%d and %d bytes", len(first), len(other))
		}
	}
}
