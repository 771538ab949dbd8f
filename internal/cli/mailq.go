package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// mailq is the mode -bp: the queue as a table.
func (e *Env) mailq(ctx context.Context, name string, o *cmdline.Options) int {
	if len(o.Recipients) > 0 {
		return e.fail(name, cmdline.Usagef("mailq takes no argument such as %.64q; o365-sendmail queue show ID shows "+
			"one message", o.Recipients[0]))
	}
	f, err := filterOf(&o.Queue)
	if err != nil {
		return e.fail(name, err)
	}
	q, err := e.process(name).OpenQueue(ctx, o, false)
	if err != nil {
		return e.fail(name, err)
	}
	defer q.Close()
	if _, err := e.listQueue(ctx, q, f, givenIn(&o.Queue)); err != nil {
		return e.fail(name, err)
	}
	return sysexits.OK
}

// givenIn are the same as they were given.
func givenIn(r *cmdline.QueueRun) (given []string) {
	for flag, value := range map[string]string{"-qR": r.Recipient, "-qS": r.Sender} {
		if value != "" {
			given = append(given, flag+value)
		}
	}
	slices.Sort(given)
	return given
}

// filterOf is what -qI, -qR and -qS choose.
func filterOf(r *cmdline.QueueRun) (queueview.Filter, error) {
	f := queueview.Filter{Sender: intake.ASCIIPattern(r.Sender), Recipient: intake.ASCIIPattern(r.Recipient)}
	if r.ID != "" {
		if !spool.ValidID(r.ID) {
			return f, cmdline.Usagef("-qI %.64q: not a queue id; mailq shows them", r.ID)
		}
		f.IDs = []string{r.ID}
	}
	if err := f.Check(); err != nil {
		return f, sysexits.With(sysexits.Usage, err)
	}
	return f, nil
}

// listQueue writes the list for people; given are the filters as the caller wrote them.
func (e *Env) listQueue(ctx context.Context, q control.Queue, f queueview.Filter, given []string) (*queueview.List,
	error) {
	x, err := explainer(ctx, q, e.Now)
	if err != nil {
		return nil, err
	}
	list := queueview.NewList(e.Stdout, x)
	list.Width, list.Color = screen(e.Stdout, e.Getenv)
	list.User = func(uid int) string { return host.UserByID(uid).Name }
	of, err := q.List(ctx, f, list.Add)
	switch {
	case err != nil:
		return nil, err
	case list.Messages() == 0 && of > 0 && len(given) > 0:
		fmt.Fprintf(e.Stdout, "no message of %d fits %s\n", of, printable.Line(strings.Join(given, " ")))
		return list, nil
	case of == 0 && f.Failed: // the queue need not be empty
		fmt.Fprintln(e.Stdout, "no message was given up")
		return list, nil
	}
	return list, readerGone(list.Close())
}

// readerGone silences the error of "mailq | head", which is not a fault.
func readerGone(err error) error {
	if isReaderGone(err) {
		return nil
	}
	return err
}

func explainer(ctx context.Context, q control.Queue, now func() time.Time) (*queueview.Explainer, error) {
	st, err := q.Status(ctx)
	return &queueview.Explainer{Status: st, Now: now()}, err
}
