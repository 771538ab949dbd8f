package queue

import (
	"slices"
	"strings"
	"time"
)

// Mailbox is one that signs in, with what waits for it.
type Mailbox struct {
	l       *Locked
	name    string // as it signs in, "" for the configured mailbox
	gate    Gate
	senders map[string]*Gate // that are or were shut
	authors map[string]*Gate // From addresses that callers chose and that were refused, in lower case
	outside Gate             // before the recipients outside the organization
	rows    map[int]*row     // refusals in a row, by person

	persons     map[int]*person
	users       map[int]*user // by their person's id
	turn        roundRobin[*user]
	turns       uint64
	ready       int // entries in lanes, those behind a sender's shut gate too
	submissions []*Job
	inARow      int // submissions that went one after the other

	couriers int
	starting int // couriers without a session yet
	slow     int // couriers that are busy with a large message
	idle     []*Courier
	noSlot   time.Time // no free connection on this host until then
	pace     [ranks]pace
	// perMinute is how many messages it may send in a minute, 0 for no limit, as it was charged last (Job.Allow).
	perMinute int

	losses int // sessions lost in a row without a message taken
	losers map[ID]bool
	met    map[ID]meeting // messages that met a fault that may be their own
}

// meeting notes that a message has met a fault.
type meeting struct {
	at    time.Time // the last time
	times int
	own   *Fault // set where it is the message's own and an administrator has to act
	since time.Time
}

func newMailbox(l *Locked, name string) *Mailbox {
	m := &Mailbox{
		l: l, name: name, senders: map[string]*Gate{}, authors: map[string]*Gate{}, persons: map[int]*person{},
		users: map[int]*user{}, rows: map[int]*row{}, met: map[ID]meeting{}, losers: map[ID]bool{},
	}
	m.gate, m.outside = Gate{scope: ScopeMailbox, mailbox: m}, Gate{scope: ScopeOutside, mailbox: m}
	return m
}

// address is what signs in.
func (m *Mailbox) address() string {
	if m.name == "" {
		return m.l.rules.Mailbox
	}
	return m.name
}

// user is a local user with messages for one mailbox.
type user struct {
	mailbox *Mailbox
	by      *person
	lanes   map[string]*lane
	turn    roundRobin[*lane]
	linked  bool // in the mailbox's turn
}

// lane holds the ready messages of one local user that have the same sender.
type lane struct {
	user    *user
	sender  string
	ready   []*Entry
	entries int   // of the index, wherever they are
	gate    *Gate // shut for this sender; nil while it is open
	linked  bool  // in the user's turn: it has ready entries and no shut gate
}

// lane returns the lane of somebody's messages with a sender, made if need be.
func (m *Mailbox) lane(p *person, sender string) *lane {
	u := m.users[p.id]
	if u == nil {
		u = &user{mailbox: m, by: p, lanes: map[string]*lane{}}
		m.users[p.id] = u
	}
	ln := u.lanes[sender]
	if ln == nil {
		sender = strings.Clone(sender) // it was a part of a message's head, which need not stay
		ln = &lane{user: u, sender: sender}
		u.lanes[sender] = ln
		if g := m.senders[sender]; g != nil && g.shut {
			ln.gate = g
			g.lanes = append(g.lanes, ln)
		}
	}
	return ln
}

// forget drops a lane without entries.
func (ln *lane) forget() {
	u := ln.user
	if ln.gate != nil {
		ln.gate.removeLane(ln)
	}
	delete(u.lanes, ln.sender)
	if len(u.lanes) == 0 {
		delete(u.mailbox.users, u.by.id)
	}
}

// link gives the lane its turns if it has something to give.
func (ln *lane) link() {
	if !ln.linked && ln.gate == nil && len(ln.ready) > 0 {
		ln.linked = true
		ln.user.turn.add(ln)
	}
	ln.user.link()
}

func (u *user) link() {
	if !u.linked && u.turn.len() > 0 && !u.mailbox.slowed(u.by.id) {
		u.linked = true
		u.mailbox.turn.add(u)
	}
}

// unlink takes the lane's turns away.
func (ln *lane) unlink() {
	u := ln.user
	if ln.linked {
		ln.linked = false
		u.turn.remove(ln)
	}
	if u.turn.len() == 0 {
		u.unlink()
	}
}

func (u *user) unlink() {
	if u.linked {
		u.linked = false
		u.mailbox.turn.remove(u)
	}
}

func (ln *lane) push(e *Entry, front bool) {
	e.place = Ready
	if front {
		ln.ready = slices.Insert(ln.ready, 0, e)
	} else {
		ln.ready = append(ln.ready, e)
	}
	m := ln.user.mailbox
	m.ready++
	m.gate.hasten(e.id)
	if ln.gate != nil {
		ln.gate.hasten(e.id)
	}
	ln.link()
}

// pop takes the i-th entry out of a lane.
func (ln *lane) pop(i int) *Entry {
	e := ln.ready[i]
	ln.ready = slices.Delete(ln.ready, i, i+1)
	ln.user.mailbox.ready--
	if len(ln.ready) == 0 {
		ln.unlink()
	}
	e.place = Out
	return e
}

// popTurn takes the next entry of the user at a place of the turn: every sender's in turn.
func (m *Mailbox) popTurn(u *user, at int) *Entry {
	ln, laneAt := u.turn.next()
	e := ln.ready[0]
	ln.ready[0], ln.ready = nil, ln.ready[1:]
	m.ready--
	if len(ln.ready) == 0 {
		ln.linked = false
		u.turn.drop(laneAt)
	}
	if u.turn.len() == 0 {
		u.linked = false
		m.turn.drop(at)
	}
	e.place = Out
	return e
}
