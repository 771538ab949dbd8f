package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

// redirect gives one message to other recipients.
func (r *queueRunner) redirect(ctx context.Context, id string) error {
	done, err := r.queue.Redirect(ctx, id, r.args.to, r.args.dryRun)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	r.end.Messages = 1
	if r.args.json {
		return r.put(done)
	}
	what := "redirected"
	if r.args.dryRun {
		what = "would be redirected"
	}
	_, err = fmt.Fprintf(r.env.Stdout, "%s %s from %s to %s\n", done.ID, what, printable.Line(strings.Join(done.From, ", ")),
		printable.Line(strings.Join(done.To, ", ")))
	return err
}

// wouldApply lists what an action would be done to, and says to how many. It asks the queue for nothing but its list.
func (r *queueRunner) wouldApply(ctx context.Context, a control.Action) error {
	if r.args.json {
		_, err := r.queue.List(ctx, r.args.filter, func(m *queueview.Message) error {
			r.end.Messages++
			return r.put(control.Result{ID: m.ID})
		})
		return err
	}
	list, err := r.env.listQueue(ctx, r.queue, r.args.filter, r.args.given)
	if err != nil {
		return err
	}
	n, what := list.Messages(), "deleted"
	if a == control.Retry {
		n, what = n-list.Held(), "tried again"
	}
	_, err = fmt.Fprintf(r.env.Stdout, "dry run: %s would be %s\n", count(n, "message"), what)
	return err
}

// export writes one message to standard output as it would be sent, or each chosen one into a file of its own.
func (r *queueRunner) export(ctx context.Context) error {
	ids := r.args.filter.IDs
	if r.args.folder == "" {
		return r.content(ctx, ids[0])
	}
	if ids == nil {
		_, err := r.queue.List(ctx, r.args.filter, func(m *queueview.Message) error {
			ids = append(ids, m.ID)
			return nil
		})
		if err != nil {
			return err
		}
	}
	var first error
	left := 0
	for _, id := range ids {
		n, err := r.exportTo(ctx, id)
		code := sysexits.Code(err, 0)
		switch {
		case err == nil:
			r.end.Messages++
			r.end.Bytes += n
			continue
		case code == sysexits.NoInput && r.args.filter.IDs == nil: // it left the queue after it was listed
			continue
		case !errors.Is(err, errThere) && code != sysexits.NoInput && code != sysexits.DataErr:
			return fmt.Errorf("%s: %w", id, err) // the others would fare the same
		}
		left++
		first = cmp.Or(first, fmt.Errorf("%s: %w", id, err))
	}
	if left > 1 {
		first = fmt.Errorf("%w (%s in all not exported)", first, count(left, "message"))
	}
	if r.args.json || len(ids) == left && left > 0 {
		return first
	}
	_, err := fmt.Fprintf(r.env.Stdout, "%s exported to %s\n", count(r.end.Messages, "message"), printable.Line(r.args.folder))
	return cmp.Or(err, first)
}

// errThere is the fault of a file that has the name already.
var errThere = errors.New("is there already, and is left as it is")

// exportTo makes a file with the caller's own rights, in place of none that is there.
func (r *queueRunner) exportTo(ctx context.Context, id string) (n int64, err error) {
	c, err := r.queue.Content(ctx, id)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	path := filepath.Join(r.args.folder, id+".eml")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return 0, sysexits.With(sysexits.CantCreat, fmt.Errorf("%s %w", path, errThere))
	}
	if err != nil {
		return 0, sysexits.With(sysexits.CantCreat, err)
	}
	n, err = io.Copy(f, c)
	if err == nil {
		err = durable.System.Sync(f)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(path)
		return 0, sysexits.With(sysexits.Code(err, sysexits.IOErr), err)
	}
	return n, nil
}
