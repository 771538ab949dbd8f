package deliver

import (
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/queue"
)

var poolOfThree = []string{"pool2@contoso.test", "pool3@contoso.test", "pool4@contoso.test"}

// poolState makes the mailboxes, each with SendAs for the first, and a limit of 30 messages a minute.
func poolState(s *emulator.State) {
	s.Limits.PerMinute, s.Limits.Connections = 30, 0 // a session that has ended counts until the server has seen it
	t := s.Tenants[emulator.DefaultTenant]
	first := t.Mailboxes[emulator.DefaultMailbox]
	for _, m := range poolOfThree {
		t.Mailboxes[m] = &emulator.Mailbox{Shared: true, SMTPAuthDisabled: first.SMTPAuthDisabled,
			FullAccess: first.FullAccess}
		first.SendAs[m] = &emulator.Grant{}
	}
}

// draining sends 300 messages in fake time, and returns how long it takes and by whom they went.
func draining(t *testing.T, pool []string) (took time.Duration, by map[string]int) {
	t.Helper()
	by = map[string]int{}
	inBubble(t, rigOptions{emulator: poolState, account: func(a *Account) {
		a.Pool, a.Limits.MessagesPerMinute, a.Shares = pool, 30, queue.Shares{}
		farAway(a)
	}}, func(t *testing.T, r *rig) {
		const messages = 300
		for i := range messages {
			r.put(1000, i)
		}
		began := time.Now()
		r.run()
		for len(r.em.Messages()) < messages && time.Since(began) < time.Hour {
			time.Sleep(500 * time.Millisecond)
		}
		took = time.Since(began)
		for _, m := range r.em.Messages() {
			by[m.SignIn]++
		}
		if n := r.em.Refused("4") + r.em.Refused("5"); n > 0 {
			for line := range strings.Lines(r.em.Transcript()) {
				if strings.Contains(line, "S: 4") || strings.Contains(line, "S: 5") {
					t.Error(strings.TrimSpace(line))
				}
			}
			t.Errorf("%d refusals with the pool %v", n, pool)
		}
	})
	return took, by
}

// TestPoolDrains: four mailboxes take a queue apart at least 3.8 times as fast as one, and none meets its limit.
func TestPoolDrains(t *testing.T) {
	t.Parallel()
	one, _ := draining(t, nil)
	four, by := draining(t, poolOfThree)
	t.Logf("300 messages: one mailbox %v, four %v, by %v", one, four, by)
	if float64(one) < 3.8*float64(four) {
		t.Errorf("one mailbox takes %v, four take %v", one, four)
	}
	for _, m := range append([]string{emulator.DefaultMailbox}, poolOfThree...) {
		if by[m] < 60 || by[m] > 90 { // what came while the queue was read is shared by turns
			t.Errorf("%s sent %d of 300", m, by[m])
		}
	}
}

// TestPoolAlone: without an agent the mailbox that has sent least signs in, unless it is paused or a rule names one.
func TestPoolAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{account: func(a *Account) { a.Pool = poolOfThree }})
	a := r.e.core.config().Account
	free := func(string) bool { return false }
	seen := map[string]bool{}
	for range 4 {
		m := a.User(a.shared(&envelope.Envelope{}, free))
		seen[m] = true
		if _, err := a.Quota.Reserve(m, 1, a.Limits, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 4 {
		t.Errorf("four messages went by %v", seen)
	}
	if m := a.User(a.shared(&envelope.Envelope{},
		func(m string) bool { return m != poolOfThree[1] })); m != poolOfThree[1] {
		t.Errorf("%s signs in, the others are paused", m)
	}
	if m := a.User(a.shared(&envelope.Envelope{SignIn: "alerts@contoso.test"}, free)); m != "alerts@contoso.test" {
		t.Errorf("%s signs in, a rule names another", m)
	}
}
