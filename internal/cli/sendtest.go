package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/direct"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// testMessage is a message that says where it comes from.
type testMessage struct {
	config, from, to string
	user             host.User
	hostName         string
	version          string
}

// sendTestCommand sends a test message the way that any other goes.
func (e *Env) sendTestCommand(ctx context.Context, args []string) int {
	m := testMessage{user: host.UserByID(e.UID), hostName: host.Name(), version: e.Version}
	var asJSON bool
	f := newVerbFlags("send-test", "ADDRESS [--from ADDRESS] [--json] [-C FILE]")
	f.StringVar(&m.config, "C", "", "use the configuration `FILE` and not the agent")
	f.StringVar(&m.from, "from", "", "send from `ADDRESS`, as far as the sender rule allows; default is the "+
		"calling user")
	f.BoolVar(&asJSON, "json", false, "print the outcome as JSON")
	rest, err := f.parse(args, 1)
	if err == nil && len(rest) == 0 {
		err = cmdline.Usagef("send-test: to whom? o365-sendmail send-test you@example.com")
	}
	if err != nil {
		return e.failVerb(f, err)
	}
	m.to = rest[0]
	for _, addr := range []string{m.to, m.from} {
		if err := checkAddress(addr); addr != "" && err != nil {
			return e.fail("o365-sendmail", cmdline.Usagef("send-test: %v", err))
		}
	}
	words, err := m.send(ctx, e.process("o365-sendmail"))
	if asJSON {
		return m.printJSON(e.Stdout, words, err)
	}
	if err != nil {
		return e.fail("o365-sendmail", err)
	}
	fmt.Fprintf(e.Stdout, "sent to %s: %s\n", printable.Line(m.to), printable.Line(words))
	return sysexits.OK
}

func (m testMessage) printJSON(w io.Writer, words string, err error) int {
	out := struct {
		Schema int    `json:"schema"`
		To     string `json:"to"`
		Sent   bool   `json:"sent"`
		Reply  string `json:"reply,omitempty"`
		// Queued is the id of a message that is kept and not delivered yet.
		Queued string `json:"queued,omitempty"`
		Error  string `json:"error,omitempty"`
		Exit   int    `json:"exit"`
	}{Schema: 1, To: m.to, Sent: err == nil, Reply: words}
	if err != nil {
		out.Error, out.Exit = err.Error(), deliver.ExitCode(err)
		var waiting *waitingError
		if errors.As(err, &waiting) {
			out.Queued = waiting.id
		}
	}
	printJSON(w, out)
	return out.Exit
}

// checkAddress takes one address, or the bare name of a local user.
func checkAddress(addr string) error {
	if printable.HasControl(addr) {
		return fmt.Errorf("%.128q is not an address", addr)
	}
	a, err := rfc822.ParseAddress(addr)
	if err == nil && a.Addr() != addr {
		err = fmt.Errorf("%.128q is not a plain address", addr)
	}
	return err
}

// send sends m and returns the relay's words, or the agent's when it keeps the message.
func (m testMessage) send(ctx context.Context, p *direct.Process) (string, error) {
	o := &cmdline.Options{Mode: cmdline.ModeDeliver, Config: m.config, ErrorMode: 'p', Delivery: "interactive",
		IgnoreDots: true, Recipients: []string{m.to}}
	if m.from != "" {
		o.Sender = &m.from
	}
	r, err := p.OpenRoute(ctx, o)
	if err != nil {
		return "", err
	}
	defer r.Close()
	d, err := route.Compose(strings.NewReader(m.text()), o, m.user, r)
	if err != nil {
		return "", err
	}
	defer d.Message.Close()
	receipt, err := r.Send(ctx, d)
	switch {
	case err != nil:
		return "", err
	case len(d.Refused) > 0:
		return "", d.Refused[0].Err
	case len(receipt.Refused) > 0:
		return "", receipt.Refused[0].Err
	case receipt.Queued:
		return "", &waitingError{id: receipt.QueueID, reason: whyWaiting(ctx, p, o, receipt.QueueID)}
	}
	return receipt.Reply, nil
}

// waitingError is a message that is safe in the queue: for a test that is not yet a success.
type waitingError struct {
	id, reason string
	takenBack  bool // it is deleted again
}

func (w *waitingError) Error() string {
	if w.takenBack {
		return "the message was not delivered at once, and is taken back: " + cmp.Or(w.reason, "no reason is known yet")
	}
	if w.reason == "" {
		return fmt.Sprintf("the message is in the queue as %s and not delivered yet; mailq says why", w.id)
	}
	return fmt.Sprintf("the message is in the queue as %s and not delivered yet: %s", w.id, w.reason)
}

// whyWaiting asks the agent, or the spool, why a message is not delivered. A stop of all
// mail tells more than the message, whose reason is cut short.
func whyWaiting(ctx context.Context, p *direct.Process, o *cmdline.Options, id string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	q, err := p.OpenQueue(ctx, o, false)
	if err != nil {
		return ""
	}
	defer q.Close()
	if st, err := q.Status(ctx); err == nil {
		for _, s := range st.Stops {
			if s.Reason != "" && !s.Users() {
				return s.Reason
			}
		}
	}
	if d, err := q.Show(ctx, id); err == nil {
		return d.Reason
	}
	return ""
}

// takeBack deletes the doctor's message from the queue, so that a fault that is looked at often leaves no heap of
// them, and reports whether that was done: one that is just being delivered stays.
func (m testMessage) takeBack(ctx context.Context, p *direct.Process, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	q, err := p.OpenQueue(ctx, &cmdline.Options{Mode: cmdline.ModeDeliver, Config: m.config}, false)
	if err != nil {
		return false
	}
	defer q.Close()
	gone := false
	err = q.Apply(ctx, control.Delete, queueview.Filter{IDs: []string{id}}, func(r control.Result) error {
		gone = r.Code == 0
		return nil
	})
	return err == nil && gone
}

func (m testMessage) text() string {
	from := ""
	if m.from != "" {
		from = "From: " + m.from + "\n"
	}
	return from + "To: " + m.to + "\nSubject: Test from " + m.hostName + "\n\n" +
		"This is a test message of o365-sendmail.\n\nHost: " + m.hostName + "\nUser: " + m.user.Name + "\n\n" +
		"If you can read this, mail from this machine arrives.\n"
}
