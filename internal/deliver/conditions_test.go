package deliver

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// inForce lists the kinds and keys of the conditions in force.
func (r *rig) inForce() string {
	var all []string
	for _, c := range r.e.State().Conditions {
		all = append(all, strings.TrimSuffix(string(c.Kind)+" "+c.Key, " "))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// TestConditions: what is told is in force as long as it should be, and its end is told.
func TestConditions(t *testing.T) {
	t.Parallel()
	hourly := func(r *rig, what, want string) {
		r.step(what, 10*time.Minute, func() bool { return r.inForce() == want })
	}
	t.Run("a pause over an hour", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{fakeClock: true})
		if err := r.em.SetFault("smtp-busy"); err != nil {
			t.Fatal(err)
		}
		r.put(1000, 0)
		r.run()
		r.until("it is paused", func() bool { return len(r.e.State().Stops) == 1 })
		if got := r.inForce(); got != "" {
			t.Errorf("at once: %q", got)
		}
		r.step("it is told", 10*time.Minute, func() bool { return strings.HasPrefix(r.inForce(), "paused ") })
		if s := r.e.State(); s.Now.Sub(s.Started) < time.Hour {
			t.Errorf("after %v", s.Now.Sub(s.Started))
		}
		r.em.ClearFaults()
		hourly(r, "it is over", "")
		r.step("its end is told", time.Minute, func() bool { return r.countAlerts("Mail is delivered again") == 1 })
	})
	t.Run("a message that is too old", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{fakeClock: true, config: func(c *Config) { c.QueueAge = 20 * time.Hour }})
		if err := r.em.Script(emulator.Rule{Stage: "rcpt", Match: "later@", Reply: "451 4.7.1 try later"}); err != nil {
			t.Fatal(err)
		}
		back := r.put(1000, 1)
		it, err := r.sp.Claim(back)
		if err != nil || it.Hold("by an administrator") != nil {
			t.Fatal(err)
		}
		it.Unlock()
		r.put(1000, 0, "later@example.com")
		r.run()
		hourly(r, "it is told", "queue-old")
		if s := r.e.State(); s.Now.Sub(s.Started) < 20*time.Hour {
			t.Errorf("after %v", s.Now.Sub(s.Started))
		}
		r.em.ClearScript()
		hourly(r, "only the one held back is left", "")
		r.step("its end is told", time.Minute, func() bool { return r.countAlerts("No old mail in the queue") == 1 })
	})
	t.Run("a spool that is full", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{fakeClock: true, spool: func(o *spool.Options) { o.Limits.MaxMessages = 3 }})
		if err := r.em.SetFault("smtp-auth-mailbox"); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			r.put(1000, n)
		}
		r.run()
		r.step("it is told", time.Minute, func() bool { return strings.HasSuffix(r.inForce(), "spool-full") })
		r.em.ClearFaults()
		hourly(r, "it has room", "")
		r.step("its end is told", time.Minute, func() bool { return r.countAlerts("takes mail again") == 1 })
	})
	t.Run("a credential that has expired", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{fakeClock: true, config: func(c *Config) {
			c.Expiries = []Expiry{{What: "the client secret", Ends: time.Now().Add(20 * time.Hour)}}
		}})
		r.run()
		r.step("it has expired", time.Hour, func() bool { return r.countAlerts("client secret has expired") == 1 })
		c := *r.e.config()
		c.Expiries = []Expiry{{What: "the client secret", Ends: r.clock.Now().Add(300 * 24 * time.Hour)}}
		r.e.Reconfigure(c)
		r.step("its end is told", time.Minute, func() bool { return r.countAlerts("no longer about to expire") == 1 })
	})
}

// TestOwnWords: the title of an alert says what is wrong, for an error that no table has, too, and quotes nobody.
func TestOwnWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, reason, want string }{
		{"", "localhost: no access token: HTTP 401, AADSTS7000222, trace 1 (remembered)", "the client secret has expired"},
		{"", "no access token: HTTP 400, AADSTS999999999: odd", "Entra gives no token (AADSTS999999999)"},
		{queue.KeyNoAccount, "line 3: tenant \"x y\" is no tenant", "the configuration can't be used"},
		{"unknown", "550 your message 'the plan' was refused", ""},
		{"", "AADSTS", ""},
	} {
		if got := ownWords(&queue.Notice{Stop: queue.Stop{Key: c.key, Reason: c.reason}}); got != c.want {
			t.Errorf("%q: %q", c.reason, got)
		}
	}
}

// TestRunOnceTells: a host without an agent hears by its runs of the queue what begins and what is over.
func TestRunOnceTells(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	if err := r.em.SetFault("smtp-auth-mailbox"); err != nil {
		t.Fatal(err)
	}
	r.put(1000, 0)
	for range 2 {
		if _, err := r.e.RunOnce(context.Background(), Selection{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	s, err := ReadState(r.e.o.StateFile)
	if err != nil || len(s.Alerts.Mail) != 1 {
		t.Fatalf("%+v, %v", s.Alerts, err)
	}
	r.em.ClearFaults()
	fresh := NewEngine(r.e.o) // as another process
	for range 3 {
		if _, err := fresh.RunOnce(context.Background(), Selection{Force: true, Ask: true}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n, again := r.countAlerts("Mail is held"), r.countAlerts("Mail is no longer held"); n != 1 || again != 1 {
		t.Errorf("%d alerts, %d ends: %v", n, again, r.subjects())
	}
	for _, told := range []map[string]notify.Told{s.Alerts.Webhook} {
		if len(told) > 0 {
			t.Errorf("told by a webhook that is not there: %v", told)
		}
	}
}

// hanging takes requests and says nothing until they are given up.
type hanging struct{ asked chan struct{} }

func (h hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	signal(h.asked)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestHangingWebhook: a webhook that hangs delays neither mail, nor alerts by mail, nor the end of the engine.
func TestHangingWebhook(t *testing.T) {
	t.Parallel()
	web := hanging{make(chan struct{}, 1)}
	r := newRig(t, rigOptions{fakeClock: true, config: func(c *Config) {
		c.Reports.Webhook = &notify.Hook{Body: "{text}",
			URL:    func() (string, error) { return "https://hooks.example.org/", nil },
			Client: func() (*http.Client, error) { return &http.Client{Transport: web}, nil }}
	}})
	if err := r.em.SetFault("smtp-auth-mailbox"); err != nil {
		t.Fatal(err)
	}
	r.put(1000, 0)
	r.run()
	<-web.asked
	r.em.ClearFaults()
	r.step("all is delivered", time.Minute, func() bool { return r.countAlerts("Mail is delivered again") == 1 })
	r.halt()
	if s, err := ReadState(r.e.o.StateFile); err != nil || len(s.Alerts.Webhook) > 0 || len(s.Alerts.Mail) != 1 {
		t.Errorf("%+v, %v", s.Alerts, err)
	}
}
