package agent

import (
	"testing"
	"time"

	"o365-sendmail/internal/config"
)

// TestRecipientsShare: what recipients take is shared as the memory for headers, of which it is a part; few of them
// are free.
func TestRecipientsShare(t *testing.T) {
	t.Parallel()
	c := &config.Config{}
	c.Agent.MaxHeaderMemory, c.Agent.ReservePercent, c.Agent.MaxConnections = 1<<20, 10, 512
	l := limits{now: time.Now}
	join := func(uid int) *guest {
		g := &guest{who: who{uid: uid}, trusted: uid == 0, evict: func() {}}
		if err := l.enter(g, c); err != nil {
			t.Fatal(err)
		}
		return g
	}
	fill := func(g *guest, n int64) (taken int64) {
		for l.locked(func() error { return l.addEnvelope(g, n, c) }) == nil && taken < 10<<20 {
			taken += n
		}
		return taken
	}
	var big []*guest
	total := int64(0)
	for range 100 {
		g := join(33)
		big = append(big, g)
		total += fill(g, 1<<10)
	}
	if most := int64(1<<20 + 100*freeEnvelope); total > most || total < 1<<19 {
		t.Errorf("100 connections of a user named %d bytes of recipients, want at most %d", total, most)
	}
	if g := join(1001); fill(g, 100) < freeEnvelope {
		t.Error("another user can't name a few recipients")
	}
	if g := join(1002); fill(g, 1<<10) < 100<<10 {
		t.Error("another user can't name a thousand recipients")
	}
	if g := join(0); fill(g, 1<<10) < 100<<10 {
		t.Error("root can't name a thousand recipients")
	}
	for _, g := range big {
		l.leave(g)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := int64(0)
	for _, u := range l.users {
		sum += u.header
	}
	if sum != l.header || l.user(who{uid: 33}).header != 0 {
		t.Errorf("%d bytes are counted, the users have %d, of them uid 33 %d", l.header, sum,
			l.user(who{uid: 33}).header)
	}
}
