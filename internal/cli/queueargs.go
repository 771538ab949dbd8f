package cli

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// queueArgs is a parsed command line of o365-sendmail queue.
type queueArgs struct {
	verb             string
	filter           queueview.Filter
	all              bool
	json, help       bool
	headers, message bool
	wait, noWait     bool
	dryRun           bool
	fleet            bool
	to               []string // of redirect
	folder           string   // of export
	config           string
	given            []string         // the filters as they were given
	now              func() time.Time // that ages are counted from
}

var queueVerbs = [...]string{"list", "show", "watch", "retry", "hold", "release", "delete", "redirect", "export",
	"flush"}

// parseQueueArgs reads flags and ids in any order. On an error the result says at least
// whether JSON is wanted.
func parseQueueArgs(args []string, now func() time.Time) (*queueArgs, error) {
	a := &queueArgs{verb: "list", json: slices.Contains(args, "--json"), now: now}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") && !spool.ValidID(args[0]) {
		if a.verb = args[0]; a.verb == "help" {
			a.help = true
			return a, nil
		}
		if !slices.Contains(queueVerbs[:], a.verb) {
			return a, cmdline.Usagef("queue has no command %.64q%s; it has %s", a.verb,
				didYouMean(a.verb, queueVerbs[:]), strings.Join(queueVerbs[:], ", "))
		}
		args = args[1:]
	}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if !strings.HasPrefix(word, "-") {
			if err := a.operand(word); err != nil {
				return a, err
			}
			continue
		}
		rest, err := a.flag(word, args)
		if err != nil {
			return a, err
		}
		args = rest
	}
	return a, a.check()
}

func (a *queueArgs) operand(word string) error {
	switch {
	case word == "all":
		a.all = true
	case spool.ValidID(word):
		a.filter.IDs = append(a.filter.IDs, word)
	default:
		return cmdline.Usagef("%.64q is not a queue id; mailq shows them", word)
	}
	return nil
}

// flag reads one flag; more is what stands after it.
func (a *queueArgs) flag(word string, more []string) ([]string, error) {
	name, value, attached := strings.Cut(word, "=")
	if set := a.switches()[name]; set != nil {
		if attached {
			return nil, cmdline.Usagef("%s takes no value", name)
		}
		*set = true
		if name == "--held" {
			a.given = append(a.given, name)
		}
		return more, nil
	}
	set := a.values()[name]
	if set == nil {
		return nil, cmdline.Usagef("unknown flag %.64q; try o365-sendmail queue help", word)
	}
	if !attached {
		if len(more) == 0 {
			return nil, cmdline.Usagef("%s needs a value", name)
		}
		value, more = more[0], more[1:]
	}
	if value == "" {
		// An empty variable in a script must not choose everything.
		return nil, cmdline.Usagef("%s needs a value that is not empty", name)
	}
	if !slices.Contains([]string{"--config", "-C", "--to", "--folder"}, name) {
		a.given = append(a.given, name+" "+value)
	}
	return more, set(value)
}

// values are the flags that have a value.
func (a *queueArgs) values() map[string]func(string) error {
	f := &a.filter
	text := func(into *string) func(string) error {
		return func(s string) error { *into = s; return nil }
	}
	address := func(into *string) func(string) error {
		return func(s string) error { *into = intake.ASCIIPattern(s); return nil }
	}
	number := func(name, example string, into **int64, read func(string) (int64, bool)) func(string) error {
		return func(s string) error {
			n, ok := read(s)
			if !ok {
				return cmdline.Usagef("%s %.64q: expected a value such as %s", name, s, example)
			}
			*into = &n
			return nil
		}
	}
	at := func(name string, into *time.Time, from time.Duration) func(string) error {
		return func(s string) error {
			d, ok := config.ParseDuration(s)
			if !ok {
				return cmdline.Usagef("%s %.64q: expected a time such as 90s, 2h or 3d", name, s)
			}
			*into = a.now().Add(from * d)
			return nil
		}
	}
	return map[string]func(string) error{
		"--sender": address(&f.Sender), "--recipient": address(&f.Recipient), "--domain": a.setDomain,
		"--reason": text(&f.Reason), "--state": text(&f.State), "--code": text(&f.Code),
		"--to": a.addTo, "--folder": text(&a.folder), "--uid": a.setUID, "--config": text(&a.config), "-C": text(&a.config),
		"--older": at("--older", &f.Before, -1), "--newer": at("--newer", &f.After, -1), "--due": at("--due", &f.Due, 1),
		"--min-size":  number("--min-size", "100KB or 2MiB", &f.MinSize, size),
		"--max-size":  number("--max-size", "100KB or 2MiB", &f.MaxSize, size),
		"--min-tries": number("--min-tries", "3", &f.MinTries, whole),
		"--max-tries": number("--max-tries", "3", &f.MaxTries, whole),
	}
}

// setDomain takes a domain as it is written, also after an @ and with letters beyond ASCII.
func (a *queueArgs) setDomain(s string) error {
	a.filter.Domain = intake.ASCIIPattern("@" + strings.TrimPrefix(s, "@"))[1:]
	return nil
}

func whole(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0
}

// size reads a number of bytes, with a unit or without.
func size(s string) (int64, bool) {
	if n, ok := whole(s); ok {
		return n, true
	}
	return config.ParseSize(s)
}

func (a *queueArgs) switches() map[string]*bool {
	return map[string]*bool{
		"--json": &a.json, "--failed": &a.filter.Failed, "--held": &a.filter.Held, "--help": &a.help, "-h": &a.help,
		"--headers": &a.headers, "--message": &a.message, "--wait": &a.wait, "--no-wait": &a.noWait,
		"--dry-run": &a.dryRun, "--fleet": &a.fleet,
	}
}

func (a *queueArgs) addTo(s string) error {
	address, err := rfc822.ParseAddress(s)
	if err != nil || address.Domain == "" {
		return cmdline.Usagef("--to %.128q: expected an address such as someone@example.org", s)
	}
	ascii, err := intake.ASCIIAddress(address.Addr())
	a.to = append(a.to, ascii)
	return err
}

func (a *queueArgs) setUID(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		u, ok := host.UserByName(s)
		if !ok {
			return cmdline.Usagef("--uid %.64q: there is no such user", s)
		}
		n = u.UID
	}
	a.filter.UID = &n
	return nil
}

// check refuses what can't be meant. Nothing is changed or deleted unless ids or "all"
// are given.
func (a *queueArgs) check() error {
	if a.help {
		return nil
	}
	ids := len(a.filter.IDs)
	shows := a.headers || a.message
	switch {
	case a.all && ids > 0:
		return cmdline.Usagef("give ids or all, not both")
	case shows && a.verb != "show", (a.wait || a.noWait) && a.verb != "flush", len(a.to) > 0 && a.verb != "redirect",
		a.folder != "" && a.verb != "export", a.dryRun && !slices.Contains([]string{"retry", "delete", "redirect"}, a.verb):
		return cmdline.Usagef("a flag does not belong to queue %s; try o365-sendmail queue help", a.verb)
	case a.fleet && (shows || !slices.Contains(fleetVerbs, a.verb)):
		return cmdline.Usagef("--fleet goes with queue %s; the rest is done on the host itself",
			strings.Join(fleetVerbs, ", "))
	case a.headers && a.message, a.wait && a.noWait:
		return cmdline.Usagef("two flags contradict each other; try o365-sendmail queue help")
	case shows && a.json:
		return cmdline.Usagef("--json does not go with --headers or --message")
	}
	switch a.verb {
	case "list":
	case "show":
		if ids != 1 {
			return cmdline.Usagef("queue show needs one queue id")
		}
	case "watch":
		if ids > 0 || a.all || a.filter.Failed || a.json {
			return cmdline.Usagef("queue watch takes filters, and neither ids nor --failed nor --json")
		}
	case "redirect":
		if ids != 1 || len(a.to) == 0 || len(a.given) > 0 || a.filter.Failed {
			return cmdline.Usagef("queue redirect needs one queue id and --to with an address")
		}
	case "export":
		if ids+len(a.given) == 0 && !a.all || ids > 0 && len(a.given) > 0 {
			return cmdline.Usagef("queue export needs queue ids, or all and filters")
		}
		if a.folder == "" && ids != 1 {
			return cmdline.Usagef("queue export needs one queue id, or --folder")
		}
		if a.folder == "" && a.json {
			return cmdline.Usagef("--json goes with --folder: without it the message is what is written")
		}
	case "flush":
		if a.filter.Failed || a.filter.Held {
			return cmdline.Usagef("a flush is for the queue alone: retry what was given up, release what is held")
		}
		if !a.filter.Plain() {
			return cmdline.Usagef("a flush chooses by ids, --sender, --recipient and --uid; retry takes every filter")
		}
	default:
		if ids == 0 && !a.all {
			return cmdline.Usagef("queue %s needs queue ids, or all", a.verb)
		}
		if ids > 0 && len(a.given) > 0 {
			return cmdline.Usagef("a filter goes with all, not with ids")
		}
	}
	return sysexits.With(sysexits.Usage, a.filter.Check())
}
