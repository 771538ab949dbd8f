package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

func TestInteractiveRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true})
	if err := r.em.Script(
		emulator.Rule{Stage: "rcpt", Match: "never@", Reply: "550 5.1.1 no such user"},
		emulator.Rule{Stage: "rcpt", Match: "later@", Reply: "451 4.7.1 try later", First: 1},
	); err != nil {
		t.Fatal(err)
	}
	r.run()
	submit := func(subject string, to ...string) (envelope.Receipt, error) {
		return r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox, to...), testMessage(r.em.Mailbox, subject))
	}
	if receipt, err := submit("all", "never@example.com"); err == nil || ExitCode(err) != sysexits.NoUser ||
		receipt.Queued || len(receipt.Accepted) > 0 {
		t.Errorf("all refused: %+v, %v", receipt, err)
	}
	if receipt, err := submit("some", "never@example.com", "now@example.com"); err != nil || receipt.Queued ||
		len(receipt.Accepted) != 1 || len(receipt.Refused) != 1 {
		t.Errorf("some refused: %+v, %v", receipt, err)
	}
	if ids := r.ids(); len(ids) != 0 {
		t.Errorf("kept: %v", ids)
	}
	receipt, err := submit("mixed", "never@example.com", "now@example.com", "later@example.com")
	if err != nil || !receipt.Queued || len(receipt.Accepted) != 2 || len(receipt.Refused) != 1 || receipt.Reply == "" {
		t.Errorf("mixed: %+v, %v", receipt, err)
	}
	if info := r.status(receipt.QueueID); len(info.Envelope.Recipients) != 1 || info.Status.Attempts != 1 ||
		info.Envelope.Origin != "root@web1.local" {
		t.Errorf("what was kept: %+v", info)
	}
	r.step("the rest is delivered", 20*time.Second, func() bool { return len(r.ids()) == 0 })
	if n := r.countAlerts("Undelivered"); n != 0 {
		t.Errorf("%d bounces of what was told to the caller", n)
	}
	if got := r.subjects(); got["mixed"] != 2 || got["some"] != 1 || got["all"] != 0 {
		t.Errorf("%v", got)
	}
}

// Whoever waits too long is told "queued", and the try goes on without a second one.
func TestInteractiveWaitEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		size int
		rule emulator.Rule
		want int // messages that arrive
	}{
		{"taken", 0, emulator.Rule{Stage: "dot", Delay: 400 * time.Millisecond, First: 1}, 1},
		{"taken, large", 3 << 20, emulator.Rule{Stage: "rcpt", Delay: 400 * time.Millisecond, First: 1}, 1},
		// the bounce
		{"refused", 0, emulator.Rule{Stage: "dot", Delay: 400 * time.Millisecond, Reply: "554 5.6.0 no", First: 1}, 1},
		{"later", 0, emulator.Rule{Stage: "dot", Delay: 400 * time.Millisecond, Reply: "451 4.3.0 later", First: 1}, 1},
		// alert, recovery
		{"held", 0, emulator.Rule{Stage: "dot", Delay: 400 * time.Millisecond,
			Reply: "430 4.2.0 STOREDRV; mailbox logon failure", First: 1}, 3},
		{"lost", 0, emulator.Rule{Stage: "dot", Delay: 400 * time.Millisecond, Then: emulator.Close, First: 1}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{fakeClock: true, config: func(c *Config) { c.Wait = 100 * time.Millisecond }})
			// The first message makes the session, so that the wait is for the reply.
			r.run()
			r.waitlessly(t, func() {
				if _, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox),
					testMessage(r.em.Mailbox, "first")); err != nil {
					t.Fatal(err)
				}
			})
			r.untilEmpty()
			if err := r.em.Script(c.rule); err != nil {
				t.Fatal(err)
			}
			msg := &closable{b: testMessage(r.em.Mailbox, "late")}
			if c.size > 0 {
				msg.b = append(msg.b,
					bytes.Repeat([]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789\r\n"),
						c.size/60)...)
			}
			receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox), msg)
			msg.closed.Store(true) // as a caller does when it has its answer
			if err != nil || len(receipt.Accepted) != 1 {
				t.Fatalf("%+v, %v", receipt, err)
			}
			if !receipt.Queued || receipt.QueueID == "" {
				t.Errorf("%+v", receipt)
			}
			r.step("the queue is empty", 10*time.Second, func() bool {
				return len(r.ids()) == 0 &&
					r.e.State().InFlight == 0
			})
			others := func() (n int) {
				for s, count := range r.subjects() {
					if s != "first" {
						n += count
					}
				}
				return n
			}
			r.until("all has arrived", func() bool { return others() >= c.want })
			if n := others(); n != c.want {
				t.Errorf("%d messages, want %d: %v", n, c.want, r.subjects())
			}
			if n := r.subjects()["late"]; n > 1 {
				t.Errorf("it arrived %d times", n)
			}
		})
	}
}

// waitlessly runs f with the usual wait.
func (r *rig) waitlessly(t *testing.T, f func()) {
	t.Helper()
	usual := r.e.config()
	patient := *usual
	patient.Wait = 10 * time.Second
	r.e.current.Store(&patient)
	f()
	r.e.current.Store(usual)
}

// closable is a message that can't be read any more when its owner has closed it.
type closable struct {
	b      notify.Text
	closed atomic.Bool
}

func (c *closable) Size() int64 { return c.b.Size() }
func (c *closable) Open() (io.ReadCloser, error) {
	if c.closed.Load() {
		return nil, errors.New("closed")
	}
	r, err := c.b.Open()
	return &closableReader{c, r}, err
}

type closableReader struct {
	c *closable
	io.ReadCloser
}

func (r *closableReader) Read(p []byte) (int, error) {
	if r.c.closed.Load() {
		return 0, errors.New("closed")
	}
	return r.ReadCloser.Read(p)
}

func TestModes(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{config: func(c *Config) { c.QueueInterval = time.Hour }}).run()
	env := testEnvelope(r.em.Mailbox)
	env.Mode = ModeQueue
	receipt, err := r.e.Submit(context.Background(), env, testMessage(r.em.Mailbox, "queue"))
	if err != nil || !receipt.Queued {
		t.Fatalf("%+v, %v", receipt, err)
	}
	env = testEnvelope(r.em.Mailbox)
	env.Mode = ModeBackground
	if receipt, err := r.e.Submit(context.Background(), env, testMessage(r.em.Mailbox, "background")); err != nil ||
		!receipt.Queued {
		t.Fatalf("%+v, %v", receipt, err)
	}
	r.until("the second is delivered", func() bool { return r.subjects()["background"] == 1 })
	if n := r.subjects()["queue"]; n != 0 {
		t.Error("a message of the mode queue went at once")
	}
	r.e.Rescan()
	r.until("the first is delivered", func() bool { return r.subjects()["queue"] == 1 })
}

func TestWithoutAccount(t *testing.T) {
	t.Parallel()
	var account *Account
	r := newRig(t, rigOptions{config: func(c *Config) {
		account, c.Account, c.Fault = c.Account, nil, errors.New("o365-sendmail.toml:3: tenant is missing")
	}}).run()
	receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox), testMessage(r.em.Mailbox, "kept"))
	if err != nil || !receipt.Queued {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if st := r.e.State().Stops; len(st) != 1 || !st[0].Held || !strings.Contains(st[0].Reason, "tenant is missing") {
		t.Errorf("%+v", st)
	}
	c := *r.e.config()
	c.Account, c.Fault = account, nil
	r.e.Reconfigure(c)
	r.untilEmpty()
	if n := r.subjects()["kept"]; n != 1 {
		t.Errorf("it arrived %d times", n)
	}
}

func TestFullSpool(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{spool: func(o *spool.Options) { o.Limits.MaxMessages = 1 },
		config: func(c *Config) { c.QueueInterval = time.Hour; c.Mode = ModeQueue }}).run()
	for i, want := range []bool{true, false} {
		receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox),
			testMessage(r.em.Mailbox, fmt.Sprint(i)))
		if (err == nil) != want || receipt.Queued != want {
			t.Errorf("%d: %+v, %v", i, receipt, err)
		}
	}
	// What Exchange takes at once needs no room.
	env := testEnvelope(r.em.Mailbox)
	env.Mode = ModeInteractive
	if receipt, err := r.e.Submit(context.Background(), env, testMessage(r.em.Mailbox, "at once")); err != nil ||
		receipt.Queued {
		t.Errorf("%+v, %v", receipt, err)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{}).run()
	const callers = 100
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox),
				testMessage(r.em.Mailbox, fmt.Sprint(i)))
			if err != nil || len(receipt.Accepted) != 1 {
				t.Errorf("%+v, %v", receipt, err)
			}
		})
	}
	wg.Wait()
	r.untilEmpty()
	got := r.subjects()
	for i := range callers {
		if got[fmt.Sprint(i)] != 1 {
			t.Errorf("%d arrived %d times", i, got[fmt.Sprint(i)])
		}
	}
	if n := r.em.Refused("432"); n != 0 || r.em.MaxConcurrent() > 3 {
		t.Errorf("%d refusals, %d connections", n, r.em.MaxConcurrent())
	}
}

func TestDirectWithSpool(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true})
	d := NewEngine(EngineOptions{Config: Config{Account: r.e.config().Account}, Spool: r.sp, Alone: &Alone{}})
	submit := func(mode, subject string) (envelope.Receipt, error) {
		env := testEnvelope(r.em.Mailbox)
		env.Mode = mode
		return d.Submit(context.Background(), env, testMessage(r.em.Mailbox, subject))
	}
	if receipt, err := submit("", "now"); err != nil || receipt.Queued {
		t.Errorf("%+v, %v", receipt, err)
	}
	if receipt, err := submit(ModeBackground, "background"); err != nil || !receipt.Queued {
		t.Errorf("%+v, %v", receipt, err)
	}
	if err := r.em.SetFault("smtp-auth-mailbox"); err != nil {
		t.Fatal(err)
	}
	receipt, err := submit("", "held")
	if err != nil || !receipt.Queued {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if st := r.status(receipt.QueueID).Status; st.Class != queue.ClassConfiguration || st.Attempts != 0 {
		t.Errorf("%+v", st)
	}
	r.em.ClearFaults()
	if err := r.em.SetFault("recipient-unknown"); err != nil {
		t.Fatal(err)
	}
	if receipt, err := submit("", "refused"); err == nil || receipt.Queued {
		t.Errorf("%+v, %v", receipt, err)
	}
	r.em.ClearFaults()
	state, err := r.e.RunOnce(context.Background(), Selection{}, nil)
	if err != nil || state.Counters.Sent != 2 || len(r.ids()) != 0 {
		t.Errorf("%+v, %v, left %v", state.Counters, err, r.ids())
	}
}

func TestRunOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	if err := r.em.Script(emulator.Rule{Stage: "rcpt", Match: "later@", Reply: "451 4.7.1 try later"}); err != nil {
		t.Fatal(err)
	}
	a, b := r.put(1000, 0, "a@example.com"), r.put(1001, 1, "b@example.org")
	later := r.put(1000, 2, "later@example.com")
	once := func(sel Selection) Counters {
		t.Helper()
		before := r.e.State().Counters
		calls := 0
		state, err := r.e.RunOnce(context.Background(), sel, func(Progress) { calls++ })
		if err != nil || calls == 0 {
			t.Fatal(err, calls)
		}
		after := state.Counters
		after.Sent -= before.Sent
		after.Deferred -= before.Deferred
		return after
	}
	if c := once(Selection{Recipient: "EXAMPLE.ORG"}); c.Sent != 1 || len(r.ids()) != 2 {
		t.Errorf("by recipient: %+v, left %v", c, r.ids())
	}
	if _, err := r.sp.Get(b); !errors.Is(err, spool.ErrGone) {
		t.Errorf("it is still there: %v", err)
	}
	if c := once(Selection{ID: a[len(a)-8:]}); c.Sent != 1 {
		t.Errorf("by id: %+v", c)
	}
	if c := once(Selection{}); c.Deferred != 1 || r.status(later).Status.Attempts != 1 {
		t.Errorf("all: %+v", c)
	}
	if c := once(Selection{}); c.Deferred != 0 {
		t.Errorf("one that is not due was tried: %+v", c)
	}
	if c := once(Selection{Force: true, Sender: "noreply"}); c.Deferred != 1 || r.status(later).Status.Attempts != 2 {
		t.Errorf("by force: %+v", c)
	}
}

func TestRunOnceStopsAtAFault(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	if err := r.em.SetFault("smtp-auth-mailbox"); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		r.put(1000, i)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	state, err := r.e.RunOnce(ctx, Selection{}, nil)
	if err != nil || len(state.Stops) != 1 || !state.Stops[0].Held {
		t.Errorf("%+v, %v", state, err)
	}
	if file, err := ReadState(filepath.Join(r.dir, "state.json")); err != nil || len(file.Stops) != 1 {
		t.Errorf("%+v, %v", file, err)
	}
}

// Two processes may run over one spool.
func TestRunOnceBesideAnother(t *testing.T) {
	t.Parallel()
	a := newRig(t, rigOptions{})
	b := newRig(t, rigOptions{em: a.em, dir: a.dir})
	for i := range 100 {
		a.put(1000, i)
	}
	var wg sync.WaitGroup
	for _, r := range []*rig{a, b} {
		wg.Go(func() {
			if _, err := r.e.RunOnce(context.Background(), Selection{}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	a.untilEmpty()
	for s, n := range a.subjects() {
		if n != 1 {
			t.Errorf("%s arrived %d times", s, n)
		}
	}
	if n := a.em.MaxConcurrent(); n > 3 {
		t.Errorf("%d connections", n)
	}
}
