package agent

import (
	"context"
	"runtime"
	"sync"
)

// turns let something be done a few at a time, in an order that does not depend on how much of it a user
// has waiting: root and the service user come next, then whoever has fewest under way.
type turns struct {
	most int

	mu      sync.Mutex
	under   map[who]int
	total   int
	waiting []*turn
}

type turn struct {
	who   who
	first bool
	begin chan struct{}
}

// atATime is how many messages are taken in at once when connections are short. More would not be faster:
// each waits for the disk and the processors.
const atATime = 16

// atWork is how many connections work at once, that is read commands and parse messages: those that do wait
// for nothing else. The more there are, the longer takes the one that somebody waits for.
func atWork() int { return max(4, 2*runtime.GOMAXPROCS(0)) }

// myTurns are the turns of one connection.
type myTurns struct {
	*turns
	g *guest
}

// Wait is in smtpd.Turns.
func (t myTurns) Wait(ctx context.Context) error { return t.wait(ctx, t.g) }

// Done is in smtpd.Turns.
func (t myTurns) Done() { t.done(t.g) }

// wait returns when it is the user's turn, or with the error of ctx. Each nil is followed by a done.
func (t *turns) wait(ctx context.Context, g *guest) error {
	t.mu.Lock()
	if t.under == nil {
		t.under = map[who]int{}
	}
	mine := &turn{g.who, g.trusted, make(chan struct{})}
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

func (t *turns) done(g *guest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total--
	if t.under[g.who]--; t.under[g.who] == 0 {
		delete(t.under, g.who)
	}
	t.next()
}

// next lets those begin for whom there is room. The mutex is held.
func (t *turns) next() {
	for t.total < t.most && len(t.waiting) > 0 {
		best := 0
		for i, w := range t.waiting {
			if t.before(w, t.waiting[best]) {
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

// before reports whether w comes before another one that has waited longer.
func (t *turns) before(w, other *turn) bool {
	if w.first != other.first {
		return w.first
	}
	return t.under[w.who] < t.under[other.who]
}
