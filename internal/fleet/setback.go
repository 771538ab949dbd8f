package fleet

import (
	"context"
	"fmt"
	"time"
)

// mark is what this host knows of a stream that counts. A purge leaves what came after it, so the last token that was
// there at a look says most, and when its time is over the first one since.
type mark struct {
	created                 time.Time // by the servers; zero before it was looked at
	seen, first, last, next counted   // next is what a look that is going on will have seen
}

// counted is a token that was used.
type counted struct {
	sequence uint64        // 0 for none
	until    time.Duration // by boottime: so long it is in the stream
}

// used notes a message's tokens.
func (f *Fleet) used(b *box, t *token) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for stream, c := range map[string]counted{b.minute: {t.minute, t.begun + f.o.Minute}, b.day: {t.lastDay, t.begun + f.o.Day}} {
		if c.sequence == 0 {
			continue
		}
		m := f.marks[stream]
		if m.last = c; m.first.sequence == 0 {
			m.first = c
		}
		f.marks[stream] = m
	}
}

// witness is a token that must be in the stream, the zero value if none must.
func (m mark) witness() counted {
	for _, c := range []counted{m.seen, m.first} {
		if c.sequence != 0 && boottime() < c.until {
			return c
		}
	}
	return counted{}
}

// unused takes back what used noted, before the tokens are dropped.
func (f *Fleet) unused(b *box, t *token) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for stream, sequence := range map[string]uint64{b.minute: t.minute, b.day: t.lastDay} {
		m := f.marks[stream]
		for _, c := range []*counted{&m.seen, &m.first, &m.last, &m.next} {
			if c.sequence == sequence {
				*c = counted{}
			}
		}
		f.marks[stream] = m
	}
}

// checkCounts looks whether somebody has purged or deleted a stream. Then each host counts again what it has sent: until
// all have, more may go than the limits allow, which the mailbox's server refuses for now.
func (f *Fleet) checkCounts(ctx context.Context) {
	f.mu.Lock()
	var boxes []*box
	for _, b := range f.boxes {
		boxes = append(boxes, b)
	}
	f.mu.Unlock()
	for _, b := range boxes {
		if b.minute != "" && f.setBack(ctx, b.minute) {
			sent, _ := f.o.Local.Usage(b.name, time.Now())
			for range min(sent, b.limits.MessagesPerMinute) {
				f.owe(b, nil)
			}
		}
		if b.day != "" && f.setBack(ctx, b.day) {
			_, recipients := f.o.Local.Usage(b.name, time.Now())
			_, _ = f.dayTokens(ctx, b, &token{}, min(recipients, b.limits.RecipientsPerDay)) // if there is room
		}
	}
}

// setBack reports whether a stream lacks what this host has counted in it, and warns.
func (f *Fleet) setBack(ctx context.Context, stream string) bool {
	f.mu.Lock()
	before := f.marks[stream]
	before.next = before.last
	f.marks[stream] = before
	witness := before.witness()
	f.mu.Unlock()
	info, err := f.info(ctx, stream)
	if err != nil {
		return false
	}
	made := !before.created.IsZero() && !before.created.Equal(info.Created) || before.last.sequence > info.State.LastSeq
	purged := witness.sequence > 0 && witness.sequence < info.State.FirstSeq && boottime() < witness.until
	f.mu.Lock()
	m := f.marks[stream]
	// A message that was not sent may have given its token back meanwhile.
	back := made || purged && (witness == m.seen || witness == m.first)
	if m.created = info.Created; back {
		m = mark{created: info.Created}
	} else if m.next.sequence != 0 {
		if m.seen, m.first = m.next, (counted{}); m.last != m.next {
			m.first = m.last
		}
	}
	f.marks[stream] = m
	f.mu.Unlock()
	if back {
		f.o.Warn(fmt.Errorf("fleet %s: somebody purged or deleted the stream %s: each host counts again what it has sent, "+
			"and meanwhile more may go than the limits allow", f.o.Name, stream))
	}
	return back
}
