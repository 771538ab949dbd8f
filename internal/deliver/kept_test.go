package deliver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/spool"
)

// putUnprocessed puts a message as it came into the queue.
func (r *rig) putUnprocessed(subject string) string {
	r.t.Helper()
	env := testEnvelope("ceo@contoso.test", "root")
	id, err := r.sp.Put(context.Background(), spool.Meta{UID: 33, Origin: spool.Unprocessed + "userid 33"}, env,
		testMessage("ceo@contoso.test", subject))
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// processAs replaces a message by one for another mailbox.
func (r *rig) processAs(signIn string) Process {
	return func(ctx context.Context, it *spool.Item) (*spool.Item, error) {
		env := testEnvelope(r.em.Mailbox, "it@example.com")
		env.SignIn = signIn
		return it.Replace(ctx, env, testMessage(r.em.Mailbox, "processed"))
	}
}

// TestNeverUnprocessed: an engine that can't process a message does not send it, whoever asks for that.
func TestNeverUnprocessed(t *testing.T) {
	t.Parallel()
	for name, process := range map[string]Process{
		"no rules": nil,
		"an error": func(context.Context, *spool.Item) (*spool.Item, error) {
			return nil, errors.New("the aliases can't be read")
		},
		"a fault": func(context.Context, *spool.Item) (*spool.Item, error) { panic("processing") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{config: func(c *Config) { c.Process = process }})
			id := r.putUnprocessed("raw")
			if _, err := r.e.RunOnce(t.Context(), Selection{Force: true}, nil); err != nil {
				t.Fatal(err)
			}
			r.run()
			r.e.Wake(r.put(33, 1))
			for range 3 {
				if err := r.sp.Retry(id, 0); err != nil && !errors.Is(err, spool.ErrBusy) {
					t.Error(err)
				}
				r.e.Wake(id)
				if _, err := r.e.Flush(t.Context(), Selection{ID: id, Force: true}); err != nil {
					t.Error(err)
				}
				if it, err := r.sp.Claim(id); err == nil {
					if err := it.Release(); err != nil {
						t.Error(err)
					}
					it.Unlock()
				}
			}
			r.until("the other is sent", func() bool { return r.subjects()["33-1"] == 1 })
			r.halt()
			if got := r.subjects(); got["raw"] > 0 || len(r.em.Messages()) != 1 {
				t.Errorf("sent: %v", got)
			}
			if info := r.status(id); info.Failed || !info.Meta.Unprocessed() || info.Status.Reason == "" {
				t.Errorf("%+v", info)
			}
		})
	}
}

// TestProcessed: what a message has become is sent in the same go, by the mailbox that it is for now.
func TestProcessed(t *testing.T) {
	t.Parallel()
	const other = "other@contoso.test"
	for _, held := range []bool{false, true} {
		r := newRig(t, rigOptions{emulator: func(st *emulator.State) {
			for _, tenant := range st.Tenants {
				if box := tenant.Mailboxes[emulator.DefaultMailbox]; box != nil {
					tenant.Mailboxes[other] = &emulator.Mailbox{SMTPAuthDisabled: box.SMTPAuthDisabled,
						FullAccess: box.FullAccess}
					box.SendAs[other] = &emulator.Grant{}
				}
			}
		}})
		r.e.config().Process = r.processAs(other)
		id := r.putUnprocessed("raw")
		if held { // as an older version left it
			it, err := r.sp.Claim(id)
			if err != nil {
				t.Fatal(err)
			}
			if err := it.Hold(spool.NotProcessed + ", since the configuration could not be used"); err != nil {
				t.Fatal(err)
			}
			it.Unlock()
		}
		if _, err := r.e.RunOnce(t.Context(), Selection{}, nil); err != nil {
			t.Fatal(err)
		}
		m := r.em.Messages()
		if len(m) != 1 || m[0].Header("Subject") != "processed" || m[0].Envelope.To[0] != "it@example.com" ||
			len(r.ids()) != 0 {
			t.Fatalf("held %v: %d messages, %d in the queue", held, len(m), len(r.ids()))
		}
		if s := r.log.String(); !strings.Contains(s, id+": status=processed") {
			t.Errorf("the log does not tell:\n%s", s)
		}
	}
}

// TestHeldUnprocessed: an administrator's hold is one for such a message, too.
func TestHeldUnprocessed(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.e.config().Process = r.processAs("")
	id := r.putUnprocessed("raw")
	it, err := r.sp.Claim(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := it.Hold(""); err != nil {
		t.Fatal(err)
	}
	it.Unlock()
	if _, err := r.e.RunOnce(t.Context(), Selection{Force: true}, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(r.em.Messages()); n > 0 {
		t.Fatalf("%d messages went out", n)
	}
	if it, err = r.sp.Claim(id); err != nil {
		t.Fatal(err)
	}
	if err := it.Release(); err != nil {
		t.Fatal(err)
	}
	it.Unlock()
	if _, err := r.e.RunOnce(t.Context(), Selection{}, nil); err != nil {
		t.Fatal(err)
	}
	if got := r.subjects(); got["processed"] != 1 {
		t.Errorf("after the release: %v", got)
	}
}

// TestProcessedAway: one of which nothing is left is forgotten, and one that could not be processed is tried again.
func TestProcessedAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true})
	tries := 0
	r.e.config().Process = func(_ context.Context, it *spool.Item) (*spool.Item, error) {
		if tries++; tries == 1 {
			return nil, errors.New("not now")
		}
		return nil, it.Fail("no way")
	}
	id := r.putUnprocessed("raw")
	r.run()
	r.until("the first try", func() bool { return r.status(id).Status.Attempts == 1 })
	r.step("it is given up", 2*time.Minute, func() bool { return r.status(id).Failed })
	r.halt()
	if len(r.em.Messages()) > 0 || r.e.State().Counters.Failed != 1 || !strings.Contains(r.log.String(), "no way") {
		t.Errorf("%d messages, %+v", len(r.em.Messages()), r.e.State().Counters)
	}
}
