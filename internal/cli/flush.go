package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/direct"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

// flush is the mode -q without an interval: the queue is tried now. With an agent the
// agent does it, and nothing is waited for.
func (e *Env) flush(ctx context.Context, name string, o *cmdline.Options) int {
	if len(o.Recipients) > 0 {
		return e.fail(name, cmdline.Usagef("-q takes no recipient such as %.64q", o.Recipients[0]))
	}
	f, err := filterOf(&o.Queue)
	if err != nil {
		return e.fail(name, err)
	}
	q, err := e.process(name).OpenQueue(ctx, o, true)
	if err != nil {
		return e.fail(name, err)
	}
	defer q.Close()
	// A queue run that delivers nothing is not a failure: the mail is still safe, and cron
	// must not write mail about it.
	if _, err := q.Flush(ctx, f, false); err != nil {
		return e.fail(name, err)
	}
	return sysexits.OK
}

// progressLine shows on a terminal how far a flush has come.
type progressLine struct {
	w       io.Writer
	written bool
}

func (p *progressLine) show(sent, deferred, bounced, left int) {
	if p == nil {
		return
	}
	p.written = true
	fmt.Fprintf(p.w, "\r%s\x1b[K", flushWords(sent, deferred, bounced, left))
}

// end leaves the line.
func (p *progressLine) end() {
	if p != nil && p.written {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func flushWords(sent, deferred, bounced, left int) string {
	s := fmt.Sprintf("%d sent, %d deferred", sent, deferred)
	if bounced > 0 {
		s += fmt.Sprintf(", %d returned", bounced)
	}
	if left > 0 {
		s += fmt.Sprintf(", %d to go", left)
	}
	return s
}

// flushResult is what a flush did, as far as it was waited for.
type flushResult struct {
	Messages int      `json:"messages"` // that were asked for
	Waited   bool     `json:"waited"`   // the rest is filled in
	Sent     int      `json:"sent"`     // recipients, as the following
	Deferred int      `json:"deferred"`
	Bounced  int      `json:"bounced"`
	Notes    []string `json:"notes,omitempty"` // what is probed now, and what is not and why
}

// flushAndWait tries messages and, with wait, follows them until nothing more happens.
func flushAndWait(ctx context.Context, q control.Queue, f queueview.Filter, wait bool, line *progressLine) (
	r flushResult, err error) {
	defer line.end()
	if own, ok := q.(*direct.OwnQueue); ok {
		own.Progress = func(p deliver.Progress) {
			r.Messages = p.Selected
			line.show(p.Counters.Sent, p.Counters.Deferred, p.Counters.Bounced, p.Left)
		}
		done, err := own.Flush(ctx, f, true)
		r.Notes = done.Notes
		c := own.Last.Counters
		r.Waited, r.Sent, r.Deferred, r.Bounced = true, c.Sent, c.Deferred, c.Bounced
		return r, err
	}
	before, err := q.Status(ctx)
	if err != nil {
		return r, err
	}
	done, err := q.Flush(ctx, f, true)
	r.Messages, r.Notes = done.Messages, done.Notes
	if err != nil || !wait || r.Messages == 0 || before.Messages < 0 {
		return r, err
	}
	r.Waited = true
	return r, follow(ctx, q, before, &r, line)
}

// followEvery is how often the agent is asked how far it is.
const followEvery = 300 * time.Millisecond

func follow(ctx context.Context, q control.Queue, before queueview.Status, r *flushResult,
	line *progressLine) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		st, err := q.Status(ctx)
		if err != nil {
			return err
		}
		r.Sent, r.Deferred, r.Bounced = st.Sent-before.Sent, st.Deferred-before.Deferred, st.Bounced-before.Bounced
		left := st.Ready + st.Active
		line.show(r.Sent, r.Deferred, r.Bounced, left)
		if left == 0 || st.Active == 0 && stopped(&st) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return sysexits.With(sysexits.TempFail, fmt.Errorf("interrupted; the agent goes on"))
		}
	}
}

// stopped reports whether something keeps all mail back.
func stopped(st *queueview.Status) bool {
	for i := range st.Stops {
		s := &st.Stops[i]
		narrow := s.Sender != "" || s.Outside || s.Users() || s.Key == control.KeyRate
		if s.All || s.Mailbox == st.Mailbox && !narrow {
			return true
		}
	}
	return false
}
