package control

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/history"
	"o365-sendmail/internal/sysexits"
)

// pastRig is a rig with a history.
func pastRig(t *testing.T) (r *rig, put func(uid int, to string)) {
	r = newRig(t)
	dir := filepath.Join(r.dir, "history")
	r.local.hooks.History = func() string { return dir }
	w := &history.Writer{Warn: func(err error) { t.Error(err) }}
	w.Configure(history.Options{Dir: dir, Days: 30, Size: 1e6})
	return r, func(uid int, to string) {
		now := time.Now()
		w.Record(now, []history.Entry{{Time: now, ID: "20260304050607-0123456789abcdef", UID: uid, Recipient: to, Status: history.Sent}})
	}
}

func logOf(t *testing.T, h History, f history.Filter) string {
	t.Helper()
	var to []string
	damaged, err := h.Log(t.Context(), f, false, func(e *history.Entry) error {
		to = append(to, e.Recipient)
		return nil
	})
	if err != nil || damaged != 0 {
		t.Fatal(damaged, err)
	}
	return strings.Join(to, " ")
}

// TestOnlyOwnHistory: users see what became of their own mail, in lists and in sums.
func TestOnlyOwnHistory(t *testing.T) {
	t.Parallel()
	r, put := pastRig(t)
	put(alice, "a")
	put(bob, "b")
	put(-1, "unknown")
	put(0, "root")
	one, two := alice, bob
	for _, c := range []struct {
		uid  int
		f    history.Filter
		want string
	}{
		{0, history.Filter{}, "a b unknown root"}, {serviceUID, history.Filter{}, "a b unknown root"},
		{alice, history.Filter{}, "a"}, {bob, history.Filter{}, "b"}, {1003, history.Filter{}, ""},
		{-1, history.Filter{}, ""}, {alice, history.Filter{UID: &two}, ""}, {0, history.Filter{UID: &one}, "a"},
		{alice, history.Filter{Recipient: "b"}, ""}, {alice, history.Filter{IDs: []string{"20260304"}}, "a"},
	} {
		q := r.as(c.uid)
		if got := logOf(t, q, c.f); got != c.want {
			t.Errorf("uid %d with %v sees %q, want %q", c.uid, c.f.Query(), got, c.want)
		}
		s, err := q.Stats(t.Context(), 30, c.f.UID)
		if c.f.IDs == nil && c.f.Recipient == "" && (err != nil || s.All.Sent != int64(len(strings.Fields(c.want)))) {
			t.Errorf("uid %d: %+v %v", c.uid, s, err)
		}
	}
}

func TestHistoryRefuses(t *testing.T) {
	t.Parallel()
	r, _ := pastRig(t)
	q := r.as(0)
	none := func(*history.Entry) error { return nil }
	_, err := q.Log(t.Context(), history.Filter{Status: "gone"}, false, none)
	wantCode(t, err, sysexits.Usage)
	for _, days := range []int{0, -1, maxDays + 1} {
		_, err = q.Stats(t.Context(), days, nil)
		wantCode(t, err, sysexits.Usage)
	}
	r.local.hooks.History = nil
	_, err = r.as(0).Log(t.Context(), history.Filter{}, false, none)
	wantCode(t, err, sysexits.NoInput)
	_, err = r.as(alice).Stats(t.Context(), 1, nil)
	wantCode(t, err, sysexits.NoInput)
}

// TestFollowers: ten users follow at once, each hears of the own mail alone, and all end with their context.
func TestFollowers(t *testing.T) {
	t.Parallel()
	r, put := pastRig(t)
	put(alice, "old")
	var all sync.WaitGroup
	for uid := range 10 {
		q := r.as(2000 + uid)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		heard := ""
		all.Go(func() {
			defer cancel()
			_, err := q.Log(ctx, history.Filter{}, true, func(e *history.Entry) error {
				if heard += e.Recipient + " "; strings.Count(heard, " ") >= 3 {
					cancel()
				}
				return nil
			})
			mine := fmt.Sprintf("to%d ", 2000+uid)
			if n := strings.Count(heard, mine); err != nil || n < 3 || len(heard) != n*len(mine) {
				t.Errorf("uid %d heard %q, %v", 2000+uid, heard, err)
			}
		})
	}
	stop := make(chan struct{})
	var putting sync.WaitGroup
	putting.Go(func() {
		for { // until each follower has come
			for uid := range 10 {
				put(2000+uid, fmt.Sprintf("to%d", 2000+uid))
			}
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Millisecond):
			}
		}
	})
	all.Wait()
	close(stop)
	putting.Wait()
}
