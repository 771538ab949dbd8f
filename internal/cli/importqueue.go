package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/importer"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// queueOutcome is what import --queue --json prints.
type queueOutcome struct {
	Schema   int                `json:"schema"`
	Program  string             `json:"program"`
	Messages []importer.Message `json:"messages"`
	// Counts are the messages by what became of them.
	Counts map[string]int `json:"counts"`
	// Remove is the command that takes away the originals of what is here, "" when nothing is.
	Remove string `json:"remove,omitempty"`
}

// importQueue lists the messages of another mailer's queue, and with --write takes them over. What can't be read is
// told, and exit code 65 says that there was some.
func (e *Env) importQueue(ctx context.Context, program string, o *importFlags) error {
	homes, err := importHomes(o.from, e.UID)
	if err != nil {
		return sysexits.With(sysexits.NoInput, err)
	}
	p := e.process("o365-sendmail")
	cfg, err := p.LoadConfig(&cmdline.Options{Config: o.path})
	if err != nil {
		return err
	}
	if cfg.Spool.Dir == "" {
		return sysexits.With(sysexits.Config, errors.New("there is no queue to take messages into: set spool.dir"))
	}
	out := queueOutcome{Schema: 1, Program: program, Messages: []importer.Message{}, Counts: map[string]int{}}
	w := bufio.NewWriter(e.Stdout)
	q := importer.QueueOptions{Root: o.from, Homes: homes, Stdin: e.Stdin, MaxSize: cfg.Delivery.MaxSize,
		Noted: importer.Noted(cfg.Spool.Dir)}
	q.See = func(m importer.Message) {
		out.Counts[m.Fate]++
		if o.json {
			out.Messages = append(out.Messages, m)
			return
		}
		fmt.Fprintln(w, e.importLine(&m))
	}
	if o.write {
		so := assemble.SpoolOptions(cfg)
		so.Now, so.Warn = e.Now, p.Warn
		var keeper *importer.Keeper
		// The queue's files are the service user's: root writes nothing among them.
		err := p.LendRoot(func() error {
			s, err := spool.Open(so)
			if err == nil {
				keeper, err = importer.OpenKeeper(s, so.Dir, e.Now)
			}
			return err
		})
		if errors.Is(err, os.ErrPermission) {
			err = sysexits.With(sysexits.NoPerm, fmt.Errorf("%w; run sudo o365-sendmail import %s --queue --write", err,
				program))
		}
		if err != nil {
			return err
		}
		defer keeper.Close()
		q.Keep = func(env *envelope.Envelope, msg *rfc822.Message, via string) (isNew bool, err error) {
			lent := p.LendRoot(func() error {
				isNew, err = keeper.Keep(ctx, env, msg, via)
				return nil
			})
			return isNew, errors.Join(lent, err)
		}
	}
	if out.Remove, err = importer.Queue(ctx, program, q); err != nil {
		_ = w.Flush()
		return err
	}
	e.printQueueOutcome(w, &out, o)
	_ = w.Flush()
	if n := out.Counts[importer.Refused]; n > 0 {
		return sysexits.With(sysexits.DataErr, fmt.Errorf("%d of %s's messages can't be taken over; they are where "+
			"they were", n, program))
	}
	return nil
}

func (e *Env) importLine(m *importer.Message) string {
	from := "<" + printable.Line(m.Sender) + ">"
	line := fmt.Sprintf("%s: %s", printable.Line(m.Source), m.Fate)
	if m.QueueID != "" {
		line += " as " + m.QueueID
	}
	if m.Note != "" {
		line += ": " + m.Note
	}
	if len(m.Recipients) == 0 {
		return line
	}
	by := "of an unknown user"
	if m.UID >= 0 {
		by = fmt.Sprintf("of uid %d", m.UID)
	}
	return fmt.Sprintf("%s; from %s to %s, %d bytes, %s old, %s", line, from,
		printable.Line(strings.Join(m.Recipients, ", ")), m.Bytes, e.Now().Sub(m.Arrived).Round(time.Minute), by)
}

func (e *Env) printQueueOutcome(w *bufio.Writer, out *queueOutcome, o *importFlags) {
	if o.json {
		printJSON(w, out)
		return
	}
	n := out.Counts
	fmt.Fprintf(w, "\n%s: %d taken over, %d were here already, %d wait, %d refused. Its own files are as they were.\n",
		out.Program, n[importer.Kept], n[importer.Before], n[importer.Waits], n[importer.Refused])
	switch {
	case n[importer.Waits] > 0:
		fmt.Fprint(w, host.Hint("To take them over: sudo o365-sendmail import "+out.Program+" --queue --write\n", e.UID))
	case out.Remove != "":
		fmt.Fprintf(w, "Their time in this queue begins now; mailq shows it. When they have left, or before the other "+
			"program starts\nagain, remove the originals:\n%s\n", out.Remove)
	}
}
