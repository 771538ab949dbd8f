package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/submit"
)

// dotted is a message that DATA has to stuff.
func dotted(from, subject string) notify.Text {
	return notify.Text(string(testMessage(from, subject)) + ".\r\n..\r\n.x\r\n\r\n.\r\n")
}

// arrived counts the messages with a subject.
func arrived(em *emulator.Emulator, subject string) int {
	n := 0
	for _, m := range em.Messages() {
		if subjectIn(string(m.Data)) == subject {
			n++
		}
	}
	return n
}

// TestRefusedBDAT: when the server offers BDAT and refuses it, the message goes by DATA in the same call. All
// processes of the host then use DATA for a day.
func TestRefusedBDAT(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"bdat-500", "bdat-502", "bdat-503", "bdat-552"} {
		for _, pipelined := range []bool{false, true} {
			for _, size := range []int{0, 3 << 20} { // of three chunks, too
				t.Run(fmt.Sprintf("%s, pipelined %v, %d", fault, pipelined, size), func(t *testing.T) {
					t.Parallel()
					em := emulator.New(t, func(o *emulator.Options) { o.KeepBodies = true })
					if err := em.SetFault(fault); err != nil {
						t.Fatal(err)
					}
					now, dir := time.Now(), t.TempDir()
					var warnings []string
					process := func() *Account {
						a := testAccount(em, dir, func() time.Time { return now })
						a.PipelineAuth, a.Now = pipelined, func() time.Time { return now }
						// The server answers; how long that takes on a busy host is none of the assertions.
						a.Submit.CommandTimeout, a.Submit.DataTimeout = time.Minute, time.Minute
						a.Warn = func(err error) { warnings = append(warnings, err.Error()) }
						return a
					}
					text := notify.Text(string(dotted(em.Mailbox, "first")) +
						strings.Repeat(".0123456789\r\n", size/13))
					res, err := process().Deliver(t.Context(), testEnvelope(em.Mailbox), text)
					if err != nil || res.Accepted() != 1 {
						t.Fatalf("%+v, %v", res, err)
					}
					if got := em.Messages(); len(got) != 1 || string(got[0].Data) != string(text) ||
						got[0].Chunks != 0 {
						t.Fatalf("%d messages arrived", len(got))
					}
					if len(warnings) != 1 || !strings.Contains(warnings[0], "smtp.chunking") ||
						!strings.Contains(warnings[0], em.SMTPHost) {
						t.Errorf("warned %q", warnings)
					}
					before := em.Stats().Connections
					if _, err := process().Deliver(t.Context(), testEnvelope(em.Mailbox),
						testMessage(em.Mailbox, "second")); err != nil {
						t.Fatal(err)
					}
					if n := em.Stats().Connections - before; n != 1 || len(warnings) != 1 {
						t.Errorf("the second process made %d connections; warned %q", n, warnings)
					}
					if err := em.ClearFaults(); err != nil {
						t.Fatal(err)
					}
					now = now.Add(24*time.Hour + time.Second)
					if _, err := process().Deliver(t.Context(), testEnvelope(em.Mailbox),
						testMessage(em.Mailbox, "next day")); err != nil {
						t.Fatal(err)
					}
					if got := em.Messages(); len(got) != 3 || got[1].Chunks != 0 || got[2].Chunks == 0 {
						t.Errorf("%d messages, chunks %d and %d", len(got), got[1].Chunks, got[2].Chunks)
					}
				})
			}
		}
	}
}

// TestLargeHeaderIsNoFaultOfBDAT: when DATA gets the same answer, the message is refused, and BDAT stays in use.
func TestLargeHeaderIsNoFaultOfBDAT(t *testing.T) {
	t.Parallel()
	em := emulator.New(t)
	if err := em.SetFault("header-size"); err != nil {
		t.Fatal(err)
	}
	a := testAccount(em, t.TempDir(), time.Now)
	_, err := a.Deliver(t.Context(), testEnvelope(em.Mailbox), testMessage(em.Mailbox, "large"))
	if e := outcome(nil, err); e == nil || e.Diagnosis.Key != "header-too-large" ||
		e.Class != diagnose.Permanent || e.Chunked {
		t.Errorf("%+v", e)
	}
	if why, _, off := a.NoChunks(); off {
		t.Errorf("BDAT is off: %s", why)
	}
}

// TestSilentBDAT: no answer behind the last chunk leaves the outcome open, so that the next try, by DATA, is the
// queue's.
func TestSilentBDAT(t *testing.T) {
	t.Parallel()
	em := emulator.New(t)
	if err := em.SetFault("bdat-silent"); err != nil {
		t.Fatal(err)
	}
	a := testAccount(em, t.TempDir(), time.Now)
	a.Submit.DataTimeout = time.Second
	_, err := a.Deliver(t.Context(), testEnvelope(em.Mailbox), testMessage(em.Mailbox, "silent"))
	if e := outcome(nil, err); e == nil || e.Diagnosis.Key != "timeout" || !e.Uncertain || !e.Temporary() {
		t.Fatalf("%+v", e)
	}
	if n := em.Stats().Connections; n != 1 {
		t.Errorf("%d connections in the call", n)
	}
	a.Submit.DataTimeout = 30 * time.Second
	if _, err := a.Deliver(t.Context(), testEnvelope(em.Mailbox), testMessage(em.Mailbox, "silent")); err != nil ||
		arrived(em, "silent") != 1 {
		t.Errorf("%v, arrived %d times", err, arrived(em, "silent"))
	}
}

// TestEngineRetriesByDATA: a message of the queue that had no answer to its BDAT goes by DATA with the engine's
// next try, and so do those behind it.
func TestEngineRetriesByDATA(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{fakeClock: true, account: func(a *Account) { a.Submit.DataTimeout = time.Second }})
	if err := r.em.SetFault("bdat-silent"); err != nil {
		t.Fatal(err)
	}
	r.put(1000, 0)
	r.run()
	r.until("the first try is over", func() bool { return r.status(r.ids()[0]).Status.Attempts == 1 })
	r.put(1000, 1)
	r.until("the queue is empty", func() bool {
		r.clock.advance(time.Second)
		return len(r.ids()) == 0
	})
	for _, m := range r.em.Messages() {
		if m.Chunks != 0 {
			t.Errorf("%s arrived by BDAT", subjectIn(string(m.Data)))
		}
	}
	if got := r.subjects(); got["1000-0"] != 1 || got["1000-1"] != 1 || len(got) != 2 {
		t.Errorf("arrived: %v", got)
	}
}

// TestChunkingKey: "on" holds the mail instead of changing to DATA, "off" never uses BDAT.
func TestChunkingKey(t *testing.T) {
	t.Parallel()
	em := emulator.New(t)
	if err := em.SetFault("bdat-502"); err != nil {
		t.Fatal(err)
	}
	a := testAccount(em, t.TempDir(), time.Now)
	a.Submit.Chunking = submit.ChunkingOn
	_, err := a.Deliver(t.Context(), testEnvelope(em.Mailbox), testMessage(em.Mailbox, "on"))
	if e := outcome(nil, err); e == nil || e.Class != diagnose.Configuration ||
		!strings.Contains(e.Advice(), "smtp.chunking") {
		t.Errorf("on: %+v", e)
	}
	a.Submit.Chunking = submit.ChunkingOff
	before := em.Stats().Connections
	if _, err := a.Deliver(t.Context(), testEnvelope(em.Mailbox), testMessage(em.Mailbox, "off")); err != nil ||
		em.Stats().Connections != before+1 {
		t.Errorf("off: %v", err)
	}
}

// TestEngineGoesOnByDATA: a queue whose first BDAT is refused, in whichever way, arrives whole and once.
func TestEngineGoesOnByDATA(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"bdat-500", "bdat-502", "bdat-503", "bdat-552"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{})
			if err := r.em.SetFault(fault); err != nil {
				t.Fatal(err)
			}
			for i := range 30 {
				r.put(1000, i)
			}
			r.run()
			r.until("all is delivered", func() bool { return len(r.ids()) == 0 })
			for i := range 30 {
				if s := fmt.Sprintf("1000-%d", i); r.subjects()[s] != 1 {
					t.Errorf("%s arrived %d times", s, r.subjects()[s])
				}
			}
			if n := r.countAlerts("held") + r.countAlerts("Undelivered"); n != 0 {
				t.Errorf("%d alerts and bounces", n)
			}
		})
	}
}

// cutConn ends a connection after so many bytes written, or read.
type cutConn struct {
	net.Conn
	write, read *atomic.Int64 // bytes left
	written     *atomic.Int64
	got         *atomic.Int64
}

var errCut = errors.New("cut")

func (c *cutConn) Write(p []byte) (int, error) {
	left := c.write.Add(-int64(len(p)))
	if left < 0 {
		n, _ := c.Conn.Write(p[:max(int64(len(p))+left, 0)])
		c.Conn.Close()
		return n, errCut
	}
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.got.Add(int64(n))
	if left := c.read.Add(-int64(n)); left < 0 {
		c.Conn.Close()
		return int(max(int64(n)+left, 0)), errCut
	}
	return n, err
}

// cutter is an account whose n-th connection of a call is cut.
type cutter struct {
	account     *Account
	connection  int
	which       int
	write, read int64 // where to cut; far when not
	mark        [3]struct{ w, r int64 }
	conns       [3]*cutConn
	current     *cutConn
}

const far = 1 << 40

func newCutter(t *testing.T, em *emulator.Emulator) *cutter {
	k := &cutter{account: testAccount(em, t.TempDir(), time.Now), write: far, read: far}
	k.account.Submit.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		k.connection++
		c := &cutConn{conn, new(atomic.Int64), new(atomic.Int64), new(atomic.Int64), new(atomic.Int64)}
		c.write.Store(far)
		c.read.Store(far)
		if k.connection == k.which {
			c.write.Store(k.write)
			c.read.Store(k.read)
		}
		k.current = c
		if k.connection < len(k.conns) {
			k.conns[k.connection] = c
		}
		return c, nil
	}
	k.account.Submit.Trace = func(direction byte, line string) {
		if direction == '>' && strings.HasPrefix(line, "MAIL ") && k.connection < 3 {
			k.mark[k.connection].w, k.mark[k.connection].r = k.current.written.Load(), k.current.got.Load()
		}
	}
	return k
}

// send makes one call with the cut, as if nothing were known of the server, and returns its outcome.
func (k *cutter) send(t *testing.T, em *emulator.Emulator, subject string, which int, write, read int64) error {
	k.account.Quota.DropNote(k.account.chunksNote())
	k.connection, k.which, k.write, k.read = 0, which, write, read
	_, err := k.account.Deliver(t.Context(), testEnvelope(em.Mailbox), testMessage(em.Mailbox, subject))
	return err
}

// TestCutBehindBDAT cuts the connection at every byte, in both directions, from the flight with the first BDAT to
// the end of the DATA that follows it. No message arrives twice, and each outcome is what was told.
func TestCutBehindBDAT(t *testing.T) {
	t.Parallel()
	em := emulator.New(t)
	em.Update(func(s *emulator.State) { s.Limits.Connections = 0 })
	if err := em.SetFault("bdat-502"); err != nil {
		t.Fatal(err)
	}
	k := newCutter(t, em)
	for range 2 { // the second resumes its TLS session, as those below do
		if err := k.send(t, em, "measure", 0, far, far); err != nil || k.connection != 2 {
			t.Fatalf("%v, %d connections", err, k.connection)
		}
	}
	type cut struct {
		which       int
		write, read int64
	}
	var cuts []cut
	for which := 1; which <= 2; which++ {
		for n := k.mark[which].w; n <= k.conns[which].written.Load(); n++ {
			cuts = append(cuts, cut{which, n, far})
		}
		for n := k.mark[which].r; n <= k.conns[which].got.Load(); n++ {
			cuts = append(cuts, cut{which, far, n})
		}
	}
	outcomes := make([]error, len(cuts))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			k := newCutter(t, em)
			for i := int(next.Add(1)) - 1; i < len(cuts); i = int(next.Add(1)) - 1 {
				c := cuts[i]
				subject := fmt.Sprintf("cut %d", i)
				err := k.send(t, em, subject, c.which, c.write, c.read)
				if outcomes[i] = err; err != nil && !uncertain(err) {
					err = k.send(t, em, subject, 0, far, far) // an ordinary retry
					if err != nil {
						t.Errorf("%+v: the retry: %v", c, err)
					}
				}
			}
		})
	}
	wg.Wait()
	got := map[string]int{}
	for _, m := range em.Messages() {
		got[subjectIn(string(m.Data))]++
	}
	var lost, open int
	for i, err := range outcomes {
		switch n := got[fmt.Sprintf("cut %d", i)]; {
		case err != nil && uncertain(err) && n <= 1:
			open++
		case n != 1:
			t.Errorf("%+v: arrived %d times: %v", cuts[i], n, err)
		case err != nil:
			lost++
		}
	}
	if lost == 0 || open == 0 || lost+open == len(cuts) {
		t.Errorf("%d cuts: %d lost, %d open: they miss what they are for", len(cuts), lost, open)
	}
	t.Logf("%d cuts: %d calls failed for certain, %d were left open", len(cuts), lost, open)
}
