package direct

import (
	"context"
	"errors"
	"io"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// noQueue is the queue where none is configured, or nothing was ever put into it.
type noQueue struct{}

var errNotThere = sysexits.With(sysexits.NoInput, spool.ErrGone)

func (noQueue) Status(context.Context) (queueview.Status, error) { return queueview.Status{}, nil }

func (noQueue) List(_ context.Context, f queueview.Filter, _ func(*queueview.Message) error) (of int, err error) {
	return 0, missing(f)
}

func (noQueue) Watch(context.Context, queueview.Filter, func(*control.Event) error) error {
	return sysexits.With(sysexits.NoInput, errors.New("there is no queue to watch: nothing was ever put into it"))
}

func (noQueue) Show(context.Context, string) (*queueview.Detail, error) { return nil, errNotThere }

func (noQueue) Content(context.Context, string) (io.ReadCloser, error) { return nil, errNotThere }

func (noQueue) Apply(_ context.Context, _ control.Action, f queueview.Filter, fn func(control.Result) error) error {
	for _, id := range f.IDs {
		if err := fn(control.Result{ID: id, Error: spool.ErrGone.Error(), Code: sysexits.NoInput}); err != nil {
			return err
		}
	}
	return nil
}

func (noQueue) Redirect(context.Context, string, []string, bool) (control.Redirected, error) {
	return control.Redirected{}, errNotThere
}

func (noQueue) Flush(_ context.Context, f queueview.Filter, _ bool) (control.Flushed, error) {
	return control.Flushed{}, missing(f)
}

func (noQueue) Close() error { return nil }

func missing(f queueview.Filter) error {
	if len(f.IDs) > 0 {
		return errNotThere
	}
	return nil
}
