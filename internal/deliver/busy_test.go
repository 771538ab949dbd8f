package deliver

import (
	"context"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/spool"
)

// TestAllConnectionsBusy: a process that gets no connection of its own leaves its message to
// a run of the queue, and answers as soon as that has sent it.
func TestAllConnectionsBusy(t *testing.T) {
	t.Parallel()
	const wait = time.Minute
	for _, c := range []struct {
		name      string
		run       func(r *rig) bool
		cancel    bool // the caller is ended meanwhile
		delivered bool
	}{
		{"a run sends it", func(r *rig) bool {
			var run sync.WaitGroup
			run.Go(func() {
				if _, err := r.e.RunOnce(context.Background(), Selection{}, nil); err != nil {
					r.t.Error(err)
				}
			})
			r.t.Cleanup(run.Wait)
			return true
		}, false, true},
		{"no run can be started", func(*rig) bool { return false }, false, false},
		{"the run is stuck", func(*rig) bool { return true }, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{})
			a := r.e.config().Account
			release := func() {}
			for range a.Connections {
				free, ok := a.Quota.TrySlot(a.User(testEnvelope(r.em.Mailbox)), a.Connections)
				if !ok {
					t.Fatal("no slot")
				}
				before := release
				release = func() { before(); free() }
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			runs := 0
			d := NewEngine(EngineOptions{Config: Config{Account: a, Wait: wait}, Spool: r.sp,
				Alone: &Alone{Run: func() bool {
					if runs++; len(r.ids()) != 1 {
						t.Errorf("%d messages in the queue when a run is asked for", len(r.ids()))
					}
					release()
					if c.cancel {
						cancel()
					}
					return c.run(r)
				}}})
			begun := time.Now()
			receipt, err := d.Submit(ctx, testEnvelope(r.em.Mailbox), testMessage(r.em.Mailbox, "busy"))
			if err != nil || !receipt.Queued || !spool.ValidID(receipt.QueueID) || runs != 1 || time.Since(begun) > wait/2 {
				t.Errorf("after %v and %d runs: %+v, %v", time.Since(begun), runs, receipt, err)
			}
			if waits := r.sp.Waits(receipt.QueueID); waits == c.delivered {
				t.Errorf("still in the queue: %v", waits)
			}
			if n := r.em.Stats().Messages; (n == 1) != c.delivered {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}
