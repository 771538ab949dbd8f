package deliver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/queue"
)

// shared is a rig with an account whose limits are divided.
func shared(t *testing.T, perMinute, perDay int) *rig {
	return newRig(t, rigOptions{
		fakeClock: true,
		account: func(a *Account) {
			a.Limits.MessagesPerMinute, a.Limits.RecipientsPerDay = perMinute, perDay
			a.Shares = queue.Shares{Reserve: 10, Small: 5, User: 50}
		},
		config: func(c *Config) { c.DelayWarning, c.Owner = 0, func(uid int) (int, bool) { return uid, uid < 5000 } },
	})
}

func addresses(n int) (to []string) {
	for i := range n {
		to = append(to, fmt.Sprintf("u%d@example.com", i))
	}
	return to
}

// sentBy counts the messages of a user that arrived.
func (r *rig) sentBy(uid int) (n int) {
	for s, k := range r.subjects() {
		if strings.HasPrefix(s, fmt.Sprintf("%d-", uid)) {
			n += k
		}
	}
	return n
}

// One user's newsletter takes all of the day but the reserves; what does not fit waits with a
// reason, and root, alerts and a user who has sent nothing go on.
func TestDayHasAReserve(t *testing.T) {
	t.Parallel()
	r := shared(t, 0, 1000)
	for i := range 20 {
		r.put(33, i, addresses(50)...)
	}
	r.run()
	r.until("the newsletter has its part", func() bool {
		return r.sentBy(33) == 17 && len(r.ids()) == 3 && r.e.State().Ready == 0 && r.e.State().InFlight == 0
	})
	if info := r.status(r.ids()[0]); info.Status.Class != queue.ClassShare || !strings.Contains(info.Status.Reason,
		"do not fit into the day: 850 of 1000") ||
		!strings.Contains(info.Status.Reason, "delivery.reserve_percent") || info.Status.Attempts != 0 {
		t.Errorf("%+v", info.Status)
	}
	r.e.Wake(r.put(0, 0, addresses(100)...))
	r.e.Wake(r.put(1001, 0, addresses(10)...))
	r.until("root's is out", func() bool { return r.sentBy(0) == 1 && r.sentBy(1001) == 0 || r.sentBy(1001) == 1 })
	r.until("both are out", func() bool { return r.sentBy(0) == 1 })
	// Strangers have one part of the small reserve together, however many they are.
	for uid := range 20 {
		r.e.Wake(r.put(6000+uid, 0, addresses(10)...))
	}
	r.until("the strangers wait", func() bool { return r.e.State().Ready == 0 && r.e.State().InFlight == 0 })
	strangers := 0
	for uid := range 20 {
		strangers += r.sentBy(6000 + uid)
	}
	if strangers > 1 {
		t.Errorf("%d strangers took of the small reserve", strangers)
	}
	env := testEnvelope(r.em.Mailbox)
	receipt, err := r.e.Submit(context.Background(), env, testMessage(r.em.Mailbox, "0-9"))
	if err != nil || receipt.Queued {
		t.Errorf("root's next: %+v, %v", receipt, err)
	}
	r.step("a day later all is out", 0, func() bool {
		if s := r.e.State(); s.InFlight == 0 && s.Ready == 0 {
			r.clock.advance(20 * time.Minute)
		}
		return len(r.ids()) == 0
	})
}

// An interactive message that does not fit is queued with its reason, at once.
func TestDayShareInteractive(t *testing.T) {
	t.Parallel()
	r := shared(t, 0, 100).run()
	submit := func(uid, i, n int) envelope.Receipt {
		env := testEnvelope(r.em.Mailbox, addresses(n)...)
		env.Caller.UID = uid
		receipt, err := r.e.Submit(context.Background(), env, testMessage(r.em.Mailbox, fmt.Sprintf("%d-%d", uid, i)))
		if err != nil {
			t.Fatal(err)
		}
		return receipt
	}
	if got := submit(33, 0, 80); got.Queued {
		t.Errorf("%+v", got)
	}
	got := submit(33, 1, 20)
	if info := r.status(got.QueueID); !got.Queued || info.Status.Class != queue.ClassShare ||
		info.Status.Next.IsZero() {
		t.Errorf("%+v, %+v", got, info.Status)
	}
	if got := submit(33, 2, 5); got.Queued {
		t.Errorf("a message that fits: %+v", got)
	}
	if got := submit(0, 0, 10); got.Queued {
		t.Errorf("root's: %+v", got)
	}
}

// A user over the share waits while messages of others wait, and no longer.
func TestShareBindsWhileOthersWait(t *testing.T) {
	t.Parallel()
	r := shared(t, 0, 1000)
	for i := range 16 {
		r.put(33, i, addresses(50)...)
	}
	for i := range 50 {
		r.put(1001, i, addresses(8)...)
	}
	r.run()
	r.until("the other user's are out", func() bool { return r.sentBy(1001) == 50 })
	if n := r.sentBy(33); n > 9 {
		t.Errorf("%d messages of 50 recipients went before the last of the others", n)
	}
	r.step("the first goes on alone", 10*time.Second, func() bool { return r.sentBy(33) == 9 })
}

func TestMinuteHasAReserve(t *testing.T) {
	t.Parallel()
	r := shared(t, 30, 0)
	for i := range 100 {
		r.put(33, i)
	}
	r.run()
	r.until("the minute is used up", func() bool { return r.sentBy(33) == 25 && r.e.State().InFlight == 0 })
	r.e.Wake(r.put(1001, 0))
	r.until("the other user's is out", func() bool { return r.sentBy(1001) == 1 })
	for i := range 3 {
		r.e.Wake(r.put(0, i))
	}
	r.until("root's are out", func() bool { return r.sentBy(0) == 3 })
	if n := r.sentBy(33); n != 25 {
		t.Errorf("%d of the first in a minute", n)
	}
	if m := r.e.State().Mailboxes[0]; m.PacedUntil.IsZero() {
		t.Errorf("%+v", m)
	}
}

// Tries that fail cost their user turns, and nobody else anything.
func TestFailedTriesCostOthersNothing(t *testing.T) {
	t.Parallel()
	r := shared(t, 30, 1000)
	if err := r.em.Script(emulator.Rule{Stage: "rcpt", Match: "full@", Reply: "451 4.7.1 later"}); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		r.put(33, i, "full@example.com")
	}
	r.run()
	r.until("the user's tries are used up", func() bool {
		s := r.e.State()
		return s.Counters.Deferred == 25 && s.InFlight == 0
	})
	for i := range 20 {
		r.e.Wake(r.put(1001, i))
	}
	r.until("all of the other user's are out", func() bool { return r.sentBy(1001) == 20 })
	if n := r.e.State().Counters.Deferred; n > 26 {
		t.Errorf("%d tries in a minute", n)
	}
	r.until("nothing is under way", func() bool { return r.e.State().InFlight == 0 })
	if m := r.e.State().Mailboxes[0]; m.LastMinute != 20 || m.LastDay != 20 {
		t.Errorf("%+v", m)
	}
}

// A process without an agent keeps root's reserve, and takes a failed try back.
func TestDirectKeepsTheReserve(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{account: func(a *Account) {
		a.Limits.RecipientsPerDay, a.Shares = 100, queue.Shares{Reserve: 10, Small: 5, User: 50}
	}})
	account := r.e.config().Account
	d := NewEngine(EngineOptions{
		Config: Config{Account: account}, Log: r.e.o.Log, Alone: &Alone{Timeout: 5 * time.Second},
	})
	submit := func(uid int, to ...string) error {
		env := testEnvelope(r.em.Mailbox, to...)
		env.Caller.UID = uid
		_, err := d.Submit(t.Context(), env, testMessage(r.em.Mailbox, fmt.Sprintf("%d-0", uid)))
		return err
	}
	if err := r.em.Script(emulator.Rule{Stage: "rcpt", Match: "full@", Reply: "451 4.7.1 later"}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := submit(33, "full@example.com", "full@example.com", "full@example.com", "full@example.com",
			"full@example.com"); err == nil {
			t.Fatal("it was taken")
		}
	}
	if _, day := account.Quota.Usage(r.em.Mailbox, time.Now()); day != 0 {
		t.Errorf("%d recipients of failed tries are counted", day)
	}
	if err := submit(33, addresses(90)...); err != nil {
		t.Error(err)
	}
	if err := submit(33, addresses(1)...); err == nil ||
		!strings.Contains(err.Error(), "90 of 100 were sent to, and 10 are kept in reserve") {
		t.Errorf("beyond the reserve: %v", err)
	}
	if err := submit(0, addresses(10)...); err != nil {
		t.Errorf("root's: %v", err)
	}
}
