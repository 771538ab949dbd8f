package spool

import (
	"os"
	"strings"
	"testing"
	"time"
)

// failOne puts a message that is refused for good into failed/, or one of which a recipient is
// still to do.
func failOne(t *testing.T, s *Spool, c *clock, msg text, todo bool) string {
	t.Helper()
	c.add(time.Second)
	id := put(t, s, to("b@example.com"), msg)
	it := claim(t, s, id)
	if !todo {
		if err := it.Mark(map[int]RecipientStatus{0: {State: Failed, Code: 550}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := it.Fail("refused"); err != nil {
		t.Fatal(err)
	}
	return id
}

func failedIDs(t *testing.T, s *Spool) string {
	t.Helper()
	ids, err := s.ids(failedDir)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(ids, " ")
}

// TestTrim: the oldest of what was refused goes, and is named; mail that nobody got and damaged
// files stay whatever their number.
func TestTrim(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]Limits{"number": {MaxFailed: 16},
		"bytes": {MaxFailedBytes: 16 * int64(len(hello))}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s, w := open(t, Options{Now: c.Now, Limits: l, Ops: withoutSync()})
			unprocessed := failOne(t, s, c, hello, true)
			damaged := failOne(t, s, c, hello, false)
			if err := os.Truncate(s.path(failedDir, damaged, suffixMessage), 700); err != nil {
				t.Fatal(err)
			}
			want := []string{unprocessed, damaged}
			var oldest []string
			for i := range 50 {
				id := failOne(t, s, c, hello, false)
				if i < 50-16 {
					oldest = append(oldest, id)
				} else {
					want = append(want, id)
				}
				if n := len(strings.Fields(failedIDs(t, s))); n > 2+16+2 {
					t.Fatalf("%d messages in failed/ after %d", n, i+1)
				}
			}
			if _, err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := failedIDs(t, s); got != strings.Join(want, " ") {
				t.Errorf("failed/ holds\n%s, want\n%s", got, strings.Join(want, " "))
			}
			for _, id := range oldest {
				if strings.Count(w.String(), "message "+id+" ") != 1 {
					t.Errorf("the removal of %s was not told once", id)
				}
				if _, err := os.Lstat(s.path(failedDir, id, suffixLog)); err == nil {
					t.Errorf("the log of %s is left", id)
				}
			}
		})
	}
}

// TestTrimLeavesWhatIsInUse: a message that somebody holds, or has put back, is left alone.
func TestTrimLeavesWhatIsInUse(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, w := open(t, Options{Now: c.Now, Ops: withoutSync()})
	held, back := failOne(t, s, c, hello, false), failOne(t, s, c, hello, false)
	failOne(t, s, c, hello, false)
	it, err := s.claim(failedDir, held)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Unlock()
	if err := s.Retry(back, 0); err != nil {
		t.Fatal(err)
	}
	s.o.Limits.MaxFailedBytes = 1
	swept, err := s.Sweep(t.Context())
	if err != nil || swept.Trimmed != 1 || failedIDs(t, s) != held {
		t.Errorf("%+v, %v; failed/ holds %s\n%s", swept, err, failedIDs(t, s), w)
	}
	if ids, err := s.IDs(); err != nil || len(ids) != 1 || ids[0] != back {
		t.Errorf("the queue holds %q, %v", ids, err)
	}
	if gone, err := s.removeClosed(back); gone || err != nil {
		t.Errorf("a message of the queue was removed: %v, %v", gone, err)
	}
}
