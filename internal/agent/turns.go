package agent

import (
	"context"
	"sync"
)

// turns lets messages be taken in a few at a time when connections are short, in an order that does not
// depend on how many a user has: whoever has fewest under way comes next.
type turns struct {
	mu      sync.Mutex
	under   map[who]int
	total   int
	waiting []*turn
}

type turn struct {
	who   who
	begin chan struct{}
}

// atATime is how many messages are taken in at once then. More would not be faster: each waits for the
// disk and two processors.
const atATime = 16

// wait returns when it is the user's turn, or with the error of ctx. Each nil is followed by a done.
func (t *turns) wait(ctx context.Context, name who) error {
	t.mu.Lock()
	if t.under == nil {
		t.under = map[who]int{}
	}
	mine := &turn{name, make(chan struct{})}
	t.waiting = append(t.waiting, mine)
	t.next()
	t.mu.Unlock()
	select {
	case <-mine.begin:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, w := range t.waiting {
		if w == mine {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			return context.Cause(ctx)
		}
	}
	return nil // it came at the same moment
}

func (t *turns) done(name who) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total--
	if t.under[name]--; t.under[name] == 0 {
		delete(t.under, name)
	}
	t.next()
}

// next lets those begin for whom there is room. The mutex is held.
func (t *turns) next() {
	for t.total < atATime && len(t.waiting) > 0 {
		best := 0
		for i, w := range t.waiting {
			if t.under[w.who] < t.under[t.waiting[best].who] {
				best = i
			}
		}
		w := t.waiting[best]
		t.waiting = append(t.waiting[:best], t.waiting[best+1:]...)
		t.total++
		t.under[w.who]++
		close(w.begin)
	}
}
