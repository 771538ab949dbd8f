package deliver

import (
	"container/heap"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/schedule"
	"o365-sendmail/internal/spool"
)

// The index holds of each message in the queue what is needed to choose the next one:
// about a hundred octets. The spool file has the truth, which is read when a message's turn comes.

// place says where an entry of the index is.
type place uint8

const (
	placeReady   place = iota // in its lane
	placeWaiting              // in the heap, until its time
	placeHeld                 // nowhere, until an administrator releases it
	placeOut                  // with a courier
)

// entry is a message of the queue.
type entry struct {
	id      spool.Key
	next    int64 // Unix time of the next try
	lane    *lane
	heapAt  int32
	place   place
	retried bool // a lost session has cost it its immediate second try
	forced  bool // somebody wants it tried now, whatever its time
}

// lane holds the ready messages of one local user that have the same sender.
type lane struct {
	user    *user
	sender  string
	ready   fifo[*entry]
	entries int   // of the index, wherever they are
	gate    *gate // closed for this sender; nil while it is open
	linked  bool  // in the user's ring: it has ready entries and no closed gate
}

// user is a local user with messages for one box.
type user struct {
	box    *box
	by     *person
	lanes  map[string]*lane
	ring   ring[*lane]
	linked bool
}

// box is a mailbox that signs in, with what waits for it. The engine's mutex guards it.
type box struct {
	name    string // as it signs in, "" for the configured mailbox
	gate    gate
	senders map[string]*gate // that are or were closed
	authors map[string]*gate // From addresses that callers chose and that were refused, in lower case
	outside gate             // before the recipients outside the organization
	rows    map[int]*row     // refusals in a row, by person

	persons map[int]*person
	users   map[int]*user // by their person's id
	ring    ring[*user]
	turns   uint64
	ready   int // entries in lanes, those behind a sender's closed gate too
	express fifo[*job]
	favour  int // interactive messages taken in a row

	couriers int
	starting int // couriers without a session yet
	slow     int // couriers that are busy with a large message
	idle     []chan struct{}
	noSlot   time.Time // no free connection on this host until then
	pace     [ranks]pace

	losses  int // sessions lost in a row without a message taken
	losers  map[spool.Key]bool
	faulted map[spool.Key]fault // messages that met a fault that may be their own
}

// fault notes a fault that a message has met.
type fault struct {
	at    time.Time // the last time
	times int
	own   *stop // set where it is the message's own and an administrator has to act
	since time.Time
}

func newBox(name string) *box {
	b := &box{
		name: name, senders: map[string]*gate{}, authors: map[string]*gate{}, persons: map[int]*person{},
		users: map[int]*user{}, rows: map[int]*row{}, faulted: map[spool.Key]fault{},
	}
	b.gate, b.outside = gate{scope: scopeBox, box: b}, gate{scope: scopeOutside, box: b}
	return b
}

// lane returns the lane of somebody's messages with a sender, made if need be.
func (b *box) lane(p *person, sender string) *lane {
	u := b.users[p.id]
	if u == nil {
		u = &user{box: b, by: p, lanes: map[string]*lane{}}
		b.users[p.id] = u
	}
	l := u.lanes[sender]
	if l == nil {
		sender = strings.Clone(sender) // it was a part of a message's head, which need not stay
		l = &lane{user: u, sender: sender}
		u.lanes[sender] = l
		if g := b.senders[sender]; g != nil && g.shut {
			l.gate = g
			g.lanes = append(g.lanes, l)
		}
	}
	return l
}

// forget drops a lane without entries.
func (l *lane) forget() {
	u := l.user
	if l.gate != nil {
		l.gate.removeLane(l)
	}
	delete(u.lanes, l.sender)
	if len(u.lanes) == 0 {
		delete(u.box.users, u.by.id)
	}
}

// link puts the lane into its rings if it has something to give.
func (l *lane) link() {
	u := l.user
	if !l.linked && l.gate == nil && l.ready.len() > 0 {
		l.linked = true
		u.ring.add(l)
	}
	if !u.linked && u.ring.len() > 0 && !u.box.slowed(u.by.id) {
		u.linked = true
		u.box.ring.add(u)
	}
}

// unlink takes the lane out of its rings.
func (l *lane) unlink() {
	u := l.user
	if l.linked {
		l.linked = false
		u.ring.remove(l)
	}
	if u.linked && u.ring.len() == 0 {
		u.linked = false
		u.box.ring.remove(u)
	}
}

func (l *lane) push(en *entry, front bool) {
	en.place = placeReady
	if front {
		l.ready.pushFront(en)
	} else {
		l.ready.push(en)
	}
	b := l.user.box
	b.ready++
	b.gate.hasten(en.id)
	if l.gate != nil {
		l.gate.hasten(en.id)
	}
	l.link()
}

// nextUser finds whose turn it is: every user's in turn whom the rates allow something.
func (e *Engine) nextUser(b *box, now time.Time) (u *user, at int) {
	for range b.ring.len() {
		if u, at = b.ring.next(); !e.pacedOut(b, u.by, now) {
			return u, at
		}
	}
	return nil, b.ring.at
}

// popOf takes an entry of a user at a place of the ring: every sender's in turn.
func (b *box) popOf(u *user, userAt int) *entry {
	l, laneAt := u.ring.next()
	en := l.ready.pop()
	b.ready--
	if l.ready.len() == 0 {
		l.linked = false
		u.ring.drop(laneAt)
	}
	if u.ring.len() == 0 {
		u.linked = false
		b.ring.drop(userAt)
	}
	en.place = placeOut
	return en
}

// available counts what can be taken now, as far as it matters.
func (e *Engine) available(b *box, now time.Time) int {
	n := 0
	for _, p := range b.persons {
		if p.express > 0 && !e.pacedOut(b, p, now) {
			n += p.express
		}
	}
	for _, u := range b.ring.members {
		if e.pacedOut(b, u.by, now) {
			continue
		}
		for _, l := range u.ring.members {
			if n += l.ready.len(); n >= enough {
				return n
			}
		}
	}
	for _, g := range b.senders {
		if g.shut && g.pass(now) == passProbe && g.waiting() {
			n++
		}
	}
	return n
}

// enough work is there to start all couriers.
const enough = 16

// box returns the box of a mailbox; "" is the configured one, whichever that is.
func (e *Engine) box(mailbox string) *box {
	if a := e.config.Account; a != nil && strings.EqualFold(mailbox, a.Mailbox) {
		mailbox = ""
	}
	k := strings.ToLower(mailbox)
	b := e.boxes[k]
	if b == nil {
		b = newBox(mailbox)
		e.boxes[k] = b
	}
	return b
}

// mailbox is the address that signs in for a box.
func (e *Engine) mailbox(b *box) string {
	if b.name == "" && e.config.Account != nil {
		return e.config.Account.Mailbox
	}
	return b.name
}

func (e *Engine) laneOf(m spool.Meta, env *envelope.Envelope) *lane {
	b := e.box(env.SignIn)
	return b.lane(e.personOf(b, m), env.Sender)
}

// add puts a message into the index, or updates it there.
func (e *Engine) add(info *spool.Info) {
	id, ok := spool.ParseKey(info.ID)
	if !ok {
		return
	}
	en := e.index[id]
	if en == nil {
		en = &entry{id: id, place: placeOut}
		en.lane = e.laneOf(info.Meta, &info.Envelope)
		en.lane.entries++
		e.index[id] = en
	} else if en.place == placeOut || en.place == placeReady {
		return
	}
	st := info.Status
	st.Held = info.Meta.HeldBack(&st)
	e.put(en, &st, e.clock.Now())
}

// put gives an entry that is in no lane its place by the message's status.
func (e *Engine) put(en *entry, st *spool.Status, now time.Time) {
	e.unwait(en)
	switch {
	case st.Held:
		en.place = placeHeld
	case accountWide(st.Class) || schedule.Due(st.Next, now):
		en.lane.push(en, false)
		e.kick(en.lane.user.box)
	default:
		e.wait(en, st.Next)
	}
}

// accountWide reports whether a message waits for something that is not its own: then the
// gates say when it goes, not its time.
func accountWide(class string) bool { return class == classAccount || class == classConfiguration }

// wait puts an entry off.
func (e *Engine) wait(en *entry, next time.Time) {
	e.unwait(en)
	en.place, en.next = placeWaiting, next.Unix()
	heap.Push(&e.waiting, en)
	e.rouse()
}

func (e *Engine) unwait(en *entry) {
	if en.place == placeWaiting {
		heap.Remove(&e.waiting, int(en.heapAt))
		en.place = placeOut
	}
}

// drop takes an entry out of the index. It must be in no lane.
func (e *Engine) drop(en *entry) {
	if e.index[en.id] != en {
		return
	}
	e.unwait(en)
	en.place = placeOut
	delete(e.index, en.id)
	b := en.lane.user.box
	delete(b.faulted, en.id)
	delete(b.outside.parked, en)
	for _, g := range b.authors {
		delete(g.parked, en)
	}
	if en.lane.entries--; en.lane.entries == 0 {
		en.lane.forget()
	}
}

// promote makes ready what has become due.
func (e *Engine) promote(now time.Time) {
	for e.waiting.Len() > 0 {
		en := e.waiting[0]
		if !schedule.Due(time.Unix(en.next, 0), now) {
			return
		}
		heap.Pop(&e.waiting)
		en.place = placeOut
		if g := e.parkedAt(en, now); g != nil {
			e.park(g, en, now)
			continue
		}
		en.lane.push(en, false)
		e.kick(en.lane.user.box)
	}
}

// waitHeap orders entries by their time.
type waitHeap []*entry

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].next < h[j].next }
func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapAt, h[j].heapAt = int32(i), int32(j)
}
func (h *waitHeap) Push(x any) {
	en := x.(*entry)
	en.heapAt = int32(len(*h))
	*h = append(*h, en)
}
func (h *waitHeap) Pop() any {
	old := *h
	en := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return en
}
