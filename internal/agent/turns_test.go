package agent

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: whoever has fewest messages under way comes next, however many another user has waiting.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := turns{most: atATime}
		ctx := context.Background()
		big, small := &guest{who: who{uid: 33}}, &guest{who: who{uid: 1001}}
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
		turns.mu.Lock()
		total := turns.total
		turns.mu.Unlock()
		if took := time.Since(begun); took > time.Second || total > atATime {
			t.Errorf("a user with one message waited for %v, %d are under way", took, total)
		}
		turns.done(small)
		gone, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := turns.wait(gone, big); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Hour)
		turns.mu.Lock()
		defer turns.mu.Unlock()
		if turns.total != 0 || len(turns.waiting) != 0 || len(turns.under) != 0 {
			t.Errorf("%d are under way, %d wait", turns.total, len(turns.waiting))
		}
	})
}

// TestTrustedTurns: root comes before users who wait for their first turn.
func TestTrustedTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := turns{most: 1}
		var order []int
		next := func(g *guest) {
			if err := turns.wait(t.Context(), g); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			turns.mu.Lock()
			order = append(order, g.who.uid)
			turns.mu.Unlock()
			turns.done(g)
		}
		for _, g := range []*guest{{who: who{uid: 1}}, {who: who{uid: 2}}, {who: who{uid: 3}},
			{who: who{uid: 0}, trusted: true}} {
			go next(g)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		turns.mu.Lock()
		defer turns.mu.Unlock()
		if want := []int{1, 0, 2, 3}; !slices.Equal(order, want) {
			t.Errorf("the order was %v, want %v", order, want)
		}
	})
}
