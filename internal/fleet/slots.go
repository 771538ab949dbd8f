package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"o365-sendmail/internal/quota"
)

// TrySlot is quota.Limiter's.
func (f *Fleet) TrySlot(ctx context.Context, account string, n int) (quota.Slot, error) {
	begun := boottime()
	s, err := f.trySlot(ctx, account, n)
	f.seen.waited(begun, err)
	return s, err
}

// trySlot takes a slot of this host first, then one of the fleet's.
func (f *Fleet) trySlot(ctx context.Context, account string, n int) (quota.Slot, error) {
	f.mu.Lock()
	f.names[strings.ToLower(account)] = true
	f.mu.Unlock()
	if e := f.link.unknown(f.hosts()); e != nil {
		return quota.Slot{}, e
	}
	local, err := f.o.Local.TrySlot(ctx, account, n)
	if err != nil {
		return quota.Slot{}, err
	}
	l, err := f.acquire(ctx, account, f.slotsOf(n))
	if err != nil {
		local.Release()
		return quota.Slot{}, err
	}
	return quota.Slot{Lost: l.lost, Cut: l.cut, Wanted: l.wanted, Release: func() {
		l.release()
		local.Release()
	}}, nil
}

// Slot is quota.Limiter's. Other hosts hear that this one waits.
func (f *Fleet) Slot(ctx context.Context, account string, n int) (quota.Slot, error) {
	f.want(account, 1)
	defer f.want(account, -1)
	begun := boottime()
	for {
		next := f.view.next()
		s, err := f.trySlot(ctx, account, n)
		if !errors.Is(err, quota.ErrTaken) {
			f.seen.waited(begun, err)
			return s, err
		}
		again := time.NewTimer(time.Second + rand.N(time.Second))
		select {
		case <-next:
			again.Stop()
			select { // several wait
			case <-time.After(rand.N(50 * time.Millisecond)):
			case <-ctx.Done():
			}
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
		if ctx.Err() != nil {
			return quota.Slot{}, fmt.Errorf("all %d connection slots of the fleet are taken: %w", f.slotsOf(n), ctx.Err())
		}
	}
}

// slotsOf is how many slots a mailbox has in the fleet, for a host that asks for one of n.
func (f *Fleet) slotsOf(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(cmp.Or(f.slots, n), 1)
}

// acquire takes a slot that nobody has.
func (f *Fleet) acquire(ctx context.Context, account string, n int) (*lease, error) {
	value, err := json.Marshal(owner{f.o.Host, f.id})
	if err != nil {
		return nil, err
	}
	first := rand.IntN(n)
	for i := range n {
		key := slotKey(account, (first+i)%n)
		seen := f.view.slot(key)
		if seen.held {
			continue
		}
		begun := boottime()
		var sequence uint64
		err := f.call(ctx, func(ctx context.Context, _ jetstream.JetStream) (err error) {
			sequence, err = f.put(ctx, key, value, ttl(f.o.TTL), after(seen.sequence))
			return err
		})
		if isWrongSequence(err) && seen.sequence > 0 { // the mark of its end may be over
			err = f.call(ctx, func(ctx context.Context, _ jetstream.JetStream) (err error) {
				sequence, err = f.put(ctx, key, value, ttl(f.o.TTL), after(0))
				return err
			})
		}
		switch {
		case err == nil:
			return f.hold(account, key, value, sequence, begun), nil
		case !isWrongSequence(err):
			return nil, f.known("", err)
		}
	}
	return nil, quota.ErrTaken
}

// known makes a refusal of the servers an answer that is not known; stream is "" for the bucket.
func (f *Fleet) known(stream string, err error) error {
	if !isRefusal(err) {
		return err
	}
	why := f.explain(err)
	if stream != "" {
		why = f.unusable(stream, err)
	}
	f.link.trip(why)
	if e := f.link.unknown(f.hosts()); e != nil {
		return e
	}
	return err
}

func isWrongSequence(err error) bool {
	var refusal *jetstream.APIError
	return errors.As(err, &refusal) && (refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// lease is a slot that this process holds. It ends by itself three quarters of a TTL after the start of the last
// renewal that was answered, and what is under way is cut off at nine tenths: both before another can have it.
type lease struct {
	f            *Fleet
	account, key string
	value        []byte
	taken        time.Duration // by boottime
	renewed      atomic.Int64  // by boottime: when the last good renewal began
	sequence     uint64
	lost, cut    *ending
	wanted       context.Context
	want         context.CancelFunc
	done         chan struct{} // closed with release
	once         sync.Once
}

// ending is a context whose Err is exact also in a process that was stopped and goes on.
type ending struct {
	context.Context
	end context.CancelFunc
	due func() bool
}

func newEnding(due func() bool) *ending {
	e := &ending{due: due}
	e.Context, e.end = context.WithCancel(context.Background())
	return e
}

func (e *ending) Err() error {
	if e.due() {
		e.end()
	}
	return e.Context.Err()
}

func (f *Fleet) hold(account, key string, value []byte, sequence uint64, begun time.Duration) *lease {
	l := &lease{f: f, account: account, key: key, value: value, taken: begun, sequence: sequence,
		done: make(chan struct{})}
	l.renewed.Store(int64(begun))
	past := func(share time.Duration) func() bool {
		return func() bool { return boottime()-time.Duration(l.renewed.Load()) >= share }
	}
	l.lost, l.cut = newEnding(past(f.o.TTL*3/4)), newEnding(past(f.o.TTL*9/10))
	l.wanted, l.want = context.WithCancel(context.Background())
	f.held.Go(l.renew)
	f.work.Go(l.watch)
	return l
}

// watch is the timer of a lease, apart from its renewal, which may hang.
func (l *lease) watch() {
	tick := time.NewTicker(l.f.o.TTL / 100)
	defer tick.Stop()
	for {
		next := l.f.view.next()
		select {
		case <-l.done:
			return
		case <-tick.C:
		case <-next:
		}
		if l.f.view.wanted(l.account) {
			l.want()
			if boottime()-l.taken > l.f.o.TTL {
				l.lost.end() // its turn is over
			}
		}
		_ = l.lost.Err()
		if l.cut.Err() != nil {
			return
		}
	}
}

// renew keeps a lease until it is released or another's.
func (l *lease) renew() {
	pause := l.f.o.TTL / 4
	for {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-l.done:
			t.Stop()
			l.giveBack()
			return
		}
		if l.cut.Err() != nil {
			continue
		}
		begun := boottime()
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		sequence, err := l.f.put(ctx, l.key, l.value, ttl(l.f.o.TTL), after(l.sequence))
		gone := isWrongSequence(err) || err != nil && l.f.bucketGone(ctx, err)
		cancel()
		switch {
		case err == nil && l.lost.Err() == nil:
			l.sequence, pause = sequence, l.f.o.TTL/4
			l.renewed.Store(int64(begun))
		case err == nil:
			l.sequence = sequence // for giveBack
		case gone: // or a renewal was taken whose answer was lost: then nobody has it, until it expires
			l.lost.end()
			l.cut.end()
		default:
			pause = l.f.o.TTL / 40
		}
	}
}

// giveBack has another take the slot at once.
func (l *lease) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_, _ = l.f.put(ctx, l.key, nil, del, ttl(time.Second), after(l.sequence)) // else it expires
}

func (l *lease) release() {
	l.once.Do(func() {
		l.lost.end()
		l.cut.end()
		close(l.done)
	})
}

// bucketGone reports whether somebody has deleted the bucket: then another host may make it again, with all slots free.
func (f *Fleet) bucketGone(ctx context.Context, err error) bool {
	if !errors.Is(err, jetstream.ErrNoStreamResponse) {
		return false
	}
	_, err = f.stream().KeyValue(ctx, f.o.Name)
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		f.link.trip(fmt.Errorf("the bucket %s was deleted", f.o.Name))
		return true
	}
	return false
}
