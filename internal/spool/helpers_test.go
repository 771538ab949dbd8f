package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/envelope"
)

// text is a message in memory.
type text string

func (m text) Size() int64                  { return int64(len(m)) }
func (m text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(m))), nil }

const hello = text("From: a@example.com\r\nSubject: hello\r\n\r\nhello\r\n")

// large does not fit into the buffer of a small message.
var large = text(strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n", 3000))

func to(addresses ...string) *envelope.Envelope {
	e := &envelope.Envelope{Sender: "a@example.com"}
	for _, a := range addresses {
		e.Recipients = append(e.Recipients, envelope.Recipient{Address: a})
	}
	return e
}

// warnings collects what the spool says.
type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) add(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, err.Error())
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.all, "\n")
}

// none fails the test if there was a warning.
func (w *warnings) none(t *testing.T) {
	t.Helper()
	if s := w.String(); s != "" {
		t.Errorf("warnings:\n%s", s)
	}
}

// clock stands still until it is set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 891234000, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t testing.TB, o Options) (*Spool, *warnings) {
	t.Helper()
	w := &warnings{}
	o.Warn = w.add
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "spool")
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, w
}

// without returns operations that do not wait for the disk, for tests that are not about it.
func withoutSync() *durable.Ops {
	o := *durable.System
	o.Sync = func(*os.File) error { return nil }
	o.Datasync = o.Sync
	return &o
}

func put(t testing.TB, s *Spool, env *envelope.Envelope, msg envelope.Message) string {
	t.Helper()
	id, err := s.Put(t.Context(), Meta{UID: 33, Origin: "test"}, env, msg)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func claim(t testing.TB, s *Spool, id string) *Item {
	t.Helper()
	it, err := s.Claim(id)
	if err != nil {
		t.Fatalf("claim %s: %v", id, err)
	}
	t.Cleanup(it.Unlock)
	return it
}

// claimSoon is claim after a failed unlock: then a process that another test is just
// starting may hold a copy of the lock until its exec.
func claimSoon(t testing.TB, s *Spool, id string) *Item {
	t.Helper()
	for range 1000 {
		it, err := s.Claim(id)
		if err == nil {
			return it
		}
		if !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("still busy")
	return nil
}

func contentOf(m envelope.Message) (string, error) {
	r, err := m.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = io.CopyBuffer(struct{ io.Writer }{&b}, r, make([]byte, 1000))
	return b.String(), err
}

// files lists the names under the spool, without the counts.
func files(t testing.TB, s *Spool) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{queueDir, failedDir} {
		if err := s.eachName(dir, func(n string) { all = append(all, dir+"/"+n) }); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	return all
}

func wantFiles(t testing.TB, s *Spool, want ...string) {
	t.Helper()
	if got := files(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

func list(t testing.TB, s *Spool) (all []Info) {
	t.Helper()
	err := s.List(t.Context(), func(i Info) bool { all = append(all, i); return true })
	if err != nil {
		t.Fatal(err)
	}
	return all
}
