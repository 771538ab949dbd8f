package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

const queueUsage = `[list] [--failed] [--held] [--fleet] [FILTER ...] [ID ...]
       o365-sendmail queue show [--headers | --message] ID
       o365-sendmail queue watch [FILTER ...]
       o365-sendmail queue retry | hold | release | delete [--failed] [FILTER ...] [--dry-run] ID ... | all
       o365-sendmail queue redirect [--dry-run] ID --to ADDRESS ...
       o365-sendmail queue export ID
       o365-sendmail queue export --folder FOLDER [--failed] [FILTER ...] ID ... | all
       o365-sendmail queue flush [--wait | --no-wait] [FILTER ...] [ID ...]
`

// queueFlags are the flags of queue, for its help and for completion; parseQueueArgs reads them.
func queueFlags() *verbFlags {
	f := newVerbFlags("queue", queueUsage)
	f.Bool("failed", false, "what was given up, instead of the queue")
	f.Bool("held", false, "only what an administrator holds back")
	f.String("sender", "", "the sender's address has `TEXT` in it")
	f.String("recipient", "", "a recipient's address has `TEXT` in it")
	f.String("domain", "", "a recipient's domain is `DOMAIN`")
	f.String("uid", "", "the local `USER` who sent it, by name or number")
	f.String("older", "", "it has waited for `TIME` or longer, such as 90s, 2h or 3d")
	f.String("newer", "", "it has waited for less than `TIME`")
	f.String("due", "", "the next try comes within `TIME`")
	f.String("min-size", "", "it has `SIZE` or more, such as 20000, 100KB or 2MiB")
	f.String("max-size", "", "it has `SIZE` or less")
	f.String("min-tries", "", "`N` tries of it or more failed")
	f.String("max-tries", "", "`N` tries of it or fewer failed")
	f.String("state", "", "its `STATE` is "+strings.Join(queueview.States(), ", "))
	f.String("reason", "", "the reason for which it waits has `TEXT` in it")
	f.String("code", "", "it was answered with `CODE`, such as 451, 4.7.0 or AADSTS7000222")
	f.Bool("fleet", false, "on all hosts of the fleet, with list, show, retry, hold, release and delete")
	f.Bool("headers", false, "with show: the message's header")
	f.Bool("message", false, "with show: the whole message")
	f.String("to", "", "with redirect: an `ADDRESS` to send it to; may be given again")
	f.String("folder", "", "with export: where the files ID.eml are made, a `FOLDER`")
	f.Bool("dry-run", false, "with retry, delete and redirect: only say what would be done")
	f.Bool("wait", false, "with flush: wait until all have been tried, as on a terminal")
	f.Bool("no-wait", false, "with flush: do not wait")
	f.Bool("json", false, "one JSON object a line; the last has the exit code")
	f.String("config", "", "another configuration `FILE`")
	f.String("C", "", "the same as --config `FILE`")
	return f
}

// queueCommand is o365-sendmail queue.
func (e *Env) queueCommand(ctx context.Context, args []string) int {
	return e.queueAs(ctx, "o365-sendmail", args)
}

// queueAs is queueCommand for a program of any name.
func (e *Env) queueAs(ctx context.Context, name string, args []string) int {
	a, err := parseQueueArgs(args, e.Now)
	if err == nil && a.help {
		return e.failVerb(queueFlags(), errHelp)
	}
	if err == nil && name != "o365-sendmail" {
		err = e.admit(&cmdline.Options{Config: a.config})
	}
	var q control.Queue
	if err == nil {
		p := e.process(name)
		p.KeepRoot = a.verb == "export"
		q, err = p.OpenQueue(ctx, &cmdline.Options{Config: a.config}, a.verb == "flush")
	}
	r := &queueRunner{env: e, args: a, queue: q}
	if err == nil {
		defer q.Close()
		err = r.run(ctx)
	}
	if isReaderGone(err) {
		return sysexits.OK
	}
	code := exitCode(err)
	if a.json {
		r.end.Code, r.end.Error, r.end.Schema = code, text(err), 1
		r.put(exitLine{r.end})
		return code
	}
	if err != nil && !errors.Is(err, errTold) {
		return e.fail(name, err)
	}
	return code
}

// errTold is an error that was printed for each message by itself.
var errTold = errors.New("some messages could not be changed")

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// exitLine is the last line of JSON.
type exitLine struct {
	Exit exitInfo `json:"exit"`
}

type exitInfo struct {
	Code     int    `json:"code"`
	Error    string `json:"error,omitempty"`
	Messages int    `json:"messages"`
	Bytes    int64  `json:"bytes,omitempty"`
	Of       int    `json:"of,omitempty"` // messages, those that the filters did not choose with them
	Schema   int    `json:"schema"`       // 1 as long as no field changes its meaning
}

// queueRunner carries out one queue command.
type queueRunner struct {
	env   *Env
	args  *queueArgs
	queue control.Queue
	host  string // whose queue it is, of a fleet's hosts; "" without --fleet
	end   exitInfo
}

// put writes one line of JSON.
func (r *queueRunner) put(v any) error {
	out := newJSONLines(r.env.Stdout)
	return errors.Join(out.put(v), out.flush())
}

func (r *queueRunner) run(ctx context.Context) error {
	if r.args.fleet {
		return r.runInFleet(ctx)
	}
	return r.here(ctx)
}

// here carries the command out at one queue.
func (r *queueRunner) here(ctx context.Context) error {
	switch r.args.verb {
	case "list":
		if r.args.json {
			return r.listJSON(ctx)
		}
		_, err := r.env.listQueue(ctx, r.queue, r.args.filter, r.args.given)
		return err
	case "show":
		return r.show(ctx, r.args.filter.IDs[0])
	case "flush":
		return r.flush(ctx)
	case "redirect":
		return r.redirect(ctx, r.args.filter.IDs[0])
	case "export":
		return r.export(ctx)
	case "watch":
		return r.watch(ctx)
	}
	if r.args.dryRun {
		return r.wouldApply(ctx, control.Action(r.args.verb))
	}
	return r.apply(ctx, control.Action(r.args.verb))
}

func (r *queueRunner) listJSON(ctx context.Context) error {
	x, err := explainer(ctx, r.queue, r.env.Now)
	if err != nil {
		return err
	}
	out := newJSONLines(r.env.Stdout)
	of, err := r.queue.List(ctx, r.args.filter, func(m *queueview.Message) error {
		m.Waiting, m.Host = x.Waiting(m), r.host
		r.end.Messages++
		r.end.Bytes += m.Size
		return out.put(m)
	})
	r.end.Of += of
	return errors.Join(err, out.flush())
}

// maxHeader is how much of a header is shown, in bytes.
const maxHeader = 32 << 10

func (r *queueRunner) show(ctx context.Context, id string) error {
	if r.args.headers || r.args.message {
		return r.content(ctx, id)
	}
	d, err := r.queue.Show(ctx, id)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	if c, err := r.queue.Content(ctx, id); err == nil { // a damaged message has none
		b, _ := io.ReadAll(io.LimitReader(queueview.Headers(c), maxHeader))
		d.Header = string(b)
		_ = c.Close()
	}
	x, err := explainer(ctx, r.queue, r.env.Now)
	if err != nil {
		return err
	}
	if r.args.json {
		d.Waiting, d.Host = x.Waiting(&d.Message), r.host
		r.end.Messages, r.end.Bytes = 1, d.Size
		return r.put(d)
	}
	return queueview.Page(r.env.Stdout, d, x, func(uid int) string { return host.UserByID(uid).Name })
}

// content writes the bytes as they are, but to a terminal none that could steer it.
func (r *queueRunner) content(ctx context.Context, id string) error {
	c, err := r.queue.Content(ctx, id)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	defer c.Close()
	var in io.Reader = c
	if r.args.headers {
		in = queueview.Headers(c)
	}
	if isTerminal(r.env.Stdout) {
		return queueview.Text(r.env.Stdout, in)
	}
	_, err = io.Copy(r.env.Stdout, in)
	return err
}

func (r *queueRunner) apply(ctx context.Context, a control.Action) error {
	var failed error
	err := r.queue.Apply(ctx, a, r.args.filter, func(res control.Result) error {
		if res.Code == 0 {
			r.end.Messages++
		} else if failed == nil {
			failed = sysexits.With(res.Code, errTold)
		}
		if r.args.json {
			return r.put(res)
		}
		if res.Code != 0 {
			r.env.errorf("o365-sendmail", "%s: %s", res.ID, res.Error)
		}
		return nil
	})
	if !r.args.json && (err == nil && failed == nil || r.end.Messages > 0) {
		fmt.Fprintf(r.env.Stdout, "%s %s\n", count(r.end.Messages, "message"), past(a))
	}
	if err != nil {
		return err
	}
	return failed
}

func past(a control.Action) string {
	switch a {
	case control.Retry:
		return "to be tried again now"
	case control.Hold:
		return "held"
	case control.Release:
		return "released"
	}
	return "deleted"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (r *queueRunner) flush(ctx context.Context) error {
	terminal := isTerminal(r.env.Stderr)
	wait := r.args.wait || terminal && !r.args.noWait
	var line *progressLine
	if terminal && !r.args.json {
		line = &progressLine{w: r.env.Stderr}
	}
	res, err := flushAndWait(ctx, r.queue, r.args.filter, wait, line)
	r.end.Messages = res.Messages
	if r.args.json {
		return errors.Join(err, r.put(res))
	}
	if err != nil {
		return err
	}
	for _, note := range res.Notes {
		fmt.Fprintln(r.env.Stdout, printable.Clean(note))
	}
	if !res.Waited {
		when := "now"
		if len(res.Notes) > 0 {
			when = "as far as that allows"
		}
		fmt.Fprintf(r.env.Stdout, "%s to be tried %s\n", count(res.Messages, "message"), when)
		return nil
	}
	fmt.Fprintf(r.env.Stdout, "%s tried: %s\n", count(res.Messages, "message"), flushWords(res.Sent, res.Deferred, res.Bounced, 0))
	x, err := explainer(ctx, r.queue, r.env.Now)
	if err != nil {
		return err
	}
	for _, note := range x.Notes() {
		fmt.Fprintln(r.env.Stdout, note)
	}
	return nil
}

// isTerminal reports whether a person sees what is written.
func isTerminal(w io.Writer) bool {
	switch f := w.(type) {
	case interface{ Terminal() bool }:
		return f.Terminal()
	case *os.File:
		return ttyFile(f)
	}
	return false
}
