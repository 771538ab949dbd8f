package deliver

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/history"
	"o365-sendmail/rfc822"
)

// past returns what an engine's history has, by recipient.
func (r *rig) past(dir string) map[string][]history.Entry {
	r.t.Helper()
	all := map[string][]history.Entry{}
	err := history.NewReader(dir).Each(context.Background(), &history.Filter{}, func(e *history.Entry) error {
		all[e.Recipient] = append(all[e.Recipient], *e)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// TestHistory: each recipient that is done with is there once, with the message that it was of; who still waits is not.
func TestHistory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "history")
	w := &history.Writer{Warn: func(err error) { t.Error(err) }}
	w.Configure(history.Options{Dir: dir, Days: 30, Size: 1e6})
	r := newRig(t, rigOptions{fakeClock: true, config: func(c *Config) { c.Lifetime = 48 * time.Hour },
		engine: func(o *EngineOptions) { o.History = w }})
	r.script(emulator.Rule{Stage: "rcpt", Match: "later@", Reply: "451 4.7.1 try later"},
		emulator.Rule{Stage: "rcpt", Match: "never@", Reply: "550 5.1.1 no such user"})
	id := r.send(1001, r.em.Mailbox, "mixed", "good@example.com", "never@example.com", "later@example.com")
	r.run()
	r.until("two are done with", func() bool { return len(r.past(dir)) >= 2 && r.e.State().InFlight == 0 })
	if len(r.past(dir)["later@example.com"]) != 0 {
		t.Errorf("%+v", r.past(dir))
	}
	r.step("it has expired", 20*time.Minute, func() bool { return len(r.ids()) == 0 })
	r.until("the report is done with", func() bool { return len(r.past(dir)[bounceTo]) > 0 })
	past := r.past(dir)
	for to, want := range map[string]string{"good@example.com": history.Sent, "never@example.com": history.Bounced,
		"later@example.com": history.Expired} {
		if p := past[to]; len(p) != 1 || p[0].Status != want || p[0].ID != id || p[0].UID != 1001 || p[0].Size == 0 ||
			p[0].MessageID == "" || p[0].Sender != r.em.Mailbox {
			t.Errorf("%s: %+v", to, p)
		}
	}
	if p := past["never@example.com"][0]; p.Enhanced != "5.1.1" || !strings.Contains(p.Reply, "no such user") {
		t.Errorf("%+v", p)
	}
	if p := past["later@example.com"][0]; p.Delay < 40*3600 {
		t.Errorf("%+v", p)
	}
	if p := past[bounceTo][0]; p.UID != -1 || p.Status != history.Sent {
		t.Errorf("%+v", p)
	}
}

// TestHistoryOfCallers: what a caller is told at once is there, too, but not what the log leaves out.
func TestHistoryOfCallers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "history")
	w := &history.Writer{Warn: func(err error) { t.Error(err) }}
	w.Configure(history.Options{Dir: dir, Days: 30, Size: 1e6})
	r := newRig(t, rigOptions{engine: func(o *EngineOptions) { o.History = w }}).run()
	r.script(emulator.Rule{Stage: "rcpt", Match: "never@", Reply: "550 5.1.1 no such user"})
	send := func(may bool, to ...string) {
		env := testEnvelope(r.em.Mailbox, to...)
		env.Caller.UID = 1001
		msg := testMessage(r.em.Mailbox, "hello")
		_, _ = r.e.HandIn(t.Context(), env, &rfc822.Message{Header: headerOf(msg)}, HandIn{
			MayLog: func() (bool, int) { return may, 0 },
			Accept: func(func(string)) (envelope.Message, []envelope.Refusal, error) {
				return msg, []envelope.Refusal{{Address: "nowhere", Err: context.Canceled}}, nil
			}})
	}
	send(true, "good@example.com", "never@example.com")
	past := r.past(dir)
	for to, want := range map[string]string{"good@example.com": history.Sent, "never@example.com": history.Refused,
		"nowhere": history.Refused} {
		if p := past[to]; len(p) != 1 || p[0].Status != want || p[0].UID != 1001 || p[0].MessageID == "" {
			t.Errorf("%s: %+v", to, p)
		}
	}
	send(false, "never@example.com")
	if again := r.past(dir); len(again["never@example.com"]) != 1 || len(again["nowhere"]) != 1 {
		t.Errorf("%+v", again)
	}
}
