package cli

import (
	"slices"
	"strconv"
	"strings"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// queueArgs is a parsed command line of o365-sendmail queue.
type queueArgs struct {
	verb             string
	filter           queueview.Filter
	all              bool
	json, help       bool
	headers, message bool
	wait, noWait     bool
	config           string
}

var queueVerbs = [...]string{"list", "show", "retry", "hold", "release", "delete", "flush"}

// parseQueueArgs reads flags and ids in any order. On an error the result says at least
// whether JSON is wanted.
func parseQueueArgs(args []string) (*queueArgs, error) {
	a := &queueArgs{verb: "list", json: slices.Contains(args, "--json")}
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
		return more, nil
	}
	var into *string
	uid := ""
	switch name {
	case "--sender":
		into = &a.filter.Sender
	case "--recipient":
		into = &a.filter.Recipient
	case "--config", "-C":
		into = &a.config
	case "--uid":
		into = &uid
	default:
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
	*into = value
	if into == &uid {
		return more, a.setUID(uid)
	}
	return more, nil
}

func (a *queueArgs) switches() map[string]*bool {
	return map[string]*bool{
		"--json": &a.json, "--failed": &a.filter.Failed, "--held": &a.filter.Held, "--help": &a.help, "-h": &a.help,
		"--headers": &a.headers, "--message": &a.message, "--wait": &a.wait, "--no-wait": &a.noWait,
	}
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
	case shows && a.verb != "show", (a.wait || a.noWait) && a.verb != "flush":
		return cmdline.Usagef("a flag does not belong to queue %s; try o365-sendmail queue help", a.verb)
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
	case "flush":
		if a.filter.Failed || a.filter.Held {
			return cmdline.Usagef("a flush is for the queue alone: retry what was given up, release what is held")
		}
	default:
		if ids == 0 && !a.all {
			return cmdline.Usagef("queue %s needs queue ids, or all", a.verb)
		}
		if ids > 0 && !a.filterIsIDs() {
			return cmdline.Usagef("a filter goes with all, not with ids")
		}
	}
	return sysexits.With(sysexits.Usage, a.filter.Check())
}

// filterIsIDs reports whether nothing but ids is asked for. --failed is not a contradiction: an
// id is looked for everywhere.
func (a *queueArgs) filterIsIDs() bool {
	return a.filter.Sender == "" && a.filter.Recipient == "" && a.filter.UID == nil && !a.filter.Held
}
