package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/sysexits"
)

// send puts a message of a user into the queue, wakes the engine, and lets it work.
func (r *rig) send(uid int, from, subject string, to ...string) string {
	r.t.Helper()
	env := testEnvelope(from, to...)
	env.Caller.UID = uid
	id, err := r.sp.Put(context.Background(), metaOf(env), env, testMessage(from, subject))
	if err != nil {
		r.t.Fatal(err)
	}
	r.e.Wake(id)
	return id
}

// arrived returns when the message of the subject arrived; zero if it did not.
func (r *rig) arrived(subject string) time.Time {
	for _, m := range r.em.Messages() {
		if subjectIn(string(m.Data)) == subject {
			return m.At
		}
	}
	return time.Time{}
}

// bounces counts the reports of failure.
func (r *rig) bounces() int { return r.countAlerts("Undelivered") }

func (r *rig) script(rules ...emulator.Rule) {
	r.t.Helper()
	r.em.ClearScript()
	if err := r.em.Script(rules...); err != nil {
		r.t.Fatal(err)
	}
}

const throttledText = "550 5.2.251 Sender throttled due to continuous mailbox full errors."

// A throttled mailbox is probed ever less, by nobody's asking and by no restart, and bounces nothing.
func TestThrottledMailboxIsProbedSparingly(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{engine: func(o *EngineOptions) { o.Depth = 1 }}, func(t *testing.T, r *rig) {
		r.script(emulator.Rule{Stage: "dot", Reply: throttledText})
		r.run()
		for i := range 10 {
			r.send(1000+i, r.em.Mailbox, fmt.Sprint(i))
		}
		for range 12 {
			time.Sleep(2 * time.Hour)
			notes := strings.Join(r.e.Ask(), "\n")
			if !strings.Contains(notes, "no probe before") || !strings.Contains(notes, "throttle") {
				t.Errorf("asking says %q", notes)
			}
			if _, err := r.e.Flush(t.Context(), Selection{Force: true, Ask: true}); err != nil {
				t.Error(err)
			}
			r.halt()
			r.run()
			r.e.Reconfigure(*r.e.config())
		}
		// 3 sessions at once, then probes after 5, 10, 20, 40, 60, 60 ... minutes of the day.
		if n := r.em.Refused("550"); n > 3+4+24 || n < 20 {
			t.Errorf("%d tries in a day", n)
		}
		if st := r.e.State().Stops; len(st) != 1 || st[0].Key != diagnose.KeyThrottled || st[0].Held ||
			!strings.Contains(st[0].Reason, "mailbox full") {
			t.Errorf("%+v", st)
		}
		r.em.ClearScript()
		time.Sleep(time.Hour + time.Minute)
		if n := len(r.ids()); n != 0 || r.bounces() != 0 {
			t.Errorf("%d wait, %d bounced", n, r.bounces())
		}
	})
}

// The property: whatever Exchange answers to one message, others wait for two probes at most; and what speaks
// of throttling comes back when its lifetime is over, not before.
func TestNoMessageKeepsOthersWaiting(t *testing.T) {
	t.Parallel()
	const lifetime = 12 * time.Hour
	for text, limits := range map[string]bool{
		throttledText: true,
		"550 5.2.254 Sender throttled due to continuous invalid " +
			"recipients errors.": true,
		"550 5.9.99 You have exceeded an unheard-of limit, try " +
			"again later": true,
		"554 5.0.0 Quota of the " +
			"day used up": true,
		"554 5.2.2 mailbox full; " +
			"STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded": false,
		"430 4.2.0 STOREDRV; " +
			"mailbox logon failure": false,
		"554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; the sender's submission quota was " +
			"exceeded": true,
		"432 4.3.2 Concurrent connections limit " +
			"exceeded.": true,
		"550 5.1.8 Access denied, bad " +
			"outbound sender": false,
		"550 5.7.236 The recipient limit of onmicrosoft.com is " +
			"exceeded": true,
		"451 4.7.0 Temporary server error. " +
			"Please try again later.": true,
		"554 5.2.252 SendAsDenied; noreply@contoso.test not allowed to send as " +
			"noreply@contoso.test": false,
		"550 5.7.750 Service unavailable. Client blocked from sending from " +
			"unregistered domains": false,
		"550 5.2.253 STOREDRV.Submission.Exception:InvalidLicenseException; the mailbox has no valid license, and " +
			"nothing is sent": false,
	} {
		t.Run(text[:min(len(text), 40)], func(t *testing.T) {
			t.Parallel()
			inBubble(t, rigOptions{config: func(c *Config) { c.Lifetime, c.DelayWarning = lifetime, 0 }},
				func(t *testing.T, r *rig) {
					r.script(emulator.Rule{Stage: "rcpt", Match: "poison@", Reply: text})
					r.run()
					start := time.Now()
					poison := r.send(1000, r.em.Mailbox, "poison", "poison@example.com")
					sent := map[string]time.Time{}
					for n := 0; time.Since(start) < lifetime+2*time.Hour; n++ {
						s := fmt.Sprint("other ", n)
						sent[s] = time.Now()
						to := "user@example.com"
						if strings.Contains(text, "5.7.236") { // by its meaning all those outside wait for the day
							to = "user@contoso.test"
						}
						r.send(1000+n%3, r.em.Mailbox, s, to)
						time.Sleep(17 * time.Minute)
						if limits && time.Since(start) < lifetime && !slices.Contains(r.ids(), poison) {
							t.Fatalf("it came back after %v", time.Since(start))
						}
					}
					// The last two are still in time.
					const two = (5 + 10) * time.Minute
					for s, at := range sent {
						if got := r.arrived(s); got.Sub(at) > two || got.IsZero() && time.Since(at) > two {
							t.Errorf("%q of %v took %v", s, at.Sub(start), got.Sub(at))
						}
					}
				})
		})
	}
}

func keepSenders(a *Account) {
	a.Senders = Senders{Keep: true, Match: func(addr string) (bool, bool) {
		return strings.HasSuffix(addr, "@contoso.test"), strings.EqualFold(addr, "noreply@contoso.test")
	}}
}

// A From that its caller chose is tried three times over two hours, alone, and then its messages come back.
func TestCallersSenderWaitsAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{account: keepSenders}, func(t *testing.T, r *rig) {
		r.run()
		const evil = "boss@elsewhere.org"
		start := time.Now()
		r.send(1000, evil, "evil 0")
		time.Sleep(time.Minute)
		tries := func() int { return r.em.Refused("554 5.2.252") }
		// The envelope may be another's: the author counts.
		env := testEnvelope(r.em.Mailbox)
		if receipt, err := r.e.Submit(t.Context(), env, testMessage(evil, "evil 1")); err != nil || !receipt.Queued {
			t.Errorf("%+v %v", receipt, err)
		}
		for i := range 20 {
			r.send(1000, evil, fmt.Sprint("evil more ", i))
			r.send(1001, r.em.Mailbox, fmt.Sprint("other ", i))
			time.Sleep(time.Second)
		}
		for i := range 20 {
			if r.arrived(fmt.Sprint("other ", i)).IsZero() {
				t.Errorf("other %d is kept waiting", i)
			}
		}
		for _, c := range []struct {
			at   time.Duration
			want int
		}{{29 * time.Minute, 1}, {32 * time.Minute, 2}, {119 * time.Minute, 2}} {
			time.Sleep(time.Until(start.Add(c.at)))
			if n := tries(); n != c.want {
				t.Errorf("%d tries after %v, want %d", n, c.at, c.want)
			}
		}
		if n := r.bounces(); n != 0 || len(r.ids()) != 22 {
			t.Errorf("%d bounced, %d wait", n, len(r.ids()))
		}
		if st := r.e.State().Stops; len(st) != 1 || st[0].Author != evil || st[0].Held {
			t.Errorf("%+v", st)
		}
		r.halt() // the tries are remembered
		r.run()
		time.Sleep(time.Until(start.Add(124 * time.Minute)))
		if n := tries(); n != 3 || len(r.ids()) != 0 || r.bounces() == 0 {
			t.Errorf("%d tries, %d wait, %d bounced", n, len(r.ids()), r.bounces())
		}
		if n := r.countAlerts("held"); n != 0 {
			t.Errorf("%d alerts for a caller's doing", n)
		}
		// For an hour a caller is told at once, without a try.
		_, err := r.e.Submit(t.Context(), testEnvelope(evil), testMessage(evil, "evil late"))
		var refused *SenderError
		if !errors.As(err, &refused) || ExitCode(err) != sysexits.NoPerm || !Permanent(err) || tries() != 3 {
			t.Errorf("%v: exit code %d, %d tries", err, ExitCode(err), tries())
		}
		time.Sleep(2 * time.Hour)
		if receipt, err := r.e.Submit(t.Context(), testEnvelope(evil), testMessage(evil, "evil later")); err != nil ||
			!receipt.Queued || tries() != 4 {
			t.Errorf("%+v %v, %d tries", receipt, err, tries())
		}
	})
}

// Refused senders are tried three times an hour in all, however many there are.
func TestCallersSendersShareTheirTries(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{account: keepSenders}, func(t *testing.T, r *rig) {
		r.run()
		for i := range 20 {
			r.send(1000+i, fmt.Sprintf("boss%d@elsewhere.org", i), "evil")
		}
		time.Sleep(10 * time.Minute)
		first := r.em.Refused("554 5.2.252")
		for h := range 10 {
			time.Sleep(time.Hour)
			if n := r.em.Refused("554 5.2.252"); n > first+3*(h+1) {
				t.Errorf("%d tries after %d hours, %d of them first ones", n, h+1, first)
			}
		}
	})
}

// When the right is granted everything of that sender goes at the next try, or at once when root asks.
func TestCallersSenderIsGranted(t *testing.T) {
	t.Parallel()
	for _, ask := range []bool{false, true} {
		t.Run(fmt.Sprint("ask ", ask), func(t *testing.T) {
			t.Parallel()
			inBubble(t, rigOptions{account: keepSenders}, func(t *testing.T, r *rig) {
				r.script(emulator.Rule{Stage: "dot",
					Reply: "554 5.2.252 SendAsDenied; noreply@contoso.test not allowed to send as x"})
				r.run()
				r.send(1000, "boss@fabrikam.test", "a")
				time.Sleep(time.Minute)
				r.em.ClearScript()
				r.em.Update(func(s *emulator.State) {
					s.Tenants[r.em.Tenant].Mailboxes["boss@fabrikam.test"] = &emulator.Mailbox{
						SendAs: map[string]*emulator.Grant{emulator.DefaultMailbox: {}}}
				})
				for i := range 5 {
					r.send(1000, "boss@fabrikam.test", fmt.Sprint("b", i))
				}
				time.Sleep(time.Minute)
				if n := len(r.ids()); n != 6 {
					t.Errorf("%d wait", n)
				}
				wait := 31 * time.Minute
				if ask {
					wait = time.Second
					if notes := r.e.Ask(); len(notes) != 1 || !strings.Contains(notes[0], "comes now") {
						t.Errorf("%q", notes)
					}
				}
				time.Sleep(wait)
				if n := len(r.ids()); n != 0 {
					t.Errorf("%d wait", n)
				}
			})
		})
	}
}

// What is left for recipients outside waits for the day; those inside get the message at once.
func TestOutsideRecipientsWaitForTheDay(t *testing.T) {
	t.Parallel()
	for _, rule := range []emulator.Rule{
		{Stage: "rcpt", Match: "@example.",
			Reply: "550 5.7.236 the organization's limit of outside recipients is reached"},
		{Stage: "dot", First: 1, Reply: "550 5.7.236 the organization's limit of outside recipients is reached"},
	} {
		t.Run(rule.Stage, func(t *testing.T) {
			t.Parallel()
			account := func(a *Account) { a.Domains = []string{"fabrikam.test"} }
			inBubble(t, rigOptions{account: account}, func(t *testing.T, r *rig) {
				r.script(rule)
				r.run()
				start := time.Now()
				receipt, err := r.e.Submit(t.Context(), testEnvelope(r.em.Mailbox, "a@contoso.test", "b@example.com",
					"c@fabrikam.test"), testMessage(r.em.Mailbox, "mixed"))
				if err != nil || !receipt.Queued {
					t.Errorf("%+v %v", receipt, err)
				}
				r.send(1000, r.em.Mailbox, "outside", "d@example.org")
				r.send(1000, r.em.Mailbox, "inside", "e@contoso.test")
				time.Sleep(time.Minute)
				if at := r.arrived("mixed"); at.IsZero() || r.arrived("inside").IsZero() ||
					!r.arrived("outside").IsZero() || len(r.ids()) != 2 {
					t.Errorf("the recipients inside wait: mixed %v, %d wait", at, len(r.ids()))
				}
				refused := r.em.Refused("550")
				r.halt()
				r.run()
				if notes := r.e.Ask(); len(notes) != 1 || !strings.Contains(notes[0], "day's limit") {
					t.Errorf("%q", notes)
				}
				time.Sleep(20 * time.Hour)
				if n := r.em.Refused("550"); n != refused || len(r.ids()) != 2 {
					t.Errorf("%d refusals, %d before; %d wait", n, refused, len(r.ids()))
				}
				r.em.ClearScript()
				time.Sleep(time.Until(start.Add(24*time.Hour + 3*time.Minute)))
				if len(r.ids()) != 0 || r.arrived("outside").IsZero() || r.bounces() != 0 {
					t.Errorf("%d wait", len(r.ids()))
				}
				to := map[string]int{}
				for _, m := range r.em.Messages() {
					for _, a := range m.Envelope.To {
						to[a]++
					}
				}
				for _, a := range []string{"a@contoso.test", "b@example.com", "c@fabrikam.test", "d@example.org",
					"e@contoso.test"} {
					if to[a] != 1 {
						t.Errorf("%s got %d", a, to[a])
					}
				}
			})
		})
	}
}

// A user whose messages meet one refusal after the other is slowed, and nobody else is.
func TestRefusalsSlowTheirUser(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{}, func(t *testing.T, r *rig) {
		r.run()
		for i := range 100 {
			r.send(1000, r.em.Mailbox, fmt.Sprint("dead ", i), fmt.Sprintf("reject-%d@example.com", i))
		}
		for i := range 12 {
			r.send(1001, r.em.Mailbox, fmt.Sprint("other ", i))
			time.Sleep(5 * time.Minute)
			if r.arrived(fmt.Sprint("other ", i)).IsZero() {
				t.Errorf("other %d waits", i)
			}
		}
		dead := func() int { return r.em.Refused("550 5.1.10") }
		// What is under way in three sessions, up to eight messages each, when the first refusals come is not slowed.
		if n := dead(); n < 6 || n > 24 {
			t.Errorf("%d refusals within an hour", n)
		}
		time.Sleep(time.Second)
		if st := r.e.State().Stops; len(st) != 1 || st[0].UID == nil || *st[0].UID != 1000 ||
			st[0].Key != queue.KeySlow {
			t.Errorf("%+v", st)
		}
		n := dead()
		time.Sleep(5 * time.Hour)
		if more := dead() - n; more < 15 || more > 21 {
			t.Errorf("%d refusals in 5 hours", more)
		}
		time.Sleep(24 * time.Hour)
		if len(r.ids()) != 0 || dead() != 100 || r.bounces() != 100 {
			t.Errorf("%d wait, %d were refused, %d came back", len(r.ids()), dead(), r.bounces())
		}
	})
}

// A plain pause and a hold are probed when root asks, once a minute; a run of sendmail -q obeys them.
func TestAsking(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{}, func(t *testing.T, r *rig) {
		const full = "554 5.2.2 mailbox full; " +
			"STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded"
		r.script(emulator.Rule{Stage: "dot", Reply: full})
		r.run()
		r.send(1000, r.em.Mailbox, "a")
		time.Sleep(2 * time.Hour) // the pause has grown to an hour
		tries := func() int { return r.em.Refused("554 5.2.2") }
		n := tries()
		for range 10 { // as cron does
			if _, err := r.e.Flush(t.Context(), Selection{Force: true}); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
		}
		if tries() != n {
			t.Errorf("%d tries without being asked", tries()-n)
		}
		if notes := r.e.Ask(); len(notes) != 1 || !strings.Contains(notes[0], "a probe comes now") {
			t.Errorf("%q", notes)
		}
		time.Sleep(time.Second)
		if tries() != n+1 {
			t.Errorf("%d tries after asking", tries()-n)
		}
		if notes := r.e.Ask(); len(notes) != 2 || !strings.Contains(notes[0], "once a minute") {
			t.Errorf("%q", notes)
		}
		time.Sleep(time.Second)
		if tries() != n+1 {
			t.Errorf("%d tries after asking twice within a minute", tries()-n)
		}
		r.em.ClearScript()
		time.Sleep(2 * time.Minute)
		if len(r.ids()) != 0 {
			t.Error("the second asking brought no probe a minute after the first")
		}
	})
}

// Runs of the queue without an agent, one a minute, probe no more often than an agent does.
func TestRunsObeyPauses(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{}, func(t *testing.T, r *rig) {
		r.script(emulator.Rule{Stage: "dot", Reply: throttledText})
		r.send(1000, r.em.Mailbox, "a")
		once := func(ask bool) State {
			st, err := NewEngine(r.e.o).RunOnce(t.Context(), Selection{Force: true, Ask: ask}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		for range 180 {
			once(false)
			time.Sleep(time.Minute)
		}
		if n := r.em.Refused("550"); n > 7 {
			t.Errorf("%d tries in 3 hours", n)
		}
		if st := once(true); len(st.Asked) != 1 || !strings.Contains(st.Asked[0], "throttle") {
			t.Errorf("%q", st.Asked)
		}
		r.em.ClearScript()
		for range 61 {
			once(false)
			time.Sleep(time.Minute)
		}
		if len(r.ids()) != 0 {
			t.Error("the message waits")
		}
	})
}
