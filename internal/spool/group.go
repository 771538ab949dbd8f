package spool

import "sync"

// group lets callers that come while a sync is running share the next one. Each
// gets the result of a sync that began after its call.
type group struct {
	sync    func() error
	running sync.Mutex
	mu      sync.Mutex
	next    *round
}

type round struct {
	done chan struct{}
	err  error
}

func (g *group) do() error {
	g.mu.Lock()
	r := g.next
	first := r == nil
	if first {
		r = &round{done: make(chan struct{})}
		g.next = r
	}
	g.mu.Unlock()
	if !first {
		<-r.done
		return r.err
	}
	g.running.Lock()
	g.mu.Lock()
	g.next = nil // who comes from here on may be too late for this sync
	g.mu.Unlock()
	r.err = g.sync()
	g.running.Unlock()
	close(r.done)
	return r.err
}
