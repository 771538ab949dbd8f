package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
)

// damages are what can happen to a spool file, by accident or design.
var damages = []struct {
	name string
	do   func(path string, b []byte) error
}{
	{"empty", func(p string, b []byte) error { return os.Truncate(p, 0) }},
	{"cut in the head", func(p string, b []byte) error { return os.Truncate(p, 300) }},
	{"cut in the status", func(p string, b []byte) error { return os.Truncate(p, 700) }},
	{"cut in the message", func(p string, b []byte) error { return os.Truncate(p, int64(len(b)-1)) }},
	{"longer", func(p string, b []byte) error { return os.WriteFile(p, append(b, 'x'), fileMode) }},
	{"zeros", func(p string, b []byte) error { return os.WriteFile(p, make([]byte, len(b)), fileMode) }},
	{"text", func(p string, b []byte) error { return os.WriteFile(p, []byte("From: x\n\nhello\n"), fileMode) }},
	{"sender changed", func(p string, b []byte) error {
		return os.WriteFile(p, bytes.Replace(b, []byte(`from "a@`), []byte(`from "e@`), 1), fileMode)
	}},
	{"one byte of the message changed", func(p string, b []byte) error {
		b[len(b)-5] ^= 1
		return os.WriteFile(p, b, fileMode)
	}},
	{"another's content", func(p string, b []byte) error {
		return os.WriteFile(p, bytes.Replace(b, []byte("\nid 2"), []byte("\nid 3"), 1), fileMode)
	}},
	{"huge layout", func(p string, b []byte) error {
		return os.WriteFile(p, bytes.Replace(b, []byte("layout 00000512"), []byte("layout 99999488"), 1), fileMode)
	}},
	{"symbolic link", func(p string, b []byte) error {
		return errors.Join(os.Remove(p),
			os.Symlink("/etc/passwd", p))
	}},
	{"dangling link", func(p string, b []byte) error { return errors.Join(os.Remove(p), os.Symlink("/nowhere", p)) }},
	{"FIFO", func(p string, b []byte) error { return errors.Join(os.Remove(p), syscall.Mkfifo(p, fileMode)) }},
	{"directory", func(p string, b []byte) error { return errors.Join(os.Remove(p), os.Mkdir(p, dirMode)) }},
	{"hard link", func(p string, b []byte) error { return os.Link(p, filepath.Join(filepath.Dir(p), "../link")) }},
	{"hard link from outside", func(p string, b []byte) error {
		outside := filepath.Join(filepath.Dir(p), "../outside")
		return errors.Join(os.WriteFile(outside, b, fileMode), os.Remove(p), os.Link(outside, p))
	}},
}

func TestDamagedFileIsPutAside(t *testing.T) {
	t.Parallel()
	for _, d := range damages {
		for _, by := range []string{"claim", "sweep"} {
			t.Run(d.name+" "+by, func(t *testing.T) {
				t.Parallel()
				s, w := open(t, Options{})
				first, id, last := put(t, s, to("b@example.com"), hello), put(t, s, to("b@example.com"), hello),
					put(t, s, to("b@example.com"), hello)
				path := s.path(queueDir, id, suffixMessage)
				b, err := os.ReadFile(path)
				if err == nil {
					err = d.do(path, b)
				}
				if err != nil {
					t.Fatal(err)
				}
				listed := len(list(t, s))
				if by == "claim" {
					if _, err := s.Claim(id); !errors.Is(err, ErrDamaged) {
						t.Errorf("claim: %v", err)
					}
				} else if swept, err := s.Sweep(t.Context()); err != nil || swept.Quarantined+swept.Leftovers > 1 {
					t.Errorf("sweep: %+v, %v", swept, err)
				}
				if by == "sweep" && quiet(d.name) {
					_, _ = s.Claim(id)
				}
				if _, err := os.Lstat(s.path(failedDir, id, suffixMessage)); err != nil {
					t.Errorf("not kept in failed/: %v", err)
				}
				if !strings.Contains(w.String(), id+" was moved to failed/") {
					t.Errorf("warnings: %q", w)
				}
				for _, id := range []string{first, last} {
					claim(t, s, id)
				}
				if now := len(list(t, s)); now != 2 || listed < 2 {
					t.Errorf("%d messages listed before, %d after", listed, now)
				}
				if err := s.Remove(id); d.name != "directory" && err != nil {
					t.Errorf("remove: %v", err)
				}
			})
		}
	}
}

// quiet names the damage that only a whole reading or the lock's checks find.
func quiet(name string) bool {
	return name == "one byte of the message changed" || strings.HasPrefix(name, "hard link")
}

func TestDamagedLargeMessage(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{5000, large.Size() / 2, large.Size() + 1000} {
		s, w := open(t, Options{})
		id := put(t, s, to("b@example.com"), large)
		f, err := os.OpenFile(s.path(queueDir, id, suffixMessage), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("?"), at); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		it := claim(t, s, id)
		got, err := contentOf(it.Message())
		if !errors.Is(err, ErrDamaged) || len(got) >= int(large.Size()) {
			t.Errorf("byte %d: %d of %d bytes read, %v", at, len(got), large.Size(), err)
		}
		if err := it.Quarantine(err.Error()); err != nil {
			t.Fatal(err)
		}
		wantFiles(t, s, "failed/"+id+".log", "failed/"+id+".msg")
		if w.String() == "" {
			t.Error("no warning")
		}
		if st, err := s.Stats(); err != nil || st != (Stats{Failed: 1}) {
			t.Errorf("stats %+v, %v", st, err)
		}
	}
}

func TestForeignOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	s, w := open(t, Options{})
	id := put(t, s, to("b@example.com"), hello)
	if err := os.Chown(s.path(queueDir, id, suffixMessage), 12345, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(id); !errors.Is(err, ErrDamaged) || !strings.Contains(w.String(), "uid 12345") {
		t.Errorf("claim: %v; %s", err, w)
	}
}

func TestRootWorksForTheOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root works in another user's spool")
	}
	dir := t.TempDir() + "/spool"
	if err := errors.Join(os.Mkdir(dir, dirMode), os.Chown(dir, 12345, -1)); err != nil {
		t.Fatal(err)
	}
	s, w := open(t, Options{Dir: dir})
	id := put(t, s, to("b@example.com"), hello)
	claim(t, s, id).Log("a line")
	for _, path := range []string{dir, s.dir(queueDir), s.dir(failedDir), s.dir(usageName),
		s.path(queueDir, id, suffixMessage), s.path(queueDir, id, suffixLog)} {
		if st, err := os.Stat(path); err != nil || owner(st) != 12345 {
			t.Errorf("%s: %v, %v", path, st, err)
		}
	}
	w.none(t)
}

func TestNewerFormatIsLeftAlone(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{})
	id := put(t, s, to("b@example.com"), hello)
	path := s.path(queueDir, id, suffixMessage)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte("message 1\n"), []byte("message 2\nwhat=ever "), 1)
	if err := os.WriteFile(path, b, fileMode); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(id); !errors.Is(err, ErrNewer) {
		t.Errorf("claim: %v", err)
	}
	if swept, err := s.Sweep(t.Context()); err != nil || swept.Quarantined != 0 {
		t.Errorf("sweep: %+v, %v", swept, err)
	}
	if i, err := s.Get(id); !errors.Is(err, ErrNewer) || i.ID != id {
		t.Errorf("get: %+v, %v", i, err)
	}
	wantFiles(t, s, "queue/"+id+".msg")
	if !strings.Contains(w.String(), "left alone") {
		t.Errorf("warnings: %q", w)
	}
}

// TestTornStatus finds the message due as if it were new, for its own bytes are whole.
func TestTornStatus(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{})
	id := put(t, s, to("b@example.com", "c@example.com"), hello)
	it := claim(t, s, id)
	if err := errors.Join(it.Defer(time.Now().Add(time.Hour), "temporary", "x"),
		it.Mark(map[int]RecipientStatus{0: {State: Done}})); err != nil {
		t.Fatal(err)
	}
	it.Unlock()
	f, err := os.OpenFile(s.path(queueDir, id, suffixMessage), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("\x00\x00\x00"), sector+30)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	st := claim(t, s, id).Status()
	if !st.Lost || st.Attempts != 0 || !st.Next.IsZero() || st.Recipients[0].State != Done ||
		st.Recipients[1].State != Todo {
		t.Errorf("status %+v", st)
	}
	if !strings.Contains(w.String(), "sent twice") {
		t.Errorf("warnings: %q", w)
	}
}

func TestNoDescriptorsIsNoDamage(t *testing.T) {
	t.Parallel()
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EIO, syscall.ENOMEM} {
		for _, op := range []string{"open", "flock"} {
			s, w := open(t, Options{})
			id := put(t, s, to("b@example.com"), hello)
			s.ops = hooked(func(c call) error {
				if c.op == op {
					return errno
				}
				return c.do()
			})
			if _, err := s.Claim(id); !errors.Is(err, errno) || errors.Is(err, ErrDamaged) {
				t.Errorf("%s %v: %v", op, errno, err)
			}
			wantFiles(t, s, "queue/"+id+".msg")
			w.none(t)
		}
	}
}

func TestClaimOfMovedFile(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(path string) error{
		"removed":  os.Remove,
		"replaced": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, fileMode)) },
		"moved":    func(path string) error { return os.Rename(path, filepath.Dir(path)+"/../elsewhere") },
	} {
		s, w := open(t, Options{})
		id := put(t, s, to("b@example.com"), hello)
		done := false
		s.ops = hooked(func(c call) error {
			if c.op == "flock" && !done {
				done = true
				if err := meanwhile(c.path); err != nil {
					t.Error(err)
				}
			}
			return c.do()
		})
		if _, err := s.Claim(id); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
		w.none(t)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.now = time.Now()
	s, w := open(t, Options{Now: c.Now})
	id := put(t, s, to("b@example.com"), hello)
	claim(t, s, id).Log("kept, as its message is there")
	p, err := s.Begin(Meta{}, to("b@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte(large)); err != nil { // alive: its file is locked
		t.Fatal(err)
	}
	other := "20200101000000-0123456789abcdef"
	for _, name := range []string{other + suffixNew, other + suffixLog, durable.TempPrefix + "x", "README", "sub.msg"} {
		if err := os.WriteFile(s.dir(queueDir)+"/"+name, []byte("x"), fileMode); err != nil {
			t.Fatal(err)
		}
	}
	if swept, err := s.Sweep(t.Context()); err != nil || swept != (Swept{Messages: 1}) {
		t.Errorf("just written: %+v, %v", swept, err)
	}
	c.add(61 * time.Second)
	if swept, err := s.Sweep(t.Context()); err != nil || swept != (Swept{Messages: 1, Leftovers: 1}) {
		t.Errorf("young: %+v, %v", swept, err)
	}
	c.add(61 * time.Minute)
	if swept, err := s.Sweep(t.Context()); err != nil || swept != (Swept{Messages: 1, Leftovers: 2}) {
		t.Errorf("old: %+v, %v", swept, err)
	}
	p.Abort()
	wantFiles(t, s, "queue/"+id+".log", "queue/"+id+".msg", "queue/README", "queue/sub.msg")
	if n := strings.Count(w.String(), "left alone"); n != 1 || !strings.Contains(w.String(), "2 files in the queue") {
		t.Errorf("warnings: %s", w)
	}
}

// TestForeignFiles: any number of files is reported in one line, and again only when there are more.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{Ops: withoutSync()})
	add := func(from, to int) {
		for i := from; i < to; i++ {
			if err := os.WriteFile(fmt.Sprintf("%s/foreign\n-%d", s.dir(queueDir), i), nil, fileMode); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(0, 3000)
	for range 3 {
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.String(); strings.Count(got, "left alone") != 1 || !strings.Contains(got, "3000 files in the queue") ||
		!strings.Contains(got, `foreign\n-`) {
		t.Errorf("warnings: %q", got)
	}
	add(3000, 3001)
	if _, err := s.Sweep(t.Context()); err != nil || strings.Count(w.String(), "left alone") != 2 ||
		!strings.Contains(w.String(), "3001 files") {
		t.Errorf("warnings: %q, %v", w, err)
	}
}

// TestSweepBeforeTheLock lets a sweep come between the making of a file and its lock.
func TestSweepBeforeTheLock(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{Ops: withoutSync()})
	other, _ := open(t, Options{Dir: s.o.Dir, Ops: withoutSync()})
	locks := 0
	ops := *s.ops
	flock := ops.Flock
	ops.Flock = func(f *os.File, how int) error {
		if strings.HasSuffix(f.Name(), suffixNew) && how&syscall.LOCK_EX != 0 {
			if locks++; locks == 1 {
				g, err := os.Open(f.Name())
				if err != nil {
					t.Fatal(err)
				}
				if err := syscall.Flock(int(g.Fd()), syscall.LOCK_EX); err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(10*time.Millisecond, func() {
					_ = os.Remove(f.Name())
					_ = g.Close()
				})
			}
		}
		return flock(f, how)
	}
	s.ops = &ops
	id := put(t, s, to("b@example.com"), hello)
	if swept, err := other.Sweep(t.Context()); err != nil || swept != (Swept{Messages: 1}) || locks < 2 {
		t.Errorf("%s: %+v, %v, %d locks", id, swept, err, locks)
	}
	w.none(t)
}

// TestSweptBeforeTheLock lets a whole sweep come between the making of a file and its lock: what is locked then
// has no name any more.
func TestSweptBeforeTheLock(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{Ops: withoutSync()})
	later := func() time.Time { return time.Now().Add(2 * time.Minute) }
	other, _ := open(t, Options{Dir: s.o.Dir, Ops: withoutSync(), Now: later})
	ops := *s.ops
	flock, swept := ops.Flock, 0
	ops.Flock = func(f *os.File, how int) error {
		if strings.HasSuffix(f.Name(), suffixNew) && how&syscall.LOCK_EX != 0 && swept == 0 {
			var err error
			if swept, err = other.SweepLeftovers(); err != nil {
				t.Error(err)
			}
		}
		return flock(f, how)
	}
	s.ops = &ops
	id := put(t, s, to("b@example.com"), hello)
	if got, err := s.Get(id); err != nil || got.ID != id || swept != 1 {
		t.Errorf("%+v, %v; %d files were swept", got, err, swept)
	}
	w.none(t)
}
