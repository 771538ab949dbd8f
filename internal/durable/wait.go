package durable

import (
	"context"
	"io/fs"
	"sync"
	"syscall"
)

// A flock(2) that waits can't be called off. So a goroutine waits in it, one for each path in this process, and
// serves whoever wants the lock when it gets it; when nobody does any more it lets go at once. The kernel wakes
// the waiters of all processes in the order in which they came, and forgets those that are killed or stopped.

var waiting struct {
	sync.Mutex
	paths map[waitKey][]*request // an entry for each path with a goroutine
}

type waitKey struct {
	o    *Ops
	path string
}

// request is a call of LockAny. It stands in the lists of all of its paths, and one of them settles it.
type request struct {
	settled bool // guarded by waiting
	got     chan granted
}

type granted struct {
	unlock func()
	err    error
}

// LockAny takes the first of several exclusive locks that gets free, each on a file of its own that is created
// with mode perm, and waits as long as ctx allows; the error then is ctx.Err(). Callers of all processes are
// served in the order in which they began to wait. The lock ends with unlock or with the process. After a call
// that gave up this process may hold a lock for a moment when it gets free, before it lets go.
func (o *Ops) LockAny(ctx context.Context, paths []string, perm fs.FileMode) (unlock func(), err error) {
	for _, path := range paths {
		if unlock, ok, err := o.TryLock(path, perm); ok || err != nil {
			return unlock, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &request{got: make(chan granted, 1)}
	waiting.Lock()
	for _, path := range paths {
		o.await(waitKey{o, path}, perm, r)
	}
	waiting.Unlock()
	select {
	case g := <-r.got:
		return g.unlock, g.err
	case <-ctx.Done():
	}
	waiting.Lock()
	settled := r.settled
	r.settled = true
	waiting.Unlock()
	if settled {
		if g := <-r.got; g.err == nil {
			g.unlock()
		}
	}
	return nil, ctx.Err()
}

// await puts a request into the list of a path. waiting is locked.
func (o *Ops) await(k waitKey, perm fs.FileMode, r *request) {
	list, running := waiting.paths[k]
	if waiting.paths == nil {
		waiting.paths = make(map[waitKey][]*request)
	}
	waiting.paths[k] = append(list, r)
	if !running {
		go o.serve(k, perm)
	}
}

// serve waits for a path's lock as long as somebody wants it.
func (o *Ops) serve(k waitKey, perm fs.FileMode) {
	for {
		unlock, err := o.flock(k.path, perm, syscall.LOCK_EX)
		waiting.Lock()
		r := first(k)
		if r != nil && err != errRemoved {
			r.settled = true
			r.got <- granted{unlock, err}
			unlock = nil
		}
		more := first(k) != nil
		if !more {
			delete(waiting.paths, k)
		}
		waiting.Unlock()
		if err == nil && unlock != nil {
			unlock()
		}
		if !more {
			return
		}
	}
}

// first returns the oldest request of a path that is not settled yet, nil for none. waiting is locked.
func first(k waitKey) *request {
	list := waiting.paths[k]
	for len(list) > 0 && list[0].settled {
		list = list[1:]
	}
	waiting.paths[k] = list
	if len(list) == 0 {
		return nil
	}
	return list[0]
}
