package deliver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// countAlerts counts the messages of this program that arrived, by a word of their subject.
func (r *rig) countAlerts(word string) int {
	n := 0
	for s, count := range r.subjects() {
		if strings.Contains(s, word) {
			n += count
		}
	}
	return n
}

// step lets a pause or a probe interval pass until f is true.
func (r *rig) step(what string, d time.Duration, f func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			r.t.Fatalf("stepped without reaching: %s; state %+v\nlog:\n%s", what, r.e.State(), r.log.String())
		}
		r.clock.advance(d)
		time.Sleep(20 * time.Millisecond)
	}
}

func TestConfigurationFaultsHold(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name string
		key  string
		held bool
	}{
		{"secret-wrong", "", true},
		{"secret-expired", "", true},
		{"consent-missing", "sign-in-refused", true},
		{"smtp-auth-mailbox", "smtp-auth-disabled-mailbox", true},
		{"smtp-auth-tenant", "smtp-auth-disabled-tenant", true},
		{"full-access-missing", "mailbox-permission", true},
		{"send-as-denied", "send-as-denied", true},
		{"mailbox-full", "mailbox-full", true},
		{"token-down", "", false},
		{"quota-exceeded", "submission-quota", false},
		{"connections-used", "too-many-connections", false},
		{"connections-used-auth", "too-many-connections", false},
		{"rate-exceeded", "message-rate", false},
		{"tenant-threshold", "tenant-blocked", false},
		{"smtp-down", "", false},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{fakeClock: true})
			if err := setAnyFault(r.em, fault.name); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for i := range 10 {
				ids = append(ids, r.put(1000+i, i))
			}
			r.run()
			r.until("it stops", func() bool { return len(r.e.State().Stops) > 0 && r.e.State().InFlight == 0 })
			for range 3 { // some probes
				r.clock.advance(6 * time.Minute)
				time.Sleep(50 * time.Millisecond)
			}
			st := r.e.State().Stops[0]
			if st.Held != fault.held || fault.key != "" && st.Key != fault.key || st.Reason == "" || fault.held && st.Remedy == "" {
				t.Errorf("stop %+v", st)
			}
			if file, err := ReadState(filepath.Join(r.dir, "state.json")); err == nil && len(file.Stops) != 1 {
				t.Errorf("state file %+v", file)
			}
			for _, id := range ids {
				if info := r.status(id); info.Status.Attempts != 0 {
					t.Errorf("%s: the fault counted as %d attempts", id, info.Status.Attempts)
				}
			}
			// An interactive caller is told "queued" at once.
			receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox),
				testMessage(r.em.Mailbox, "interactive"))
			if err != nil || !receipt.Queued || receipt.QueueID == "" {
				t.Errorf("%+v, %v", receipt, err)
			}
			clearAnyFault(t, r.em, fault.name)
			r.step("all is delivered", time.Minute, func() bool { return len(r.ids()) == 0 })
			got := r.subjects()
			for i := range 10 {
				if s := fmt.Sprintf("%d-%d", 1000+i, i); got[s] != 1 {
					t.Errorf("%s arrived %d times", s, got[s])
				}
			}
			alerts, recoveries := 0, 0
			if fault.held {
				alerts, recoveries = 1, 1
				r.until("the recovery is told", func() bool { return r.countAlerts("delivered again") == 1 })
			}
			if n := r.countAlerts("held"); n != alerts {
				t.Errorf("%d alerts: %v", n, got)
			}
			if n := r.countAlerts("delivered again"); n != recoveries {
				t.Errorf("%d recoveries", n)
			}
			if n := r.countAlerts("Undelivered"); n != 0 {
				t.Errorf("%d bounces", n)
			}
		})
	}
}

func setAnyFault(em *emulator.Emulator, name string) error {
	switch name {
	case "token-down":
		em.Update(func(s *emulator.State) { s.Network.TokenClosed = true })
		return nil
	case "smtp-down":
		em.Update(func(s *emulator.State) { s.Network.SMTPClosed = true })
		return nil
	}
	return em.SetFault(name)
}

func clearAnyFault(t *testing.T, em *emulator.Emulator, name string) {
	t.Helper()
	switch name {
	case "token-down", "smtp-down":
		em.Update(func(s *emulator.State) { s.Network.TokenClosed, s.Network.SMTPClosed = false, false })
		return
	}
	if err := em.ClearFault(name); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true}).run()
	submit := func(s string) {
		t.Helper()
		if receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox),
			testMessage(r.em.Mailbox, s)); err != nil || receipt.Queued {
			t.Fatalf("%+v, %v", receipt, err)
		}
	}
	submit("before")
	r.halt()
	r.em.RevokeTokens()
	r.clock.advance(time.Minute)
	r.run()
	submit("after")
	if n := r.countAlerts("held"); n != 0 || r.em.TokenRequests() != 2 {
		t.Errorf("%d alerts, %d token requests", n, r.em.TokenRequests())
	}
}

// TestYoungTokenIsBelieved: while the server refuses every token, a burst of processes makes one
// request, and another one only when that token is no longer new.
func TestYoungTokenIsBelieved(t *testing.T) {
	t.Parallel()
	for _, pipelined := range []bool{false, true} {
		t.Run(fmt.Sprintf("pipelined %v", pipelined), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{fakeClock: true})
			if err := setAnyFault(r.em, "consent-missing"); err != nil {
				t.Fatal(err)
			}
			burst := func() {
				var wg sync.WaitGroup
				for range 6 { // each with a cache of its own, as processes have
					a := testAccount(r.em, filepath.Join(r.dir, "cache"), r.clock.Now)
					a.PipelineAuth = pipelined
					wg.Go(func() {
						_, err := a.Deliver(t.Context(), testEnvelope(r.em.Mailbox), testMessage(r.em.Mailbox, "x"))
						if Class(err) != diagnose.Configuration {
							t.Errorf("%v, want the fault that an administrator fixes", err)
						}
					})
				}
				wg.Wait()
			}
			burst()
			if n := r.em.TokenRequests(); n != 1 {
				t.Errorf("%d token requests of the first burst", n)
			}
			r.clock.advance(time.Minute)
			burst()
			if n := r.em.TokenRequests(); n != 2 {
				t.Errorf("%d token requests in all", n)
			}
		})
	}
}

func TestPoisonDoesNotDelayOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	// One breaks every session, one is refused, one is damaged.
	if err := r.em.Script(
		emulator.Rule{Stage: "rcpt", Match: "poison@", Then: emulator.Reset},
		emulator.Rule{Stage: "rcpt", Match: "refused@", Reply: "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found"},
	); err != nil {
		t.Fatal(err)
	}
	poison := r.put(1000, 0, "poison@example.com")
	r.put(1000, 1, "refused@example.com")
	damaged := r.put(1000, 2)
	for i := 3; i < 30; i++ {
		r.put(1000, i)
	}
	damage(t, filepath.Join(r.dir, "spool", "queue", damaged+".msg"))
	start := time.Now()
	r.run()
	r.until("the others are through", func() bool { return len(r.ids()) == 1 && r.e.State().InFlight == 0 })
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	got := r.subjects()
	for i := 3; i < 30; i++ {
		if got[fmt.Sprintf("1000-%d", i)] != 1 {
			t.Errorf("%d arrived %d times", i, got[fmt.Sprintf("1000-%d", i)])
		}
	}
	if n := r.countAlerts("Undelivered"); n != 1 {
		t.Errorf("%d bounces", n)
	}
	if info := r.status(poison); info.Status.Attempts != 1 || info.Status.Class != queue.ClassTemporary {
		t.Errorf("poison %+v", info.Status)
	}
	if info, _ := r.sp.Get(damaged); !info.Failed {
		t.Errorf("damaged %+v", info)
	}
}

// damage changes the last byte of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-3] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConnectionLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault string
		want  int // times that it arrives
	}{
		{"dot-lost", 2}, // taken, but the reply was lost: the documented window
		{"dot-broken", 1},
		{"session-lost", 1},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{fakeClock: true})
			if err := r.em.SetFault(c.fault); err != nil {
				t.Fatal(err)
			}
			r.put(1000, 0)
			r.run()
			r.step("it is delivered", 10*time.Second, func() bool { return len(r.ids()) == 0 })
			if n := r.subjects()["1000-0"]; n != c.want {
				t.Errorf("it arrived %d times, want %d", n, c.want)
			}
		})
	}
}

func TestPartialRecipients(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true})
	if err := r.em.Script(
		emulator.Rule{Stage: "rcpt", Match: "later@", Reply: "451 4.7.1 try later", First: 1},
		emulator.Rule{Stage: "rcpt", Match: "never@", Reply: "550 5.1.1 no such user"},
	); err != nil {
		t.Fatal(err)
	}
	id := r.put(1000, 0, "now@example.com", "later@example.com", "never@example.com")
	r.run()
	r.until("it was tried", func() bool { return r.status(id).Status.Attempts == 1 })
	r.until("the bounce is out", func() bool { return len(r.ids()) == 1 })
	st := r.status(id).Status
	if st.Recipients[0].State != spool.Done || st.Recipients[1].State != spool.Todo || st.Recipients[2].State != spool.Failed || st.Recipients[2].Enhanced != "5.1.1" {
		t.Errorf("%+v", st)
	}
	r.step("it is done", 30*time.Second, func() bool { return len(r.ids()) == 0 })
	to := map[string]int{}
	for _, m := range r.em.Messages() {
		for _, a := range m.To {
			to[a]++
		}
	}
	if to["now@example.com"] != 1 || to["later@example.com"] != 1 || to["never@example.com"] != 0 || to[bounceTo] != 1 {
		t.Errorf("%v", to)
	}
}

func TestTooManyRecipientsAreSplit(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{emulator: func(s *emulator.State) { s.Limits.Recipients = 2 }})
	id := r.put(1000, 0, "a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com")
	r.run().untilEmpty()
	if n := r.subjects()["1000-0"]; n != 3 {
		t.Errorf("sent as %d messages, want 3", n)
	}
	r.until("its end is logged", func() bool { return strings.Contains(r.log.String(), id+": removed") })
}

func TestRatesAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{
		emulator: func(s *emulator.State) { s.Limits.PerMinute = 30 },
		account:  func(a *Account) { a.Limits.MessagesPerMinute = 30 },
		config:   func(c *Config) { c.DelayWarning = 0 },
		// Emulator and account follow the same clock.
		fakeClock: true,
	})
	for i := range 100 {
		r.put(1000+i%4, i)
	}
	r.run()
	r.until("the first minute's are out", func() bool { return len(r.em.Messages()) == 30 })
	receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox),
		testMessage(r.em.Mailbox, "interactive"))
	if err != nil || !receipt.Queued {
		t.Errorf("%+v, %v", receipt, err)
	}
	// Time moves only while nothing is under way, or minutes would pass for a message.
	r.step("all is delivered", 0, func() bool {
		if r.e.State().InFlight == 0 {
			r.clock.advance(2 * time.Second)
		}
		return len(r.ids()) == 0
	})
	if n := r.em.Refused("4"); n != 0 {
		t.Errorf("the server's limiter was met %d times", n)
	}
	if n := len(r.em.Messages()); n != 101 {
		t.Errorf("%d messages", n)
	}
}

// A message with more recipients than a day allows goes in parts, and others in between.
func TestRecipientsPerDay(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{
		fakeClock: true,
		emulator:  func(s *emulator.State) { s.Limits.RecipientsPerDay = 5 },
		account:   func(a *Account) { a.Limits.RecipientsPerDay = 5 },
	})
	var to []string
	for i := range 12 {
		to = append(to, fmt.Sprintf("u%d@example.com", i))
	}
	id := r.put(1000, 0, to...)
	r.run()
	r.until("the first day's are out", func() bool { return r.e.sent() == 5 })
	r.step("all is delivered", 0, func() bool {
		if r.e.State().InFlight == 0 {
			r.clock.advance(30 * time.Minute)
		}
		return len(r.ids()) == 0
	})
	if got := r.arrivals("1000-0"); len(got) != 12 {
		t.Errorf("%d recipients: %v", len(got), got)
	}
	if n := r.em.Refused("554"); n != 0 {
		t.Errorf("the server's quota was met %d times", n)
	}
	if days := r.e.State().Now.Sub(r.e.State().Started); days < 48*time.Hour || days > 60*time.Hour {
		t.Errorf("%s took %v", id, days)
	}
}

func TestFairBetweenUsers(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for i := range 600 {
		r.put(1000, i)
	}
	r.run()
	r.until("it is at work", func() bool { return len(r.em.Messages()) > 20 })
	before := len(r.em.Messages())
	id := r.put(2000, 0)
	r.e.Wake(id)
	r.until("the other user's is out", func() bool { return r.subjects()["2000-0"] == 1 })
	if behind := len(r.em.Messages()) - before; behind > 300 {
		t.Errorf("%d messages of another user went first", behind)
	}
	r.untilEmpty()
}

func TestStopLeavesTheSpoolConsistent(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{config: func(c *Config) { c.DrainTimeout = 50 * time.Millisecond }})
	if err := r.em.Script(emulator.Rule{Stage: "dot", Delay: time.Second, Every: 5}); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		r.put(1000, i)
	}
	for range 4 {
		r.run()
		time.Sleep(100 * time.Millisecond)
		r.halt()
	}
	if err := r.sp.List(context.Background(), func(i spool.Info) bool {
		if i.Err != nil || i.Status.Held {
			t.Errorf("%+v", i)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	r.em.ClearScript()
	r.run()
	r.until("all is delivered", func() bool {
		_, _ = r.e.Flush(context.Background(), Selection{})
		return len(r.ids()) == 0
	})
	got := r.subjects()
	for i := range 60 {
		if got[fmt.Sprintf("1000-%d", i)] < 1 {
			t.Errorf("%d is lost", i)
		}
	}
}

func TestNoGoroutinesLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newRig(t, rigOptions{})
	started := runtime.NumGoroutine() - before // the emulator's
	for i := range 10 {
		r.put(1000, i)
	}
	r.run().untilEmpty()
	r.halt()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+started+2 {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before+started, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}
