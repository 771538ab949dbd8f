package deliver

import (
	"time"

	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/spool"
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

// rank says how deep into a limit somebody may reach.
type rank uint8

const (
	rankUser  rank = iota // up to both reserves
	rankLight             // has sent next to nothing: up to the reserve of root
	rankRoot              // the whole limit
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

// within is how much of a limit a rank may use; 0 of a limit that is none.
func (s Shares) within(limit int, r rank) int {
	switch r {
	case rankRoot:
		return limit
	case rankLight:
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
	return max(s.within(limit, rankUser)*s.User/100, 1)
}

// The people who are no users: root with the service user and the alerts, and the reports on
// undelivered mail, which a user's bad addresses can make many of.
const (
	personRoot      = 0
	personReports   = -2
	personStrangers = -3 // all who are no account of this host together
)

// person is somebody whom shares are counted for. The engine's mutex guards it.
type person struct {
	id      int
	minute  tally     // tries by the second, those that failed too
	day     tally     // recipients by the minute
	pace    time.Time // may try nothing until then
	express int       // submissions that wait for a courier
	turn    uint64    // of the box, when the last message was taken
	with    *person   // all strangers, of one of them
}

// personOf returns who is charged for a message of a box.
func (e *Engine) personOf(b *box, m spool.Meta) *person {
	switch {
	case m.UID == 0, m.UID > 0 && m.UID == e.config.ServiceUID:
		return b.person(personRoot)
	case m.UID < 0 && m.Origin == notify.OriginAlert:
		return b.person(personRoot)
	case m.UID < 0 && m.Origin == notify.OriginReport:
		return b.person(personReports)
	case e.config.Owner == nil:
		return b.person(m.Sharer())
	}
	id, known := m.Sharer(), false
	if m.UID >= 0 {
		id, known = e.config.Owner(m.UID)
	}
	p := b.person(id)
	if !known {
		p.with = b.person(personStrangers)
	}
	return p
}

func (b *box) person(id int) *person {
	p := b.persons[id]
	if p == nil {
		p = &person{id: id}
		b.persons[id] = p
	}
	return p
}

// forgetPersons drops those of whom nothing is known any more.
func (b *box) forgetPersons(now time.Time) {
	for id, p := range b.persons {
		if id != personStrangers && b.users[id] == nil && p.express == 0 && p.tries(now) == 0 &&
			p.recipients(now) == 0 {
			delete(b.persons, id)
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

func (p *person) takeBackTry(at time.Time) {
	for ; p != nil; p = p.with {
		p.minute.takeBack(at.Unix(), 1)
	}
}

func (p *person) takeBackRecipients(n int, at time.Time) {
	for ; p != nil; p = p.with {
		p.day.takeBack(at.Unix()/60, n)
	}
}

// all is whose use decides on the small reserve.
func (p *person) all() *person {
	if p.with != nil {
		return p.with
	}
	return p
}

// tally counts by a unit of time, the oldest first.
type tally []count

type count struct {
	at int64
	n  int
}

func (t *tally) add(at int64, n int) {
	if last := len(*t) - 1; last >= 0 && (*t)[last].at == at {
		(*t)[last].n += n
		return
	}
	*t = append(*t, count{at, n})
}

// takeBack takes n off what was counted at the time at, if that is still known.
func (t *tally) takeBack(at int64, n int) {
	for i := len(*t) - 1; i >= 0; i-- {
		if c := &(*t)[i]; c.at == at {
			c.n = max(c.n-n, 0)
			return
		}
	}
}

// since forgets what was counted before from and sums up the rest. What lies ahead of now was
// counted by a clock that was set back, and is forgotten, too.
func (t *tally) since(from, now int64) (sum int) {
	keep := (*t)[:0]
	for _, c := range *t {
		if c.at >= from && c.at <= now && c.n > 0 {
			keep = append(keep, c)
			sum += c.n
		}
	}
	*t = keep
	return sum
}

// rankOf is somebody's rank for n more of a limit of which he, or those he is counted with, have used some.
func (e *Engine) rankOf(p *person, used, n, limit int) rank {
	switch {
	case p.id == personRoot:
		return rankRoot
	case used+n <= e.config.Account.Shares.light(limit):
		return rankLight
	}
	return rankUser
}

// pacedOut reports whether the messages a minute allow somebody nothing now.
func (e *Engine) pacedOut(b *box, p *person, now time.Time) bool {
	if after(p.pace, now) {
		return true
	}
	if b.pace == [ranks]pace{} || e.config.Account == nil {
		return false
	}
	r := e.rankOf(p, p.all().tries(now), 1, e.config.Account.Limits.MessagesPerMinute)
	return after(b.pace[r].until, now)
}

// pace is when the messages a minute of a mailbox allow more.
type pace struct {
	until time.Time // they are looked at then
	end   time.Time // when they are expected to
}

// shortage is why a message can't go for want of room in the rates.
type shortage struct {
	wait   time.Duration
	rank   rank
	own    bool // the user's own tries are used up, others' are not
	alone  bool // it concerns this message; others may go
	reason string
}

// aloneLook is how often a message is looked at that waits for room in the day.
const aloneLook = 15 * time.Minute

// reserve charges the account's rates and the user's share of them; nil means that the message may go.
func (e *Engine) reserve(c *courier, j *job) *shortage {
	limits, shares := c.account.Limits, c.account.Shares
	if limits == (quota.Limits{}) {
		return nil
	}
	e.rates.Lock()
	defer e.rates.Unlock()
	now, n := e.clock.Now(), len(j.env.Recipients)
	e.mu.Lock()
	tries, day := j.by.tries(now), j.by.recipients(now)
	minuteRank := e.rankOf(j.by, j.by.all().tries(now), 1, limits.MessagesPerMinute)
	dayRank := e.rankOf(j.by, j.by.all().recipients(now), n, limits.RecipientsPerDay)
	short := e.beyondShare(j, tries, day, now)
	e.mu.Unlock()
	if short != nil {
		return short
	}
	mine := quota.Limits{
		MessagesPerMinute: shares.within(limits.MessagesPerMinute, minuteRank),
		RecipientsPerDay:  shares.within(limits.RecipientsPerDay, dayRank),
	}
	wait, err := c.account.Quota.Reserve(c.mailbox, n, mine, now)
	switch {
	case err != nil: // an interactive message with too many: by way of the queue it goes in parts
		return &shortage{wait: time.Minute, alone: true, reason: err.Error()}
	case wait > 0:
		return c.account.shortage(c.mailbox, mine, minuteRank, n, wait, now)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// Those that failed are no longer among the account's.
	if most := shares.within(limits.MessagesPerMinute, rankUser); j.by.id != personRoot && most > 0 && tries >= most {
		c.account.Quota.Unreserve(c.mailbox, n, now, now)
		return &shortage{wait: j.by.minute.oldest(now), own: true,
			reason: "the user's own tries of this minute are used up"}
	}
	j.by.charge(n, now)
	j.reserved = now
	return nil
}

// beyondShare says what of his own share somebody has used up. The mutex is held.
func (e *Engine) beyondShare(j *job, tries, day int, now time.Time) *shortage {
	a, p := e.config.Account, j.by
	if a == nil || p.id == personRoot {
		return nil
	}
	limits, shares, n := a.Limits, a.Shares, len(j.env.Recipients)
	minuteShare, dayShare := shares.share(limits.MessagesPerMinute), shares.share(limits.RecipientsPerDay)
	overMinute := limits.MessagesPerMinute > 0 && tries >= minuteShare
	overDay := limits.RecipientsPerDay > 0 && day > 0 && day+n > dayShare
	if !overMinute && !overDay || !e.othersWait(j.box, p, minuteShare, dayShare, now) {
		return nil
	}
	if overDay {
		return &shortage{wait: time.Minute, alone: true, reason: daySharedText(dayShare)}
	}
	return &shortage{wait: time.Second, own: true,
		reason: "others wait, and the user's share of this minute is used up"}
}

// oldest is how long it takes until the oldest try is a minute old.
func (t tally) oldest(now time.Time) time.Duration {
	if len(t) == 0 {
		return time.Second
	}
	return max(time.Unix(t[0].at+61, 0).Sub(now), time.Second)
}

// othersWait reports whether somebody else has a message that could go but for p's: one who has used up
// his own share waits for himself.
func (e *Engine) othersWait(b *box, p *person, minuteShare, dayShare int, now time.Time) bool {
	limits := e.config.Account.Limits
	for _, q := range b.persons {
		if q == p || q.express == 0 && (b.users[q.id] == nil || !b.users[q.id].linked) {
			continue
		}
		overMinute := limits.MessagesPerMinute > 0 && q.tries(now) >= minuteShare
		overDay := limits.RecipientsPerDay > 0 && q.recipients(now) >= dayShare
		if !overMinute && !overDay {
			return true
		}
	}
	return false
}
