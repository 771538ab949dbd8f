package cli

import (
	"context"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// mailq is the mode -bp: the queue as Postfix lists it.
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
	if err := e.listQueue(ctx, q, f); err != nil {
		return e.fail(name, err)
	}
	return sysexits.OK
}

// filterOf is what -qI, -qR and -qS choose.
func filterOf(r *cmdline.QueueRun) (queueview.Filter, error) {
	f := queueview.Filter{Sender: r.Sender, Recipient: r.Recipient}
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

// listQueue writes the list for people.
func (e *Env) listQueue(ctx context.Context, q control.Queue, f queueview.Filter) error {
	x, err := explainer(ctx, q, e.Now)
	if err != nil {
		return err
	}
	list := queueview.NewList(e.Stdout, x)
	if err := q.List(ctx, f, list.Add); err != nil {
		_ = list.Flush()
		return readerGone(err)
	}
	return readerGone(list.Close())
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
