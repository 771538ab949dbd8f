package agent

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: whoever has fewest messages under way comes next, however many another user has waiting.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		ctx := context.Background()
		big, small := who{uid: 33}, who{uid: 1001}
		for range 20 * atATime {
			go func() {
				if err := turns.wait(ctx, big); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
				turns.done(big)
			}()
			synctest.Wait()
		}
		begun := time.Now()
		if err := turns.wait(ctx, small); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > time.Second || turns.total > atATime {
			t.Errorf("a user with one message waited for %v, %d are under way", took, turns.total)
		}
		turns.done(small)
		gone, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := turns.wait(gone, big); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Hour)
		if turns.total != 0 || len(turns.waiting) != 0 || len(turns.under) != 0 {
			t.Errorf("%d are under way, %d wait", turns.total, len(turns.waiting))
		}
	})
}
