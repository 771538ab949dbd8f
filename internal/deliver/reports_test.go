package deliver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// putEnvelope puts a message with an envelope of the test's own.
func (r *rig) putEnvelope(env *envelope.Envelope, subject string) string {
	r.t.Helper()
	id, err := r.sp.Put(context.Background(), metaOf(env), env, testMessage(r.em.Mailbox, subject))
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// arrivals returns the recipients of the messages whose subject has the word.
func (r *rig) arrivals(word string) (to []string) {
	for _, m := range r.em.Messages() {
		if strings.Contains(subjectIn(string(m.Data)), word) {
			to = append(to, m.To...)
		}
	}
	return to
}

func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	refuse := emulator.Rule{Stage: "rcpt", Match: "never@", Reply: "550 5.1.1 no such user"}
	for _, c := range []struct {
		name   string
		change func(*envelope.Envelope)
		bounce []string
		failed bool
	}{
		{"by default", func(*envelope.Envelope) {}, []string{bounceTo}, false},
		{"routable origin", func(e *envelope.Envelope) { e.Origin = "ada@contoso.test" }, []string{"ada@contoso.test"}, false},
		{"null origin", func(e *envelope.Envelope) { e.Origin = "" }, nil, true},
		{"no report wanted", func(e *envelope.Envelope) { e.Recipients[0].Notify = envelope.NotifyNever }, nil, false},
		{"only success wanted", func(e *envelope.Envelope) { e.Recipients[0].Notify = envelope.NotifySuccess }, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{})
			if err := r.em.Script(refuse); err != nil {
				t.Fatal(err)
			}
			env := testEnvelope(r.em.Mailbox, "never@example.com")
			c.change(env)
			id := r.putEnvelope(env, "doomed")
			r.run().untilEmpty()
			r.until("it is settled", func() bool { return r.e.State().InFlight == 0 })
			if got := r.arrivals("Undelivered"); !slices.Equal(got, c.bounce) {
				t.Errorf("reports to %v, want %v", got, c.bounce)
			}
			if info, err := r.sp.Get(id); (err == nil && info.Failed) != c.failed {
				t.Errorf("%+v, %v", info, err)
			}
			if s := r.e.State(); s.Counters.Bounced != 1 || (s.Counters.Failed == 1) != c.failed {
				t.Errorf("%+v", s.Counters)
			}
		})
	}
}

// A report that is refused itself is kept in failed/, and nobody is told.
func TestRefusedReport(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	if err := r.em.SetFault("recipient-unknown"); err != nil {
		t.Fatal(err)
	}
	r.putEnvelope(testEnvelope(r.em.Mailbox), "doomed")
	r.run().untilEmpty()
	r.until("it is settled", func() bool { return r.e.State().InFlight == 0 })
	if n := len(r.em.Messages()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
	st, err := r.sp.Stats()
	if err != nil || st.Failed != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestExpiryAndDelayWarning(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true, config: func(c *Config) { c.Lifetime = 48 * time.Hour }})
	if err := r.em.Script(emulator.Rule{Stage: "rcpt", Match: "later@", Reply: "451 4.7.1 try later"}); err != nil {
		t.Fatal(err)
	}
	env := testEnvelope(r.em.Mailbox, "later@example.com")
	env.Origin = "ada@contoso.test"
	r.putEnvelope(env, "late")
	quiet := testEnvelope(r.em.Mailbox, "later@example.com")
	quiet.Origin = "bob@contoso.test"
	quiet.Recipients[0].Notify = envelope.NotifyFailure
	r.putEnvelope(quiet, "late, too")
	r.run()
	r.step("both have expired", 20*time.Minute, func() bool { return len(r.ids()) == 0 })
	if got := r.arrivals("Delayed"); !slices.Equal(got, []string{"ada@contoso.test"}) {
		t.Errorf("warnings to %v", got)
	}
	got := r.arrivals("Undelivered")
	slices.Sort(got)
	if !slices.Equal(got, []string{"ada@contoso.test", "bob@contoso.test"}) {
		t.Errorf("reports to %v", got)
	}
	if c := r.e.State().Counters; c.Expired != 2 || c.Bounced != 0 {
		t.Errorf("%+v", c)
	}
	if n := strings.Count(r.log.String(), ", status=expired (given up after 2 days: "); n != 2 {
		t.Errorf("%d lines say expired", n)
	}
	for _, m := range r.em.Messages() {
		if strings.Contains(subjectIn(string(m.Data)), "Undelivered") && !strings.Contains(string(m.Data), "it was tried for 2 days") {
			t.Errorf("the report does not say for how long:\n%s", m.Data)
		}
	}
}

func TestSuccessReport(t *testing.T) {
	t.Parallel()
	for _, dsn := range []bool{false, true} {
		r := newRig(t, rigOptions{emulator: func(s *emulator.State) {
			if !dsn {
				s.Exchange.Without = append(s.Exchange.Without, "DSN")
			}
		}})
		env := testEnvelope(r.em.Mailbox)
		env.Origin = "ada@contoso.test"
		env.Recipients[0].Notify = envelope.NotifySuccess
		r.putEnvelope(env, "wanted")
		r.run().untilEmpty()
		want := 1
		if dsn {
			want = 0 // the relay reports
		}
		if n := len(r.arrivals("handed on")); n != want {
			t.Errorf("dsn %v: %d reports", dsn, n)
		}
	}
}

func TestAlertsOverDays(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true})
	if err := r.em.SetFault("smtp-auth-mailbox"); err != nil {
		t.Fatal(err)
	}
	r.putEnvelope(testEnvelope(r.em.Mailbox), "waits")
	r.run()
	r.until("it is held", func() bool { return len(r.e.State().Stops) == 1 })
	r.step("three alerts", 3*time.Hour, func() bool { return r.e.State().Counters.Alerts == 3 })
	days := r.e.State().Now.Sub(r.e.State().Started)
	if days < 48*time.Hour || days > 60*time.Hour {
		t.Errorf("three alerts after %v", days)
	}
	r.halt()
	r.run() // a restart is no news
	r.until("it is held", func() bool { return len(r.e.State().Stops) == 1 })
	if n := r.e.State().Counters.Alerts; n != 3 {
		t.Errorf("%d alerts after the restart", n)
	}
	r.em.ClearFaults()
	// Whether the notifier of the second run has seen it is a race: it says that mail goes again if it has, and that
	// mail is no longer held if it has not.
	r.step("all is delivered", time.Minute, func() bool { return r.countAlerts("again")+r.countAlerts("no longer") == 1 })
	if n := r.countAlerts("Mail is held") + r.countAlerts("still held"); n != 3 {
		t.Errorf("%d alerts arrived: %v", n, r.subjects())
	}
}

func TestExpiryWarnings(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	ends := time.Now().Add(40 * day)
	r := newRig(t, rigOptions{fakeClock: true, config: func(c *Config) {
		c.Expiries = []Expiry{{What: "the client secret", Ends: ends}}
	}})
	r.run()
	told := func() int { return r.countAlerts("client secret expires") }
	for n, left := range []time.Duration{30 * day, 14 * day, 7 * day, day} {
		for ends.Sub(r.clock.Now()) > left {
			r.clock.advance(6 * time.Hour)
			time.Sleep(3 * time.Millisecond)
		}
		// A busy machine would else be carried over the day of the warning.
		r.step("the warning is written", time.Minute, func() bool {
			return strings.Count(r.log.String(), "The client secret expires in ") > n
		})
	}
	for range 20 {
		r.clock.advance(6 * time.Hour)
		time.Sleep(3 * time.Millisecond)
	}
	// A token may have ended in the midst of a sign-in, and the mail is held until the next probe.
	r.step("all warnings have arrived", time.Minute, func() bool { return told() >= 4 })
	if n := told(); n != 4 {
		t.Errorf("%d warnings: %v", n, r.subjects())
	}
}

func TestClockJumps(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour} {
		r := newRig(t, rigOptions{fakeClock: true})
		if err := r.em.Script(emulator.Rule{Stage: "rcpt", Match: "later@", Reply: "451 4.7.1 try later", First: 1}); err != nil {
			t.Fatal(err)
		}
		id := r.putEnvelope(testEnvelope(r.em.Mailbox, "later@example.com"), "waits")
		r.run()
		r.until("it was tried", func() bool { return r.status(id).Status.Attempts == 1 })
		r.clock.advance(jump)
		signal(r.e.timer)
		r.step("it is delivered", 10*time.Second, func() bool { return len(r.ids()) == 0 })
		if n := r.subjects()["waits"]; n != 1 || r.countAlerts("Undelivered") != 0 {
			t.Errorf("%v: it arrived %d times: %v", jump, n, r.subjects())
		}
		receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox), testMessage(r.em.Mailbox, "after"))
		if err != nil || receipt.Queued {
			t.Errorf("%v: %+v, %v", jump, receipt, err)
		}
	}
}

// Messages of one sender who may not send do not hold up those of another.
func TestOneSenderIsHeld(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true})
	if err := r.em.Script(emulator.Rule{Stage: "mail", Match: "other@", Reply: "550 5.7.60 SMTP; Client does not have permissions to send as this sender"}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		r.putEnvelope(testEnvelope("other@contoso.test"), "denied")
		r.putEnvelope(testEnvelope(r.em.Mailbox), "fine")
	}
	r.run()
	r.until("the others are delivered", func() bool { return r.subjects()["fine"] == 20 })
	stops := r.e.State().Stops
	if len(stops) != 1 || stops[0].Sender != "other@contoso.test" || !stops[0].Held {
		t.Errorf("%+v", stops)
	}
	if n := r.em.Refused("550"); n > 3*(defaultDepth+1) {
		t.Errorf("%d tries", n)
	}
	r.em.ClearScript()
	r.step("all is delivered", time.Minute, func() bool { return len(r.ids()) == 0 })
	if n := r.subjects()["denied"]; n != 20 {
		t.Errorf("%d of the held ones", n)
	}
}

// A message that alone meets a fault does not hold up others of the same sender.
func TestOneMessageIsHeld(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true})
	if err := r.em.Script(emulator.Rule{Stage: "rcpt", Match: "bad@", Reply: "554 5.2.252 SendAsDenied; not allowed to send as"}); err != nil {
		t.Fatal(err)
	}
	bad := r.putEnvelope(testEnvelope(r.em.Mailbox, "bad@example.com"), "bad")
	r.run()
	for i := range 10 {
		id := r.putEnvelope(testEnvelope(r.em.Mailbox), "fine")
		r.e.Wake(id)
		r.step("another is delivered", time.Minute, func() bool { return r.subjects()["fine"] == i+1 })
	}
	r.step("nothing but it is stopped", time.Minute, func() bool { return len(r.e.State().Stops) == 0 })
	if st := r.status(bad).Status; st.Class != queue.ClassOwn || st.Attempts != 0 {
		t.Errorf("%+v", st)
	}
	if n := r.countAlerts("Mail is held"); n != 1 {
		t.Errorf("%d alerts", n)
	}
}

func TestHoldReleaseByAnAdministrator(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	id := r.put(1000, 0)
	it, err := r.sp.Claim(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := it.Hold("by an administrator"); err != nil {
		t.Fatal(err)
	}
	it.Unlock()
	r.run()
	r.until("it is seen", func() bool { return r.e.State().Held == 1 })
	if _, err := r.e.Flush(context.Background(), Selection{}); err != nil {
		t.Fatal(err)
	}
	if it, err = r.sp.Claim(id); err != nil {
		t.Fatal(err)
	}
	if err := it.Release(); err != nil {
		t.Fatal(err)
	}
	it.Unlock()
	r.e.Rescan()
	r.untilEmpty()
	other := r.put(1000, 1)
	if err := r.sp.Remove(other); err != nil {
		t.Fatal(err)
	}
	r.e.Wake(other)
	var none spool.Info
	if info, err := r.sp.Get(other); !errors.Is(err, spool.ErrGone) {
		t.Errorf("%+v %v %+v", info, err, none)
	}
}
