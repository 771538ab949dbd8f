package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"o365-sendmail/internal/quota"
)

// peer is what a host says of itself, and since when this process hears it.
type peer struct {
	quota.Peer
	since time.Duration
}

// view is what the servers last said of hosts and slots. It may be a little late: a slot is had by asking for it.
type view struct {
	f       *Fleet
	wanting chan struct{} // gets a value when this host waits for something else than before

	mu      sync.Mutex
	watcher jetstream.KeyWatcher
	hosts   map[string]peer     // by key
	slots   map[string]slotSeen // by key
	heard   time.Duration       // by boottime: when something was
	all     bool                // and what was there at the start has been, all of it
	changed chan struct{}       // closed with each change
	silent  map[string]time.Duration
}

type slotSeen struct {
	owner
	held     bool
	sequence uint64
	at       time.Duration // by boottime
}

// owner is the value of a slot's key.
type owner struct {
	Host string `json:"host"`
	ID   string `json:"id"`
}

func newView(f *Fleet) *view {
	return &view{f: f, wanting: make(chan struct{}, 1), hosts: map[string]peer{}, slots: map[string]slotSeen{},
		changed: make(chan struct{}), silent: map[string]time.Duration{}}
}

// watch has the view follow the bucket.
func (v *view) watch(ctx context.Context, js jetstream.JetStream) error {
	v.stop()
	kv, err := js.KeyValue(ctx, v.f.o.Name)
	if err != nil {
		return err
	}
	w, err := kv.WatchAll(v.f.ctx)
	if err != nil {
		return err
	}
	v.mu.Lock()
	before := v.hosts
	v.watcher, v.hosts, v.heard, v.all = w, map[string]peer{}, boottime(), false
	clear(v.slots)
	v.mu.Unlock()
	v.f.work.Go(func() {
		for e := range w.Updates() {
			if e != nil {
				v.see(e)
			} else {
				v.miss(before)
			}
		}
	})
	return nil
}

// miss notes which hosts are not there any more, once all that are have been seen.
func (v *view) miss(before map[string]peer) {
	v.mu.Lock()
	v.all = true
	there := map[string]bool{}
	for _, h := range v.hosts {
		there[h.Name] = true
	}
	for _, h := range before {
		if !there[h.Name] {
			v.silent[h.Name] = boottime()
		}
	}
	n := len(v.hosts)
	v.mu.Unlock()
	v.f.rememberHosts(n)
}

// stalled reports whether nothing is heard any more, not even what this host says of itself: without a right to
// $JS.FC.> for example the servers stop after two megabytes in all, and say nothing.
func (v *view) stalled() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return boottime()-v.heard > v.f.o.TTL
}

func (v *view) stop() {
	v.mu.Lock()
	w := v.watcher
	v.watcher = nil
	v.mu.Unlock()
	if w != nil {
		_ = w.Stop()
	}
}

// maxPeer bounds what a host may say of itself, in bytes.
const maxPeer = 64 << 10

// see takes in a key that has changed.
func (v *view) see(e jetstream.KeyValueEntry) {
	v.mu.Lock()
	v.heard = boottime()
	held := e.Operation() == jetstream.KeyValuePut
	switch kind, _, _ := strings.Cut(e.Key(), "."); kind {
	case "slot":
		s := slotSeen{held: held, sequence: e.Revision(), at: boottime()}
		if held {
			_ = json.Unmarshal(e.Value(), &s.owner) // who has it is for people
		}
		v.slots[e.Key()] = s
	case "host":
		var h peer
		if held && len(e.Value()) <= maxPeer && json.Unmarshal(e.Value(), &h.Peer) == nil {
			h.since = cmp.Or(v.hosts[e.Key()].since, boottime())
			v.hosts[e.Key()] = h
			delete(v.silent, h.Name)
		} else if old, ok := v.hosts[e.Key()]; ok {
			delete(v.hosts, e.Key())
			v.silent[old.Name] = boottime()
		}
	}
	close(v.changed)
	v.changed = make(chan struct{})
	twin, n := v.twin(), 0
	if v.all { // while they come they are fewer than there are, and each number would be written
		n = len(v.hosts)
	}
	v.mu.Unlock()
	v.f.rememberHosts(n)
	if twin {
		v.f.note("name", fmt.Errorf("two hosts call themselves %s: set fleet.host on one of them", v.f.o.Host))
	} else {
		v.f.note("name", nil)
	}
}

// twin reports whether another process has this host's name for longer than one that was killed could.
func (v *view) twin() bool {
	for _, h := range v.hosts {
		if h.Name == v.f.o.Host && h.ID != v.f.id && boottime()-h.since > v.f.o.TTL+2*time.Second {
			return true
		}
	}
	return false
}

// next is closed with the next change.
func (v *view) next() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changed
}

// slot is what is known of a key.
func (v *view) slot(key string) slotSeen {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.slots[key]
	if s.held && boottime()-s.at > v.f.o.TTL+2*time.Second {
		s.held = false // its end was not heard
	}
	return s
}

// wanted reports whether another host waits for a slot of the mailbox.
func (v *view) wanted(mailbox string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, h := range v.hosts {
		if h.ID != v.f.id && slices.Contains(h.Wants, strings.ToLower(mailbox)) {
			return true
		}
	}
	return false
}

// Peers is quota.Member's.
func (f *Fleet) Peers() (hosts []quota.Peer, silent map[string]time.Duration) {
	f.view.mu.Lock()
	defer f.view.mu.Unlock()
	for _, h := range f.view.hosts {
		hosts = append(hosts, h.Peer)
	}
	slices.SortFunc(hosts, func(a, b quota.Peer) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	silent = map[string]time.Duration{}
	for name, at := range f.view.silent {
		silent[name] = boottime() - at
	}
	return hosts, silent
}

// Held is quota.Member's.
func (f *Fleet) Held() (all []quota.Held) {
	f.view.mu.Lock()
	defer f.view.mu.Unlock()
	for key, s := range f.view.slots {
		parts := strings.Split(key, ".")
		if !s.held || len(parts) != 3 {
			continue
		}
		n, _ := strconv.Atoi(parts[2])
		all = append(all, quota.Held{Mailbox: decode(parts[1]), N: n, Host: s.Host, ID: s.ID})
	}
	slices.SortFunc(all, func(a, b quota.Held) int {
		return cmp.Or(strings.Compare(a.Mailbox, b.Mailbox), cmp.Compare(a.N, b.N))
	})
	return all
}
