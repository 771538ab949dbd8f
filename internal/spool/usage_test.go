package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/sysexits"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	n := hello.Size()
	for _, c := range []struct {
		name   string
		limits Limits
		others int // messages of another user in the queue
		own    int // how many are taken of one's own
		what   string
	}{
		{"none", Limits{}, 2, 20, ""},
		{"messages", Limits{MaxMessages: 5}, 2, 3, "spool.max_messages"},
		{"bytes", Limits{MaxBytes: 5*n + 1}, 2, 3, "spool.max_bytes"},
		{"messages of a user", Limits{MaxMessagesPerUser: 4}, 4, 4, "spool.max_messages_per_user"},
		{"bytes of a user", Limits{MaxBytesPerUser: 4 * n}, 4, 4, "spool.max_bytes_per_user"},
		{"room on the disk", Limits{KeepFree: 1 << 60}, 0, 0, "spool.keep_free"},
		{"enough room", Limits{KeepFree: 1}, 0, 20, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, w := open(t, Options{Limits: c.limits, Ops: withoutSync()})
			for range c.others {
				if _, err := s.Put(t.Context(), Meta{UID: 1}, to("b@example.com"), hello); err != nil {
					t.Fatal(err)
				}
			}
			taken, err := 0, error(nil)
			for taken < 20 && err == nil {
				if _, err = s.Put(t.Context(), Meta{UID: 2}, to("b@example.com"), hello); err == nil {
					taken++
				}
			}
			if taken != c.own {
				t.Errorf("%d were taken, want %d: %v", taken, c.own, err)
			}
			var limit *LimitError
			if c.what == "" && err != nil || c.what != "" &&
				(!errors.As(err, &limit) || !strings.Contains(err.Error(), c.what) ||
					sysexits.Code(err, -1) != sysexits.TempFail) {
				t.Errorf("error %v", err)
			}
			// A large message is refused before it is written.
			if _, err := s.Put(t.Context(), Meta{UID: 2}, to("b@example.com"), large); (err == nil) != (c.what == "") {
				t.Errorf("large: %v", err)
			}
			if _, err := s.Put(t.Context(), Meta{UID: 2, Internal: true}, to("b@example.com"), hello); err != nil {
				t.Errorf("a report: %v", err)
			}
			for _, i := range list(t, s) {
				if err := s.Remove(i.ID); err != nil {
					t.Error(err)
				}
			}
			if st, err := s.Stats(); err != nil || st != (Stats{}) {
				t.Errorf("stats %+v, %v", st, err)
			}
			w.none(t)
		})
	}
}

// TestCountsAreCorrected spoils the counts in every way: mail is only refused for what
// is in the queue.
func TestCountsAreCorrected(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string, b []byte) error{
		"deleted": func(p string, b []byte) error { return os.Remove(p) },
		"empty":   func(p string, b []byte) error { return os.Truncate(p, 0) },
		"cut":     func(p string, b []byte) error { return os.Truncate(p, 100) },
		"too large": func(p string, b []byte) error {
			return os.WriteFile(p, []byte(strings.Repeat(string(b), 1+maxUsage/len(b))), fileMode)
		},
		"garbage": func(p string, b []byte) error {
			return os.WriteFile(p, []byte(strings.Repeat("x", 2*usageLine)), fileMode)
		},
		"too high": func(p string, b []byte) error {
			return os.WriteFile(p, []byte(strings.Replace(string(b), "messages 0000000002", "messages 0000000009", 1)),
				fileMode)
		},
		"negative": func(p string, b []byte) error {
			return os.WriteFile(p, []byte(strings.Replace(string(b), "messages 0000000002", "messages -000000002", 1)),
				fileMode)
		},
		"in future": func(p string, b []byte) error {
			return os.WriteFile(p, []byte(strings.Replace(string(b), "counted 2026", "counted 2036", 1)), fileMode)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s, w := open(t, Options{Limits: Limits{MaxMessages: 3}, Now: c.Now})
			for range 2 {
				put(t, s, to("b@example.com"), hello)
			}
			path := s.dir(usageName)
			b, err := os.ReadFile(path)
			if err == nil {
				err = spoil(path, b)
			}
			if err != nil {
				t.Fatal(err)
			}
			c.add(2 * usageTrust)
			put(t, s, to("b@example.com"), hello)
			if _, err := s.Put(t.Context(), Meta{UID: 33}, to("b@example.com"), hello); sysexits.Code(err,
				-1) != sysexits.TempFail {
				t.Errorf("the fourth: %v", err)
			}
			if st, err := s.Stats(); err != nil || st.Messages != 3 {
				t.Errorf("stats %+v, %v", st, err)
			}
			w.none(t)
		})
	}
}

// TestCountingStopsNobody lets messages come and go while the queue is counted: each is counted once.
func TestCountingStopsNobody(t *testing.T) {
	t.Parallel()
	n := hello.Size()
	for name, c := range map[string]struct {
		during func(t *testing.T, s *Spool, see func(Info), first, second string)
		want   int
	}{
		"nothing happens": {func(*testing.T, *Spool, func(Info), string, string) {}, 2},
		"one comes, and the look finds it": {func(t *testing.T, s *Spool, see func(Info), _, _ string) {
			id := put(t, s, to("b@example.com"), hello)
			i, err := s.Get(id)
			if err != nil {
				t.Error(err)
			}
			see(i)
		}, 3},
		"one comes unseen": {func(t *testing.T, s *Spool, _ func(Info), _, _ string) {
			put(t, s, to("b@example.com"),
				hello)
		}, 3},
		"one leaves": {func(t *testing.T, s *Spool, _ func(Info), first, _ string) {
			if err := s.Remove(first); err != nil {
				t.Error(err)
			}
		}, 1},
		"one fails and comes back": {func(t *testing.T, s *Spool, _ func(Info), first, second string) {
			for _, id := range []string{first, second} {
				it, err := s.Claim(id)
				if err == nil {
					err = it.Fail("no")
				}
				if err != nil {
					t.Error(err)
				}
			}
			if err := s.Retry(second, 0); err != nil {
				t.Error(err)
			}
		}, 1},
		"all leave and three come": {func(t *testing.T, s *Spool, _ func(Info), first, second string) {
			for range 3 {
				put(t, s, to("b@example.com"), hello)
			}
			if err := errors.Join(s.Remove(first), s.Remove(second)); err != nil {
				t.Error(err)
			}
		}, 3},
	} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, table lost %v", name, lost), func(t *testing.T) {
				t.Parallel()
				s, w := open(t, Options{Ops: withoutSync()})
				first, second := put(t, s, to("b@example.com"), hello), put(t, s, to("b@example.com"), hello)
				if lost {
					if err := os.Remove(s.dir(usageName)); err != nil {
						t.Fatal(err)
					}
				}
				err := s.usage.recountBy(func(see func(Info)) error {
					for _, i := range list(t, s) {
						see(i)
					}
					c.during(t, s, see, first, second)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if st, err := s.Stats(); err != nil || st.Messages != c.want || st.Bytes != int64(c.want)*n {
					t.Errorf("stats %+v, %v", st, err)
				}
				w.none(t)
			})
		}
	}
}

// TestCountingUnderWay counts again and again while messages come and go: at the end the count is right.
func TestCountingUnderWay(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{Ops: withoutSync()})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, b := put(t, s, to("b@example.com"), hello), put(t, s, to("b@example.com"), large)
				if err := errors.Join(s.Remove(a), s.Remove(b)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	kept := put(t, s, to("b@example.com"), hello)
	for range 50 {
		if err := s.usage.recount(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if st, err := s.Stats(); err != nil || st != (Stats{Messages: 1, Bytes: hello.Size()}) {
		t.Errorf("with %s: %+v, %v", kept, st, err)
	}
}

// TestUnusableCounts takes the mail and says that the bounds do not hold.
func TestUnusableCounts(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]string{"can't be opened": "open", "can't be locked": "flock",
		"can't be written": "pwrite"} {
		s, w := open(t, Options{Limits: Limits{MaxMessages: 3}})
		s.ops = hooked(func(c call) error {
			if c.op == op && strings.HasSuffix(c.path, usageName) {
				return syscall.EACCES
			}
			return c.do()
		})
		put(t, s, to("b@example.com"), hello)
		if !strings.Contains(w.String(), "counts can't be") {
			t.Errorf("%s: warnings %q", name, w)
		}
	}
}

func TestCountsOfManyUsers(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{Limits: Limits{MaxMessagesPerUser: 2}, Ops: withoutSync()})
	for uid := -1; uid < 50; uid++ {
		for range 2 {
			if _, err := s.Put(t.Context(), Meta{UID: uid}, to("b@example.com"), hello); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, i := range list(t, s) {
		if err := s.Remove(i.ID); err != nil {
			t.Fatal(err)
		}
	}
	// The lines of users without mail serve others.
	for uid := 1000; uid < 1050; uid++ {
		if _, err := s.Put(t.Context(), Meta{UID: uid}, to("b@example.com"), hello); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := os.Stat(s.dir(usageName)); err != nil || st.Size() != 52*usageLine {
		t.Errorf("%d bytes, %v", st.Size(), err)
	}
	w.none(t)
}

func Test200Writers(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{Limits: Limits{MaxMessages: 1000}})
	// What comes during the first counting of all may be counted twice, until the next.
	if _, err := s.Stats(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			msg := hello
			if n%20 == 0 {
				msg = large
			}
			if _, err := s.Put(t.Context(), Meta{UID: n % 7}, to("b@example.com"), msg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(list(t, s)); n != 200 {
		t.Errorf("%d messages", n)
	}
	for _, i := range list(t, s) {
		if _, err := contentOf(claim(t, s, i.ID).Message()); err != nil {
			t.Error(err)
		}
	}
	if st, err := s.Stats(); err != nil || st != (Stats{Messages: 200, Bytes: 190*hello.Size() + 10*large.Size()}) {
		t.Errorf("stats %+v, %v", st, err)
	}
	w.none(t)
}

// TestWritersShareSyncs has all wait while one fsync of the directory runs: one more
// serves them all.
func TestWritersShareSyncs(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	syncs, waiting := 0, make(chan struct{})
	g := group{sync: func() error {
		mu.Lock()
		syncs++
		first := syncs == 1
		mu.Unlock()
		if first {
			<-waiting
		}
		return errors.New("shared")
	}}
	var wg sync.WaitGroup
	call := func() {
		if err := g.do(); err == nil || err.Error() != "shared" {
			t.Errorf("error %v", err)
		}
	}
	wg.Go(call)
	for g.running.TryLock() { // until the first one runs
		g.running.Unlock()
		time.Sleep(time.Millisecond)
	}
	for range 50 {
		wg.Go(call)
	}
	close(waiting)
	wg.Wait()
	if syncs < 2 || syncs > 51 {
		t.Errorf("%d syncs", syncs)
	}
}

// TestCountsOfTwo: two processes that change the counts in turn see what the other has changed.
func TestCountsOfTwo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	a, _ := open(t, Options{Dir: dir})
	b, _ := open(t, Options{Dir: dir})
	want, random := map[int]int{}, rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		uid, n := random.IntN(20), 1
		if want[uid] > 0 && random.IntN(2) == 0 {
			n = -1
		}
		want[uid] += n
		got := map[int]int{}
		if err := []*Spool{a, b}[random.IntN(2)].usage.update(func(tab *table) {
			tab.all = i%50 == 49
			if own := tab.of(1000); own.messages != 0 {
				t.Errorf("%+v", own)
			}
			tab.add(uid, n, int64(n))
			for _, c := range tab.users {
				got[c.uid] += c.messages
			}
		}); err != nil {
			t.Fatal(err)
		}
		for uid, n := range want {
			if got[uid] != n {
				t.Fatalf("change %d: user %d has %d, want %d", i, uid, got[uid], n)
			}
		}
	}
}

// TestTableOfManyUsers: each message reads the table, so that its lines cost no memory of their own.
func TestTableOfManyUsers(t *testing.T) { // not beside others, whose allocations would count
	tab := table{counted: newClock().now}
	for i := range 2000 {
		tab.add(i-1, i+1, int64(i)<<20)
	}
	text := tab.headLine()
	for _, c := range tab.users {
		text = append(text, c.line()...)
	}
	got, ok := parseTable(text, nil, nil)
	if !ok || !slices.Equal(got.users, tab.users) {
		t.Errorf("%v, %+v", ok, got)
	}
	if n := testing.AllocsPerRun(10, func() { got, _ = parseTable(text, nil, got.users) }); n > 5 {
		t.Errorf("%v allocations for %d lines", n, len(got.users))
	}
	for _, line := range []string{"", "uid", "uid 1 messages 2", "uid x messages 2 bytes 3", "uid 1 messages -2 bytes 3",
		"uid 1 messages 2 bytes 3 x", "uid 1 messages 2 bytes 3x", "uid 1  messages 2 bytes", "uid - messages 2 bytes 3",
		"uid 1 messages 2 bytes 1234567890123456789", "uid 1234567890123456789 messages 2 bytes 3"} {
		if c, ok := parseCount(fmt.Appendf(nil, "%-63s\n", line)); ok {
			t.Errorf("%q: %+v", line, c)
		}
	}
}
