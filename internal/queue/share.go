package queue

import (
	"fmt"
	"time"
)

// Shares divide an account's limits among the local users of a host, in percent of each limit. The
// zero value divides nothing.
type Shares struct {
	// Reserve is kept for root, the service user and alerts.
	Reserve int
	// Small is kept beside it for those who have sent next to nothing: a fifth of it each.
	Small int
	// User is the most of the rest that one user gets while others wait; 0 for all of it.
	User int
}

// Rank says how deep into a limit somebody may reach.
type Rank uint8

// The ranks.
const (
	RankUser  Rank = iota // up to both reserves
	RankLight             // has sent next to nothing: up to the reserve of root
	RankRoot              // the whole limit
	ranks
)

// reserve and small are the parts of a limit that are kept. Whatever the percentages, more than
// half of the limit is left for everybody.
func (s Shares) reserve(limit int) int { return percent(limit, s.Reserve, (limit-1)/2) }

func (s Shares) small(limit int) int { return percent(limit, s.Small, (limit-1)/2-s.reserve(limit)) }

// percent is that part of a limit, rounded up, but not above most.
func percent(limit, part, most int) int {
	return max(min(int((int64(limit)*int64(part)+99)/100), most), 0)
}

// Within is how much of a limit a rank may use; 0 of a limit that is none.
func (s Shares) Within(limit int, r Rank) int {
	switch r {
	case RankRoot:
		return limit
	case RankLight:
		return limit - s.reserve(limit)
	}
	return limit - s.reserve(limit) - s.small(limit)
}

// light is up to what use of a limit somebody counts as one who has sent next to nothing; 0 when
// nothing is kept for those.
func (s Shares) light(limit int) int { return (s.small(limit) + 4) / 5 }

// share is how much of a limit one user gets while others wait.
func (s Shares) share(limit int) int {
	if s.User <= 0 || limit <= 0 {
		return limit
	}
	return max(s.Within(limit, RankUser)*s.User/100, 1)
}

// The ids of those who are no users: root with the service user and the alerts, and the reports on
// undelivered mail, which a user's bad addresses can make many of.
const (
	Root            = 0
	ReportWriter    = -2
	personStrangers = -3 // all who have no account on this host, together
)

// person is somebody whom shares are counted for.
type person struct {
	id      int
	minute  tally     // tries by the second, those that failed too
	day     tally     // recipients by the minute
	pace    time.Time // may try nothing until then
	waiting int       // submissions that wait for a courier
	turn    uint64    // of the mailbox, when the last message was taken
	with    *person   // all strangers, of one of them
}

func (m *Mailbox) personOf(u User) *person {
	p := m.person(u.ID)
	if u.Stranger {
		p.with = m.person(personStrangers)
	}
	return p
}

func (m *Mailbox) person(id int) *person {
	p := m.persons[id]
	if p == nil {
		p = &person{id: id}
		m.persons[id] = p
	}
	return p
}

// forgetPersons drops those of whom nothing is known any more.
func (m *Mailbox) forgetPersons() {
	for id, p := range m.persons {
		if id != personStrangers && m.users[id] == nil && p.waiting == 0 && p.tries(m.l.now) == 0 &&
			p.recipients(m.l.now) == 0 {
			delete(m.persons, id)
		}
	}
}

func (p *person) tries(now time.Time) int { return p.minute.since(now.Unix()-60, now.Unix()) }

func (p *person) recipients(now time.Time) int {
	minute := now.Unix() / 60
	return p.day.since(minute-24*60, minute)
}

// charge counts a try.
func (p *person) charge(recipients int, at time.Time) {
	for ; p != nil; p = p.with {
		p.minute.add(at.Unix(), 1)
		p.day.add(at.Unix()/60, recipients)
	}
}

// all is whose use decides on the small reserve.
func (p *person) all() *person {
	if p.with != nil {
		return p.with
	}
	return p
}

// rank is a person's rank for n more of a limit, of which the person, or those who count as one with it, used some.
func (p *person) rank(s Shares, used, n, limit int) Rank {
	switch {
	case p.id == Root:
		return RankRoot
	case used+n <= s.light(limit):
		return RankLight
	}
	return RankUser
}

// pacedOut reports whether the messages a minute allow somebody nothing now.
func (m *Mailbox) pacedOut(p *person) bool {
	if after(p.pace, m.l.now) {
		return true
	}
	if m.pace == [ranks]pace{} || !m.l.rules.Open {
		return false
	}
	r := p.rank(m.l.rules.Shares, p.all().tries(m.l.now), 1, m.perMinute)
	return after(m.pace[r].until, m.l.now)
}

// pace is when the messages a minute of a mailbox allow more.
type pace struct {
	until time.Time // they are looked at then
	end   time.Time // when they are expected to
}

// Shortage is why a message can't go for want of room in the rates.
type Shortage struct {
	Wait   time.Duration
	Rank   Rank
	Own    bool // the user's own tries are used up, others' are not
	Alone  bool // it concerns this message; others may go
	Reason string
}

// Allowance is what of the account's rates is open to a message.
type Allowance struct {
	PerMinute, PerDay int // the most that all may have used with it, 0 for no limit
	Rank              Rank
	More              bool // another message waits for the same mailbox
	spent             bool // the user's tries of this minute are used up
}

// Allow charges a job with n recipients to its user and returns what of the rates is open to it, or charges nothing and
// returns why it has to wait for others. PerMinute is how many messages the mailbox may send in a minute now, 0 for any
// number. The charge comes before the account's, which may take a while: meanwhile others see it.
func (j *Job) Allow(l *Locked, n, perMinute int, at time.Time) (Allowance, *Shortage) {
	r, p := &l.rules, j.by
	j.mailbox.perMinute = perMinute
	tries := p.tries(l.now)
	minute := p.rank(r.Shares, p.all().tries(l.now), 1, perMinute)
	day := p.rank(r.Shares, p.all().recipients(l.now), n, r.PerDay)
	if short := j.mailbox.beyondShare(p, tries, p.recipients(l.now), n); short != nil {
		return Allowance{}, short
	}
	most := r.Shares.Within(perMinute, RankUser)
	p.charge(n, at)
	j.Charged = at
	return Allowance{
		PerMinute: r.Shares.Within(perMinute, minute), PerDay: r.Shares.Within(r.PerDay, day), Rank: minute,
		More: j.mailbox.available() > 0, spent: p.id != Root && most > 0 && tries >= most,
	}, nil
}

// Spent returns why a job can't go that the account's rates have room for: its user's own tries are used up, of which
// those that failed are no longer among the account's.
func (j *Job) Spent(l *Locked, a Allowance) *Shortage {
	if !a.spent {
		return nil
	}
	return &Shortage{Wait: j.by.minute.oldest(l.now), Own: true,
		Reason: "the user's own tries of this minute are used up"}
}

// Uncharge takes back what Allow charged for a job that is not tried.
func (j *Job) Uncharge(_ *Locked, n int) { j.takeBack(n, false) }

// TakeBack takes off the user's recipients what a failed job was charged, and if it was never tried, off the user's
// tries.
func (j *Job) TakeBack(_ *Locked, n int, tried bool) {
	j.takeBack(n, tried)
	j.mailbox.pace = [ranks]pace{} // there is room again
}

func (j *Job) takeBack(n int, tried bool) {
	for p := j.by; p != nil; p = p.with {
		p.day.takeBack(j.Charged.Unix()/60, n)
		if !tried {
			p.minute.takeBack(j.Charged.Unix(), 1)
		}
	}
	j.Charged = time.Time{}
}

// Short gives a job back that lacks room in the rates. Wait is when it, or whoever it stands for, looks again.
func (j *Job) Short(l *Locked, s *Shortage, wait time.Duration) {
	e := j.entry
	switch {
	case s.Alone && e != nil:
		e.forced = false
		l.wait(e, l.now.Add(wait))
	case s.Alone:
	case s.Own:
		j.by.pace = l.now.Add(wait)
	default: // the messages a minute are used up for a rank, and so for those below
		for r := range s.Rank + 1 {
			j.mailbox.pace[r] = pace{until: l.now.Add(wait), end: l.now.Add(s.Wait)}
		}
	}
	if !s.Alone && e != nil {
		e.lane.push(e, true)
	}
	l.hooks.Timer()
}

// beyondShare says which part of a person's own share is used up.
func (m *Mailbox) beyondShare(p *person, tries, day, n int) *Shortage {
	r := &m.l.rules
	if !r.Open || p.id == Root {
		return nil
	}
	perMinute := m.perMinute
	minuteShare, dayShare := r.Shares.share(perMinute), r.Shares.share(r.PerDay)
	overMinute := perMinute > 0 && tries >= minuteShare
	overDay := r.PerDay > 0 && day > 0 && day+n > dayShare
	if !overMinute && !overDay || !m.othersWait(p, minuteShare, dayShare) {
		return nil
	}
	if overDay {
		return &Shortage{Wait: time.Minute, Alone: true, Reason: fmt.Sprintf("others wait, and the user's share of "+
			"the day's recipients is used up (%d, delivery.user_share_percent)", dayShare)}
	}
	return &Shortage{Wait: time.Second, Own: true,
		Reason: "others wait, and the user's share of this minute is used up"}
}

// othersWait reports whether somebody else has a message that waits only for p's: a person whose own share is used up
// does not wait for others.
func (m *Mailbox) othersWait(p *person, minuteShare, dayShare int) bool {
	r := &m.l.rules
	for _, q := range m.persons {
		if q == p || q.waiting == 0 && (m.users[q.id] == nil || !m.users[q.id].linked) {
			continue
		}
		overMinute := m.perMinute > 0 && q.tries(m.l.now) >= minuteShare
		overDay := r.PerDay > 0 && q.recipients(m.l.now) >= dayShare
		if !overMinute && !overDay {
			return true
		}
	}
	return false
}
