package quota

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
)

// reserve is Reserve without an error.
func reserve(t testing.TB, ledger *Ledger, recipients int, l Limits, now time.Time) time.Duration {
	t.Helper()
	wait, err := ledger.Reserve(account, recipients, l, now)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

func TestMessagesPerMinute(t *testing.T) {
	t.Parallel()
	ledger := testLedger(t, func(err error) { t.Error(err) })
	l := Limits{MessagesPerMinute: 3}
	for i, step := range []struct {
		at   time.Duration
		want time.Duration
	}{
		{0, 0}, {10 * time.Second, 0}, {20 * time.Second, 0},
		{20 * time.Second, 41 * time.Second}, {60 * time.Second, time.Second},
		{61 * time.Second, 0}, {62 * time.Second, 9 * time.Second}, {71 * time.Second, 0},
		{time.Hour, 0},
	} {
		if got := reserve(t, ledger, 1, l, testTime.Add(step.at)); got != step.want {
			t.Errorf("step %d: wait %v, want %v", i, got, step.want)
		}
	}
	if wait, _ := ledger.Reserve("other@contoso.com", 1, l, testTime); wait != 0 {
		t.Errorf("another account waits %v", wait)
	}
	one := Limits{MessagesPerMinute: 1}
	if wait, _ := ledger.Reserve(strings.ToUpper(account), 1, one, testTime.Add(time.Hour)); wait == 0 {
		t.Error("the same account in capitals is not the same")
	}
}

func TestRecipientsPerDay(t *testing.T) {
	t.Parallel()
	ledger := testLedger(t, nil)
	l := Limits{RecipientsPerDay: 1000}
	if wait := reserve(t, ledger, 600, l, testTime); wait != 0 {
		t.Error(wait)
	}
	if wait := reserve(t, ledger, 400, l, testTime.Add(time.Hour)); wait != 0 {
		t.Error(wait)
	}
	if wait := reserve(t, ledger, 1, l, testTime.Add(2*time.Hour)); wait != 22*time.Hour+time.Minute {
		t.Error(wait)
	}
	if wait := reserve(t, ledger, 601, l, testTime.Add(2*time.Hour)); wait != 23*time.Hour+time.Minute {
		t.Error(wait)
	}
	if _, err := ledger.Reserve(account, 1001, l, testTime.Add(72*time.Hour)); !errors.Is(err, ErrTooManyRecipients) {
		t.Error(err)
	}
	if m, r := ledger.Usage(account, testTime.Add(time.Hour)); m != 1 || r != 1000 {
		t.Errorf("usage %d, %d", m, r)
	}
	ledger.Unreserve(account, 600, testTime, testTime.Add(2*time.Hour))
	if wait := reserve(t, ledger, 500, l, testTime.Add(2*time.Hour)); wait != 0 {
		t.Error(wait)
	}
	if _, r := ledger.Usage(account, testTime.Add(25*time.Hour+time.Minute)); r != 500 {
		t.Errorf("a day later: %d", r)
	}
}

// TestWindowAgainstList compares with a plain list of events: never more than the limit
// within any minute, and never a longer wait than the list needs plus the width of a slot.
func TestWindowAgainstList(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	w := new(window)
	l := Limits{MessagesPerMinute: 30}
	now := testTime
	var sent []time.Time
	for range 20000 {
		now = now.Add(time.Duration(rnd.IntN(4000)) * time.Millisecond)
		recent := 0
		for _, s := range sent[max(0, len(sent)-40):] {
			if now.Sub(s) < time.Minute {
				recent++
			}
		}
		w.advance(now)
		wait := w.wait(1, l)
		if wait == 0 {
			if recent >= 30 {
				t.Fatalf("a 31st message within a minute at %v", now)
			}
			w.add(1, 1)
			sent = append(sent, now)
			continue
		}
		oldest := sent[len(sent)-30]
		if free := oldest.Add(time.Minute).Sub(now); wait > free+2*time.Second || wait < free-time.Second {
			t.Fatalf("wait %v, but the oldest is free in %v", wait, free)
		}
	}
}

func TestWindowAndClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		turn time.Duration
		want time.Duration
	}{
		{"a slow process", -5 * time.Second, 61 * time.Second},
		{"set back by an hour", -time.Hour, 61 * time.Second},
		{"set back by ten years", -87600 * time.Hour, 61 * time.Second},
		{"set back before 1970", -100 * 8766 * time.Hour, 61 * time.Second},
		{"set forward by ten years", 87600 * time.Hour, 0},
	} {
		w := new(window)
		w.advance(testTime)
		w.add(30, 500)
		w.advance(testTime.Add(c.turn))
		if got := w.wait(1, Limits{MessagesPerMinute: 30}); got != c.want {
			t.Errorf("%s: wait %v, want %v", c.name, got, c.want)
		}
		if _, r := w.totals(); c.turn < 0 && r != 500 {
			t.Errorf("%s: %d recipients", c.name, r)
		}
	}
	// Slow processes in between must not make what was counted older.
	w := new(window)
	w.advance(testTime)
	w.add(30, 0)
	for range 1000 {
		w.advance(testTime.Add(-time.Second))
		w.advance(testTime)
	}
	if got := w.wait(1, Limits{MessagesPerMinute: 30}); got != 61*time.Second {
		t.Errorf("after 1000 slow processes: wait %v", got)
	}
}

func TestWindowFileDamage(t *testing.T) {
	t.Parallel()
	l := Limits{MessagesPerMinute: 5}
	fill := func(t *testing.T) (*Ledger, string) {
		ledger := testLedger(t, func(err error) { t.Error(err) })
		for range 5 {
			reserve(t, ledger, 1, l, testTime)
		}
		path := ledger.path("count", account, "window")
		if st, err := os.Stat(path); err != nil || st.Size() != int64(2*windowSize) ||
			st.Mode() != durable.SharedFileMode {
			t.Fatal(st, err)
		}
		return ledger, path
	}
	t.Run("torn write", func(t *testing.T) {
		t.Parallel()
		ledger, path := fill(t)
		data, _ := os.ReadFile(path)
		older := 1 // five writings: sequence 4 is in the first copy
		copy(data[older*windowSize:], bytes.Repeat([]byte{0xff}, windowSize/2))
		write(t, path, data)
		if wait := reserve(t, ledger, 1, l, testTime); wait == 0 {
			t.Error("the newer copy was not used")
		}
	})
	for name, spoil := range map[string]func(t *testing.T, path string){
		"empty":   func(t *testing.T, path string) { write(t, path, nil) },
		"short":   func(t *testing.T, path string) { write(t, path, make([]byte, windowSize)) },
		"garbage": func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte{7}, 2*windowSize)) },
		"huge":    func(t *testing.T, path string) { _ = os.Truncate(path, 1<<40) },
		"open to others": func(t *testing.T, path string) {
			_ = os.Chmod(path, 0o666)
		},
		"link": func(t *testing.T, path string) {
			move(t, path, path+".x")
			_ = os.Symlink(path+".x", path)
		},
		"FIFO": func(t *testing.T, path string) {
			_ = os.Remove(path)
			_ = syscall.Mkfifo(path, 0o600)
		},
		"directory": func(t *testing.T, path string) {
			_ = os.Remove(path)
			_ = os.Mkdir(path, 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ledger, path := fill(t)
			spoil(t, path)
			for i := range 6 {
				if wait := reserve(t, ledger, 1, l, testTime); (wait > 0) != (i == 5) {
					t.Errorf("message %d: wait %v", i, wait)
				}
			}
		})
	}
}

func TestLimitsOff(t *testing.T) {
	t.Parallel()
	ledger := testLedger(t, nil)
	for range 100 {
		if wait := reserve(t, ledger, 1<<20, Limits{}, testTime); wait != 0 {
			t.Fatal(wait)
		}
	}
}

func TestCountAndSlotsWithoutDirectory(t *testing.T) {
	t.Parallel()
	for _, u := range unusable {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			var warnings []string
			ledger := testLedger(t, func(err error) { warnings = append(warnings, err.Error()) })
			u.make(t, ledger.dir)
			for range 3 {
				if wait := reserve(t, ledger, 1, Limits{MessagesPerMinute: 1}, testTime); wait != 0 {
					t.Error(wait)
				}
				release, err := ledger.Slot(t.Context(), account, 1)
				if err != nil {
					t.Fatal(err)
				}
				defer release()
			}
			want := 1 // for the directory, whatever is missed in it
			if u.name == "no locks" {
				want = 2
			}
			other := func(w string) bool { return !strings.Contains(w, u.reason) }
			if len(warnings) != want || slices.ContainsFunc(warnings, other) {
				t.Errorf("%q, want %d with %q", warnings, want, u.reason)
			}
		})
	}
}

func TestCountOnFullDisk(t *testing.T) {
	t.Parallel()
	warnings := 0
	ledger := testLedger(t, func(error) { warnings++ })
	reserve(t, ledger, 1, Limits{}, testTime) // makes the lock file
	if err := os.Remove(ledger.path("count", account, "window")); err != nil {
		t.Fatal(err)
	}
	ledger.dir.Ops = changed(func(o *durable.Ops) {
		o.Write = func(*os.File, []byte) (int, error) { return 0, syscall.ENOSPC }
	})
	for range 2 {
		if wait := reserve(t, ledger, 1, Limits{MessagesPerMinute: 1}, testTime); wait != 0 || warnings != 1 {
			t.Errorf("wait %v, %d warnings", wait, warnings)
		}
	}
}

func FuzzDecodeWindow(f *testing.F) {
	w := new(window)
	w.advance(testTime)
	w.add(3, 70)
	f.Add(w.encode())
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, data []byte) {
		w := new(window)
		if w.decode(data) == nil {
			w.advance(testTime)
			w.wait(1, Limits{MessagesPerMinute: 1, RecipientsPerDay: 1})
			w.add(1, 1)
		}
	})
}

func TestNoDirectoryIsNoFault(t *testing.T) {
	t.Parallel()
	ledger := New(testDir("", func(err error) { t.Error(err) }), nil)
	if _, err := ledger.Slot(t.Context(), account, 1); err != nil {
		t.Error(err)
	}
	if _, err := ledger.Reserve(account, 1, Limits{MessagesPerMinute: 1}, testTime); err != nil {
		t.Error(err)
	}
}
