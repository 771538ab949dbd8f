package spool

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

// failAt lets the n-th call fail, and if all is set every later one too. A failing
// write writes half, a failing close closes.
type failAt struct {
	n     int
	all   bool
	err   error
	count int
	hit   []string
}

func (f *failAt) hook(c call) error {
	i := f.count
	f.count++
	if i < f.n || i > f.n && !f.all {
		return c.do()
	}
	f.hit = append(f.hit, c.op+" "+filepath.Ext(c.path))
	switch c.op {
	case "write":
		_, _ = c.f.Write(c.data[:len(c.data)/2])
	case "close":
		_ = c.do()
	}
	return f.err
}

func exitCode(err error) int {
	switch err {
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.EROFS, syscall.EACCES, syscall.ENOENT:
		return sysexits.TempFail
	case syscall.EIO:
		return sysexits.IOErr
	}
	return sysexits.CantCreat
}

// TestPutFault lets each system call of Put fail once: the message is accepted and
// there, or it is refused and nothing is left.
func TestPutFault(t *testing.T) {
	t.Parallel()
	for name, msg := range map[string]text{"small": hello, "large": large, "tail": large} {
		put := (*Spool).Put
		if name == "tail" {
			put = func(s *Spool, ctx context.Context, meta Meta, env *envelope.Envelope, _ envelope.Message) (string, error) {
				return putTailed(ctx, s, meta, env, msg)
			}
		}
		for _, errno := range []error{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EMFILE, syscall.EROFS,
			syscall.EACCES, syscall.ENOENT, syscall.EFBIG} {
			t.Run(fmt.Sprintf("%s %v", name, errno), func(t *testing.T) {
				t.Parallel()
				s, _ := open(t, Options{Limits: Limits{MaxMessages: 100}})
				refused := 0
				for n := 0; ; n++ {
					f := &failAt{n: n, err: errno}
					s.ops = hooked(f.hook)
					id, err := put(s, t.Context(), Meta{UID: 1}, to("b@example.com"), msg)
					s.ops = s.o.Ops
					if err != nil {
						refused++
						if got := sysexits.Code(err, -1); got != exitCode(errno) || !errors.Is(err, errno) {
							t.Errorf("%v: exit code %d for %v", f.hit, got, err)
						}
						if left := files(t, s); len(left) > 0 {
							t.Fatalf("%v: left %v", f.hit, left)
						}
						continue
					}
					it := claimSoon(t, s, id)
					if got, err := contentOf(it.Message()); err != nil || got != string(msg) {
						t.Fatalf("%v: %d bytes, %v", f.hit, len(got), err)
					}
					if err := it.Delete(); err != nil {
						t.Fatal(err)
					}
					if f.hit == nil {
						break // all calls had their turn
					}
				}
				if refused < 6 {
					t.Errorf("only %d calls mattered", refused)
				}
				if st, err := s.Stats(); err != nil || st != (Stats{}) {
					t.Errorf("stats %+v, %v", st, err)
				}
			})
		}
	}
}

// TestPutFaultStays lets every call from the n-th on fail, so that cleaning up fails
// too: what was refused may only be a leftover then, or be warned of.
func TestPutFaultStays(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		s, w := open(t, Options{})
		f := &failAt{n: n, all: true, err: syscall.EIO}
		s.ops = hooked(f.hook)
		_, err := s.Put(t.Context(), Meta{UID: 1}, to("b@example.com"), large)
		s.ops = s.o.Ops
		if err == nil {
			// The promise holds from here on, whatever fails behind it.
			if len(list(t, s)) != 1 {
				t.Errorf("%v: accepted but not there", f.hit)
			}
			if f.hit == nil {
				break
			}
			continue
		}
		if len(list(t, s)) > 0 && !strings.Contains(w.String(), "may be delivered") {
			t.Errorf("%v: refused, but in the queue without a warning", f.hit)
		}
	}
}

// TestFullDiskCanBeMarked does what delivery needs while nothing new can be written.
func TestFullDiskCanBeMarked(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{})
	id := put(t, s, to("b@example.com", "c@example.com"), hello)
	size := func() int64 {
		i, err := s.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		return i.Size
	}
	before := size()
	s.ops = hooked(func(c call) error {
		if c.op == "write" || c.op == "open" && strings.HasSuffix(c.path, suffixLog) {
			return syscall.ENOSPC
		}
		return c.do()
	})
	it := claim(t, s, id)
	err := errors.Join(
		it.Mark(map[int]RecipientStatus{0: {State: Done}}),
		it.Defer(newClock().Now(), "temporary", strings.Repeat("long ", 200)),
		it.Hold("hold"), it.Release(),
		it.Mark(map[int]RecipientStatus{1: {State: Failed}}))
	if err != nil || size() != before {
		t.Fatal(err)
	}
	if err := it.Finish(); err != nil {
		t.Fatal(err)
	}
	w.none(t)
}

func TestMarkFault(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"pwrite", "fdatasync"} {
		s, _ := open(t, Options{})
		it := claim(t, s, put(t, s, to("b@example.com"), hello))
		s.ops = hooked(func(c call) error {
			if c.op == op {
				return syscall.EIO
			}
			return c.do()
		})
		if err := it.Mark(map[int]RecipientStatus{0: {State: Done}}); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", op, err)
		}
		// This process must not send it again, whatever the disk says.
		if len(it.Todo()) != 0 {
			t.Errorf("%s: still to do", op)
		}
	}
}

func TestMessageReadFault(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{})
	long := wrongSize{text: hello, size: 1000}
	if _, err := s.Put(t.Context(), Meta{}, to("b@example.com"), long); sysexits.Code(err, -1) != sysexits.IOErr {
		t.Errorf("a message that ends early: %v", err)
	}
	short := wrongSize{text: large, size: 10}
	if _, err := s.Put(t.Context(), Meta{}, to("b@example.com"), short); sysexits.Code(err, -1) != sysexits.IOErr {
		t.Errorf("a message that goes on: %v", err)
	}
	if _, err := s.Put(t.Context(), Meta{}, to(), hello); err == nil {
		t.Error("a message without recipients was taken")
	}
	wantFiles(t, s)
}

type wrongSize struct {
	text
	size int64
}

func (m wrongSize) Size() int64 { return m.size }

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Symlink("/", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "link"), filepath.Join(dir, "no", "parent"), "/dev/null"} {
		s, err := Open(Options{Dir: path})
		if code := sysexits.Code(err, -1); code != sysexits.CantCreat {
			t.Errorf("%s: %v, %v, exit code %d", path, s, err, code)
		}
	}
}
