package fleet

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"o365-sendmail/internal/quota"
)

// Options say who belongs to a fleet, and what it shares.
type Options struct {
	// Servers are NATS URLs. With three or more everything is kept three times (R3).
	Servers []string
	// Name is the fleet's, Host this host's in it, Version this program's.
	Name, Host, Version string
	// TLS is for tls:// servers; nil for none.
	TLS *tls.Config
	// NKeySeed signs in; nil for none.
	NKeySeed []byte
	// Limits are each mailbox's. The first host of a fleet makes them the fleet's.
	Limits quota.Limits
	// Connections is how many sessions all hosts may have to a mailbox, by this host's configuration; here, too, the
	// first host's counts. 0 is what each one asks for.
	Connections int
	// Local is this host's own limiter, which is asked first and counts along.
	Local quota.Host
	// Backlog says how this host's queue is. nil says nothing.
	Backlog func() quota.Backlog
	// Answer answers a request of another host, in parts; nil answers none.
	Answer func(ctx context.Context, request []byte, part func([]byte) error) error
	// Warn hears what is wrong but stops nothing, once; may be nil.
	Warn func(error)
	// Minute, Day and TTL are shorter in tests; 0 is 60 s, 24 h and 20 s. A TTL has whole seconds.
	Minute, Day, TTL time.Duration
	// Wait is how long somebody who asks waits for the servers; longer, and they count as unreachable. 0 is 500 ms.
	Wait time.Duration
}

// callTimeout bounds every call that nobody waits for.
const callTimeout = 2 * time.Second

// Fleet is a host's membership. It is safe for concurrent use.
type Fleet struct {
	o    Options
	id   string // of this process
	link *link
	view *view
	seen counts

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup
	held sync.WaitGroup // slots

	mu     sync.Mutex
	js     jetstream.JetStream // of the connection; nil before the first
	slots  int                 // of a mailbox, by the bucket; 0 if it does not say
	boxes  map[string]*box
	marks  map[string]mark // by stream
	names  map[string]bool // of the mailboxes that slots were asked for
	away   bool            // before the last join, for longer than a minute
	wants  map[string]int  // who waits for a slot, by mailbox
	told   map[string]bool
	faults map[string]error
}

var _ quota.Member = (*Fleet)(nil)

// Open joins a fleet. It returns at once: until the servers answer, all answers are unknown.
func Open(o Options) (*Fleet, error) {
	o.Minute, o.Day, o.TTL = cmp.Or(o.Minute, time.Minute), cmp.Or(o.Day, 24*time.Hour), cmp.Or(o.TTL, 20*time.Second)
	o.Wait = cmp.Or(o.Wait, 500*time.Millisecond)
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	f := &Fleet{o: o, id: nuid.Next(), link: newLink(errors.New("the fleet's servers have not answered yet")),
		boxes: map[string]*box{}, marks: map[string]mark{}, names: map[string]bool{}, wants: map[string]int{}, told: map[string]bool{}, faults: map[string]error{}}
	f.view = newView(f)
	options, err := f.connectOptions()
	if err != nil {
		return nil, err
	}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.work.Go(func() { f.attend(options) })
	return f, nil
}

// Close leaves the fleet once all slots are released: what was taken ahead goes back.
func (f *Fleet) Close() {
	f.held.Wait()
	f.stop()
	f.work.Wait()
}

// attend keeps the connection, and finds out whether the servers answer.
func (f *Fleet) attend(options nats.Options) {
	var nc *nats.Conn
	defer func() {
		if nc != nil {
			f.leave()
			nc.Close()
		}
	}()
	for f.ctx.Err() == nil {
		var err error
		if nc == nil {
			nc, err = options.Connect()
			if err != nil {
				nc, err = nil, f.explain(err)
			} else {
				err = f.serveAsked(nc)
			}
		}
		if err == nil {
			err = f.join(nc)
		}
		if err == nil {
			// All hosts are here at the same time when the servers come back, and sessions of each one's share end.
			if e := f.link.unknown(1); e != nil {
				if !f.pause(f.o.TTL/20, f.o.TTL/10) {
					return
				}
				f.back(e.For >= f.o.Minute)
			}
			f.stay()
			continue
		}
		f.link.trip(err)
		if !f.pause(500*time.Millisecond, 2*time.Second) {
			return
		}
	}
}

// back has the servers answer again. What this host sent by itself meanwhile is counted first.
func (f *Fleet) back(away bool) {
	f.mu.Lock()
	f.away = away
	names := slices.Collect(maps.Keys(f.names))
	f.mu.Unlock()
	f.link.mend()
	for _, name := range names {
		if away && f.o.Limits.MessagesPerMinute > 0 {
			f.later(func(ctx context.Context) { _, _ = f.mailbox(ctx, name) })
		}
	}
}

// stay says that this host is there, as long as the servers answer.
func (f *Fleet) stay() {
	select { // what was tripped before is over
	case <-f.link.wake:
	default:
	}
	for f.link.unknown(1) == nil {
		if err := f.sayHost(f.o.Wait); err != nil {
			f.link.trip(f.explain(err))
			return
		}
		if f.view.stalled() && !f.watchAgain() {
			return
		}
		tick := time.NewTimer(f.o.TTL / 4)
		select {
		case <-tick.C:
			f.later(f.checkCounts)
		case <-f.view.wanting:
		case <-f.link.wake:
		case <-f.ctx.Done():
			tick.Stop()
			return
		}
		tick.Stop()
	}
}

// watchAgain has the view begin afresh. It returns false when the servers do not let it.
func (f *Fleet) watchAgain() bool {
	ctx, cancel := context.WithTimeout(f.ctx, callTimeout)
	defer cancel()
	err := f.view.watch(ctx, f.stream())
	if err != nil {
		f.link.trip(f.explain(err))
	}
	return err == nil
}

// pause waits at least for d, and up to as much as jitter longer. It returns false when the fleet is left.
func (f *Fleet) pause(d, jitter time.Duration) bool {
	t := time.NewTimer(d + time.Duration(rand.Float64()*float64(jitter)))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-f.ctx.Done():
		return false
	}
}

// leave takes back what this host said, as far as the servers take it.
func (f *Fleet) leave() {
	f.mu.Lock()
	boxes := f.boxes
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	for _, b := range boxes {
		if t := b.takeAhead(f); t != nil {
			f.drop(ctx, b, t)
		}
	}
	_, _ = f.put(ctx, f.hostKey(), nil, del, ttl(time.Second))
	f.view.stop()
}

// stream is the connection's, nil before the first.
func (f *Fleet) stream() jetstream.JetStream {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.js
}

// call asks the servers for one who waits for the answer.
func (f *Fleet) call(ctx context.Context, ask func(ctx context.Context, js jetstream.JetStream) error) error {
	if e := f.link.unknown(f.hosts()); e != nil {
		return e
	}
	in, cancel := context.WithTimeout(ctx, f.o.Wait)
	defer cancel()
	err := ask(in, f.stream())
	if err == nil || isRefusal(err) || ctx.Err() != nil {
		return err
	}
	f.link.trip(f.explain(err))
	return cmp.Or[error](f.link.unknown(f.hosts()), err)
}

// later does what nobody waits for.
func (f *Fleet) later(do func(ctx context.Context)) {
	f.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), callTimeout)
		defer cancel()
		do(ctx)
	})
}

// note keeps a fault that does not stop the fleet, and warns of it once; nil takes it back.
func (f *Fleet) note(key string, err error) {
	f.mu.Lock()
	if err == nil {
		delete(f.faults, key)
		f.mu.Unlock()
		return
	}
	f.faults[key] = err
	tell := !f.told[err.Error()]
	f.told[err.Error()] = true
	f.mu.Unlock()
	if tell {
		f.o.Warn(fmt.Errorf("fleet %s: %w", f.o.Name, err))
	}
}

// Faults is quota.Member's.
func (f *Fleet) Faults() (all []error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, err := range f.faults {
		all = append(all, err)
	}
	return all
}

// Reach is quota.Member's.
func (f *Fleet) Reach() error {
	if e := f.link.unknown(f.hosts()); e != nil {
		return e
	}
	return nil
}
