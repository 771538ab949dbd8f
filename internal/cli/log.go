package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	stdflag "flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/history"
	"o365-sendmail/internal/historyview"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/sysexits"
)

// logArgs is a parsed command line of o365-sendmail log.
type logArgs struct {
	filter       history.Filter
	since, until string
	uid, config  string
	follow, json bool
}

func (a *logArgs) flags() *verbFlags {
	f := newVerbFlags("log", "[--follow] [FILTER ...] [ID ...]\n"+
		"what became of the mail of the last weeks; without a filter, of the last 24 hours")
	f.StringVar(&a.filter.Recipient, "recipient", "", "the recipient's address has `TEXT` in it")
	f.StringVar(&a.filter.Sender, "sender", "", "the sender's address has `TEXT` in it")
	f.StringVar(&a.filter.MessageID, "message-id", "", "the Message-ID has `TEXT` in it")
	f.StringVar(&a.filter.Status, "status", "", "this `STATUS` alone: "+strings.Join(history.Statuses[:], ", "))
	f.StringVar(&a.uid, "uid", "", "the local `USER` who sent it, by name or number")
	f.StringVar(&a.since, "since", "", "not before `TIME` (UTC): "+timeExamples)
	f.StringVar(&a.until, "until", "", "before `TIME`")
	f.BoolVar(&a.follow, "follow", false, "go on with what comes")
	f.BoolVar(&a.json, "json", false, "one JSON object a line; the last has the exit code")
	configFlag(f.FlagSet, &a.config)
	return f
}

// configFlag is --config, and -C as sendmail has it.
func configFlag(f *stdflag.FlagSet, path *string) {
	f.StringVar(path, "config", "", "another configuration `FILE`")
	f.StringVar(path, "C", "", "the same as --config `FILE`")
}

// parse completes the filter.
func (a *logArgs) parse(args []string, clock func() time.Time) (err error) {
	f := a.flags()
	if a.filter.IDs, err = f.parse(args, len(args)); err != nil {
		return err
	}
	f.Visit(func(fl *stdflag.Flag) {
		if fl.Value.String() == "" { // an empty variable in a script must not choose everything
			err = cmdline.Usagef("--%s needs a value that is not empty", fl.Name)
		}
	})
	if err != nil {
		return err
	}
	now := clock()
	a.filter.MessageID = strings.Trim(a.filter.MessageID, "<>")
	a.filter.Sender, a.filter.Recipient = intake.ASCIIPattern(a.filter.Sender), intake.ASCIIPattern(a.filter.Recipient)
	if a.filter.UID, err = userFlag(a.uid); err != nil {
		return err
	}
	if a.filter.Since, err = timeFlag("since", a.since, now); err != nil {
		return err
	}
	if a.filter.Until, err = timeFlag("until", a.until, now); err != nil {
		return err
	}
	if a.filter.Zero() && !a.follow {
		a.filter.Since = now.Add(-24 * time.Hour)
	}
	return sysexits.With(sysexits.Usage, a.filter.Check())
}

// userFlag is the user of a flag --uid; nil for none.
func userFlag(name string) (*int, error) {
	if name == "" {
		return nil, nil
	}
	a := new(queueArgs)
	return a.filter.UID, a.setUID(name)
}

const timeExamples = "2026-12-31, \"2026-12-31 14:00\", today, yesterday, or 3h or 7d ago"

// timeFlag reads a time of a flag; "" is the zero time.
func timeFlag(name, text string, now time.Time) (time.Time, error) {
	now = now.UTC()
	today := now.Truncate(24 * time.Hour)
	switch text {
	case "":
		return time.Time{}, nil
	case "today":
		return today, nil
	case "yesterday":
		return today.AddDate(0, 0, -1), nil
	}
	for _, layout := range [...]string{time.RFC3339, time.DateOnly, time.DateTime, "2006-01-02 15:04",
		"2006-01-02T15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil { // more would lead to before the year 1
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, cmdline.Usagef("--%s %.64q: not a time; say %s", name, text, timeExamples)
}

// logCommand is o365-sendmail log.
func (e *Env) logCommand(ctx context.Context, args []string) int {
	const name = "o365-sendmail"
	a := new(logArgs)
	if err := a.parse(args, e.Now); err != nil {
		if errors.Is(err, errHelp) || !a.json {
			return e.failVerb(a.flags(), err)
		}
		return e.endJSON(exitInfo{Code: exitCode(err), Error: text(err)})
	}
	h, err := e.process(name).OpenHistory(ctx, &cmdline.Options{Config: a.config})
	var end exitInfo
	if err == nil {
		defer h.Close()
		var damaged int
		show, flush := e.logPrinter(a)
		names := map[int]string{-1: ""}
		damaged, err = h.Log(ctx, a.filter, a.follow, func(entry *history.Entry) error {
			end.Messages++
			if _, known := names[entry.UID]; !known {
				names[entry.UID] = host.UserByID(entry.UID).Name
			}
			entry.User = names[entry.UID]
			err := show(entry)
			if a.follow {
				err = cmp.Or(err, flush())
			}
			return err
		})
		err = errors.Join(err, flush())
		if damaged > 0 {
			e.warnf(name, "%s of the history can't be read", count(damaged, "line"))
		}
	}
	switch {
	case isReaderGone(err):
		return sysexits.OK
	case a.json:
		end.Code, end.Error = exitCode(err), text(err)
		return e.endJSON(end)
	case err != nil:
		return e.fail(name, err)
	case end.Messages == 0 && !a.follow:
		fmt.Fprintln(e.Stdout, "Nothing found. What waits is in mailq; what the history keeps, history.days says.")
	}
	return sysexits.OK
}

// logPrinter returns what writes an entry.
func (e *Env) logPrinter(a *logArgs) (show func(*history.Entry) error, flush func() error) {
	if a.json {
		out := newJSONLines(e.Stdout)
		return func(entry *history.Entry) error { return out.put(entry) }, out.flush
	}
	w := bufio.NewWriterSize(e.Stdout, 32<<10)
	return func(entry *history.Entry) error { return historyview.Line(w, entry) }, w.Flush
}

// endJSON writes the last line of JSON, and returns its exit code.
func (e *Env) endJSON(end exitInfo) int {
	out := newJSONLines(e.Stdout)
	end.Schema = historySchema
	_ = errors.Join(out.put(exitLine{end}), out.flush())
	return end.Code
}
