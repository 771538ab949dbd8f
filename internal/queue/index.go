package queue

import (
	"container/heap"
	"time"
)

// Message is what the queue has to know of a message.
type Message struct {
	ID ID
	// SignIn is the mailbox that signs in for it, "" for the configured one; Sender is its envelope sender.
	SignIn, Sender string
	By             User
}

// User is who is charged for a message.
type User struct {
	ID int
	// Stranger is one who has no account on this host. All of them have one part of the small reserve together.
	Stranger bool
}

// Status is what a message waits for, as it stands in the spool.
type Status struct {
	Held  bool
	Class string
	Next  time.Time
}

// Place says where an entry is.
type Place uint8

// The places.
const (
	Ready   Place = iota // waits for its turn, or for a gate
	Waiting              // until its time
	Held                 // until an administrator releases it
	Out                  // with a courier
)

// Entry is a message in the queue.
type Entry struct {
	id      ID
	next    int64 // Unix time of the next try, of a waiting one
	lane    *lane
	heapAt  int32
	place   Place
	retried bool // a lost session has cost it its immediate second try
	forced  bool // somebody wants it tried now, whatever its time
}

// Add puts a message into the queue, or updates it there. If it is forced, it is due whatever its status says.
func (l *Locked) Add(m Message, st Status, forced bool) {
	e := l.index[m.ID]
	if e == nil {
		e = l.enter(m)
	} else if e.place == Out || e.place == Ready {
		e.forced = e.forced || forced && e.place == Ready
		return
	}
	if forced {
		st.Next = time.Time{}
	}
	l.place(e, st)
	e.forced = e.forced || forced && e.place == Ready
}

// enter makes an entry that has no place yet.
func (l *Locked) enter(m Message) *Entry {
	b := l.member(m.SignIn)
	e := &Entry{id: m.ID, place: Out, lane: b.lane(b.personOf(m.By), m.Sender)}
	e.lane.entries++
	l.index[m.ID] = e
	return e
}

// place gives an entry that is in no lane its place by the message's status.
func (l *Locked) place(e *Entry, st Status) {
	l.unwait(e)
	switch {
	case st.Held:
		e.place = Held
	case accountWide(st.Class) || Due(st.Next, l.now):
		e.lane.push(e, false)
		e.lane.user.mailbox.dispatch()
	default:
		l.wait(e, st.Next)
	}
}

// wait puts an entry off.
func (l *Locked) wait(e *Entry, next time.Time) {
	l.unwait(e)
	e.place, e.next = Waiting, next.Unix()
	heap.Push(&l.waiting, e)
	l.hooks.Timer()
}

func (l *Locked) unwait(e *Entry) {
	if e.place == Waiting {
		heap.Remove(&l.waiting, int(e.heapAt))
		e.place = Out
	}
}

// drop takes an entry out of the index. It must be in no lane.
func (l *Locked) drop(e *Entry) {
	if l.index[e.id] != e {
		return
	}
	l.unwait(e)
	e.place = Out
	delete(l.index, e.id)
	m := e.lane.user.mailbox
	delete(m.met, e.id)
	delete(m.outside.parked, e)
	for _, g := range m.authors {
		delete(g.parked, e)
	}
	if e.lane.entries--; e.lane.entries == 0 {
		e.lane.forget()
	}
}

// Len is how many messages are in the queue.
func (l *Locked) Len() int { return len(l.index) }

// Find returns the place of a message; ok is false if it is not in the queue.
func (l *Locked) Find(id ID) (p Place, ok bool) {
	e := l.index[id]
	if e == nil {
		return 0, false
	}
	return e.place, true
}

// DropIf forgets the messages that wait or are held and for which gone is true.
func (l *Locked) DropIf(gone func(ID) bool) {
	for id, e := range l.index {
		if (e.place == Held || e.place == Waiting) && gone(id) {
			l.drop(e)
		}
	}
}

// promote makes ready what has become due.
func (l *Locked) promote() {
	for l.waiting.Len() > 0 {
		e := l.waiting[0]
		if !Due(time.Unix(e.next, 0), l.now) {
			return
		}
		heap.Pop(&l.waiting)
		e.place = Out
		if g := e.parkedAt(l.now); g != nil {
			g.park(l, e)
			continue
		}
		e.lane.push(e, false)
		e.lane.user.mailbox.dispatch()
	}
}

// waitHeap orders entries by their time.
type waitHeap []*Entry

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].next < h[j].next }
func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapAt, h[j].heapAt = int32(i), int32(j)
}
func (h *waitHeap) Push(x any) {
	e := x.(*Entry)
	e.heapAt = int32(len(*h))
	*h = append(*h, e)
}
func (h *waitHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
