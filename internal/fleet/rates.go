package fleet

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"o365-sendmail/internal/quota"
)

// box is what is shared of one mailbox.
type box struct {
	name, minute, day string // and its streams, "" where there is no limit
	limits            quota.Limits

	mu       sync.Mutex
	ahead    *token // taken for the next message
	fetching bool
	debts    int // messages that ended later than their tokens count, and have none yet
}

// token is what was taken for one message.
type token struct {
	minute     uint64        // its sequence
	day        []string      // subjects
	lastDay    uint64        // the last one's sequence
	recipients int           // of day
	begun      time.Duration // by boottime: before it was asked for
}

// slack is how much longer than a minute a token counts: a message that ends within it is counted long enough. It costs
// 1.5 of 61.5 seconds.
func (f *Fleet) slack() time.Duration { return f.o.Minute / 40 }

// mailbox finds or makes the streams of a mailbox.
func (f *Fleet) mailbox(ctx context.Context, name string) (*box, error) {
	name = strings.ToLower(name)
	f.mu.Lock()
	b := f.boxes[name]
	f.names[name] = true
	f.mu.Unlock()
	if b != nil {
		return b, nil
	}
	b = &box{name: name, limits: f.o.Limits}
	lacks := false // the minute's stream: what this host has sent
	c := f.counts(name)
	if b.limits.MessagesPerMinute > 0 {
		b.minute = c[0].stream
		n, young, err := f.makeStream(ctx, c[0])
		if err != nil {
			return nil, err
		}
		lacks = young
		f.differs("delivery.messages_per_minute", name, b.limits.MessagesPerMinute, n)
		b.limits.MessagesPerMinute = n
	}
	if b.limits.RecipientsPerDay > 0 {
		b.day = c[1].stream
		n, _, err := f.makeStream(ctx, c[1])
		if err != nil {
			return nil, err
		}
		f.differs("delivery.recipients_per_day", name, b.limits.RecipientsPerDay, n)
		b.limits.RecipientsPerDay = n
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if other := f.boxes[name]; other != nil {
		return other, nil
	}
	f.boxes[name] = b
	if lacks {
		delete(f.marks, b.minute) // what was counted there is counted again
	}
	if sent, _ := f.o.Local.Usage(name, time.Now()); lacks || f.away {
		for range min(sent, b.limits.MessagesPerMinute) {
			f.owe(b, nil)
		}
	}
	return b, nil
}

// Reserve is quota.Limiter's: this host counts along, so that its count is right when the servers are away.
func (f *Fleet) Reserve(ctx context.Context, r quota.Request) (quota.Grant, *quota.Short, error) {
	if e := f.link.unknown(f.hosts()); e != nil {
		return quota.Grant{}, nil, e
	}
	b, err := f.mailbox(ctx, r.Account) // before this message counts: it looks at what this host has sent
	if err != nil {
		return quota.Grant{}, nil, err
	}
	g, short, err := f.o.Local.Reserve(ctx, r)
	if short != nil || err != nil {
		return g, short, err
	}
	t, short, err := f.take(ctx, b, r)
	if short != nil || err != nil {
		if err == nil {
			f.seen.refused()
		}
		f.o.Local.Unreserve(g, r.Now)
		return quota.Grant{}, short, err
	}
	g.Mark = t
	f.used(b, t)
	return g, nil, nil
}

// take takes a token for a message, the one that was taken ahead if there is one.
func (f *Fleet) take(ctx context.Context, b *box, r quota.Request) (*token, *quota.Short, error) {
	if err := b.limits.TooMany(r.Recipients); err != nil {
		return nil, nil, err
	}
	t := b.takeAhead(f)
	if t == nil {
		var short *quota.Short
		var err error
		if t, short, err = f.minuteToken(ctx, b); short != nil || err != nil {
			return nil, short, err
		}
	}
	if more := r.Recipients - t.recipients; b.day != "" && more > 0 {
		short, err := f.dayTokens(ctx, b, t, more)
		if short != nil || err != nil {
			f.later(func(ctx context.Context) { f.drop(ctx, b, t) })
			return nil, short, err
		}
	}
	if r.More {
		f.fetchAhead(b)
	}
	return t, nil, nil
}

// minuteToken takes one of the minute's.
func (f *Fleet) minuteToken(ctx context.Context, b *box) (*token, *quota.Short, error) {
	t := &token{begun: boottime()}
	if b.minute == "" {
		return t, nil, nil
	}
	b.mu.Lock()
	owes := b.debts > 0
	b.mu.Unlock()
	if owes {
		return nil, &quota.Short{Wait: f.o.Minute / 240}, nil
	}
	err := f.call(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		ack, err := js.PublishMsg(ctx, nats.NewMsg(f.tokens(b.minute)+".t"))
		if err == nil {
			t.minute = ack.Sequence
		}
		return err
	})
	switch {
	case err == nil:
		return t, nil, nil
	case !isFull(err):
		return nil, nil, f.gone(ctx, b, b.minute, err)
	}
	room, _, err := f.roomIn(ctx, b.minute)
	// Another host may give one back before the oldest ends.
	return nil, &quota.Short{Wait: min(room, f.o.Minute/12)}, err
}

// isFull reports whether a stream has no room for a token.
func isFull(err error) bool {
	var refusal *jetstream.APIError
	return errors.As(err, &refusal) && (refusal.ErrorCode == 10077 || strings.Contains(refusal.Description, "maximum messages"))
}

// roomIn is when the oldest token of a stream ends, by the servers' clock alone, and how many there are.
func (f *Fleet) roomIn(ctx context.Context, stream string) (wait time.Duration, used int, err error) {
	info, err := f.info(ctx, stream)
	if err != nil {
		return 0, 0, err
	}
	wait = 20 * time.Millisecond
	if info.State.Msgs > 0 {
		wait = max(wait, info.Config.MaxAge-info.TimeStamp.Sub(info.State.FirstTime)+wait)
	}
	return wait, int(info.State.Msgs), nil
}

// gone makes an error of a stream an answer that is not known, and has it made again if somebody deleted it.
func (f *Fleet) gone(ctx context.Context, b *box, stream string, err error) error {
	if e := new(quota.UnknownError); errors.As(err, &e) || ctx.Err() != nil {
		f.forget(b)
		return err
	}
	f.forget(b)
	f.link.trip(f.unusable(stream, err))
	if e := f.link.unknown(f.hosts()); e != nil {
		return e
	}
	return err
}

// forget has the streams of a mailbox looked up again.
func (f *Fleet) forget(b *box) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.boxes[b.name] == b {
		delete(f.boxes, b.name)
	}
}

// dayTokens takes n of the day's, all or none. A batch without an answer counts as taken.
func (f *Fleet) dayTokens(ctx context.Context, b *box, t *token, n int) (*quota.Short, error) {
	for n > 0 {
		some := min(n, maxBatch)
		subject := f.tokens(b.day) + "." + nuid.Next()
		err := f.call(ctx, func(ctx context.Context, js jetstream.JetStream) (err error) {
			t.lastDay, err = publishBatch(ctx, js, subject, some)
			return err
		})
		switch {
		case err == nil:
			t.day, t.recipients = append(t.day, subject), t.recipients+some
			n -= some
			continue
		case !isFull(err):
			return nil, f.gone(ctx, b, b.day, err)
		}
		room, used, err := f.roomIn(ctx, b.day)
		return &quota.Short{Wait: max(room, f.o.Minute), Day: true, Used: used}, err
	}
	return nil, nil
}

// maxBatch is how many messages a batch has; the servers' default is 1000.
const maxBatch = 500

// publishBatch stores n empty messages of a subject, all or none, and returns the last one's sequence. See NATS's ADR-50.
func publishBatch(ctx context.Context, js jetstream.JetStream, subject string, n int) (last uint64, err error) {
	id, m := nuid.Next(), nats.NewMsg(subject)
	for i := 1; n > 1; i++ {
		m.Header.Set("Nats-Batch-Id", id)
		m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i))
		if i == n {
			m.Header.Set("Nats-Batch-Commit", "1")
			break
		}
		if err := js.Conn().PublishMsg(m); err != nil {
			return 0, err
		}
	}
	ack, err := js.PublishMsg(ctx, m)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// takeAhead returns the token that was taken ahead, unless it is too old: then it goes back.
func (b *box) takeAhead(f *Fleet) *token {
	b.mu.Lock()
	t := b.ahead
	b.ahead = nil
	b.mu.Unlock()
	if t == nil || boottime()-t.begun < 2*f.slack() {
		return t
	}
	f.later(func(ctx context.Context) { f.drop(ctx, b, t) })
	return nil
}

// fetchAhead takes a token for the next message while this one is sent.
func (f *Fleet) fetchAhead(b *box) {
	b.mu.Lock()
	busy := b.fetching || b.ahead != nil
	b.fetching = true
	b.mu.Unlock()
	if busy {
		return
	}
	f.later(func(ctx context.Context) {
		t, short, err := f.minuteToken(ctx, b)
		if err == nil && short == nil && b.day != "" {
			if short, err = f.dayTokens(ctx, b, t, 1); short != nil || err != nil {
				f.drop(ctx, b, t)
			}
		}
		b.mu.Lock()
		b.fetching = false
		if err == nil && short == nil {
			b.ahead = t
		}
		b.mu.Unlock()
		if err == nil && short == nil { // nobody may come for it
			time.AfterFunc(2*f.slack(), func() { b.dropStale(f, t) })
		}
	})
}

// dropStale gives a token back that nobody came for.
func (b *box) dropStale(f *Fleet, t *token) {
	b.mu.Lock()
	stale := b.ahead == t
	if stale {
		b.ahead = nil
	}
	b.mu.Unlock()
	if stale && f.ctx.Err() == nil {
		f.later(func(ctx context.Context) { f.drop(ctx, b, t) })
	}
}

// drop takes a token back. What can't be taken back ends by itself.
func (f *Fleet) drop(ctx context.Context, b *box, t *token) {
	js := f.stream()
	if js == nil {
		return
	}
	if t.minute != 0 {
		if s, err := js.Stream(ctx, b.minute); err == nil {
			_ = s.DeleteMsg(ctx, t.minute)
		}
	}
	for _, subject := range t.day {
		if s, err := js.Stream(ctx, b.day); err == nil {
			_ = s.Purge(ctx, jetstream.WithPurgeSubject(subject))
		}
	}
}

// Unreserve is quota.Limiter's.
func (f *Fleet) Unreserve(g quota.Grant, now time.Time) {
	f.o.Local.Unreserve(g, now)
	t, ok := g.Mark.(*token)
	if !ok {
		return
	}
	f.later(func(ctx context.Context) {
		if b, err := f.mailbox(ctx, g.Account); err == nil {
			f.unused(b, t)
			f.drop(ctx, b, t)
		}
	})
}

// Restamp is quota.Limiter's. A message that took longer than its token's slack is counted for its end by another one,
// before this host gets one for the next: the first ends too early.
func (f *Fleet) Restamp(g quota.Grant, now time.Time) {
	f.o.Local.Restamp(g, now)
	t, ok := g.Mark.(*token)
	if !ok || t.minute == 0 || boottime()-t.begun <= f.slack() {
		return
	}
	f.mu.Lock()
	b := f.boxes[strings.ToLower(g.Account)]
	f.mu.Unlock()
	if b != nil {
		f.owe(b, t)
	}
}

// owe counts a message for its end, now, as soon as there is room: by a token that goes back a minute after the end.
func (f *Fleet) owe(b *box, t *token) {
	end := boottime() + f.o.Minute
	b.mu.Lock()
	b.debts++
	b.mu.Unlock()
	f.work.Go(func() {
		sequence := f.pay(b, end)
		b.mu.Lock()
		b.debts--
		b.mu.Unlock()
		if sequence == 0 {
			return
		}
		if t != nil {
			f.unused(b, &token{minute: t.minute})
			f.used(b, &token{minute: sequence, begun: end - f.o.Minute})
			f.later(func(ctx context.Context) { f.drop(ctx, b, &token{minute: t.minute}) })
		}
		if f.pause(end-boottime(), 0) {
			f.later(func(ctx context.Context) { f.drop(ctx, b, &token{minute: sequence}) })
		}
	})
}

// pay takes a token until end; 0 if there was none.
func (f *Fleet) pay(b *box, end time.Duration) (sequence uint64) {
	for boottime() < end {
		ctx, cancel := context.WithTimeout(f.ctx, callTimeout)
		ack, err := f.stream().PublishMsg(ctx, nats.NewMsg(f.tokens(b.minute)+".t"))
		room := f.o.Minute / 240
		if isFull(err) {
			if wait, _, err := f.roomIn(ctx, b.minute); err == nil {
				room = min(wait, f.o.Minute/60)
			}
		}
		cancel()
		if err == nil {
			return ack.Sequence
		}
		if !f.pause(room, 0) {
			return 0
		}
	}
	return 0
}

// Usage is quota.Limiter's: what this host has used.
func (f *Fleet) Usage(account string, now time.Time) (messages, recipients int) {
	return f.o.Local.Usage(account, now)
}
