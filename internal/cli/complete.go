package cli

import (
	"context"
	"errors"
	stdflag "flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/completion"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/explain"
	"o365-sendmail/internal/history"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

const (
	maxQueueIDs  = 200             // more are of no use to a person
	queueIDsWait = 2 * time.Second // a shell waits for the answer
)

// candidate is a word that may follow, and what it is for.
type candidate struct{ word, about string }

// fileNames has the shell offer names of files.
var fileNames = candidate{word: ":files"}

// completionCommand prints the script of a shell. With "words" it is what these scripts call: it prints what may
// stand in place of the last of the words that follow.
func (e *Env) completionCommand(ctx context.Context, args []string) int {
	if len(args) > 1 && args[0] == "words" {
		for _, c := range e.complete(ctx, args[1:]) {
			fmt.Fprintln(e.Stdout, strings.TrimSuffix(c.word+"\t"+c.about, "\t"))
		}
		return sysexits.OK
	}
	f := newVerbFlags("completion", strings.Join(completion.Shells(), " | "))
	rest, err := f.parse(args, 1)
	if err == nil && (len(rest) == 0 || completion.Script(rest[0]) == "") {
		err = cmdline.Usagef("completion: for which shell? bash, zsh or fish")
	}
	if err != nil {
		return e.failVerb(f, err)
	}
	fmt.Fprint(e.Stdout, completion.Script(rest[0]))
	return sysexits.OK
}

// complete returns what may stand in place of the last word.
func (e *Env) complete(ctx context.Context, words []string) []candidate {
	before, current := words[:len(words)-1], words[len(words)-1]
	var found []candidate
	for _, c := range e.candidates(ctx, before, current) {
		if c == fileNames || strings.HasPrefix(c.word, current) {
			found = append(found, c)
		}
	}
	return found
}

// candidates returns what may follow the words before, some of it with another beginning than the current word.
func (e *Env) candidates(ctx context.Context, before []string, current string) []candidate {
	all := verbs()
	if len(before) == 0 || len(before) == 1 && before[0] == "help" {
		list := make([]candidate, 0, len(all)+1)
		for _, v := range all {
			list = append(list, candidate{v.name, v.about})
		}
		if len(before) == 0 {
			list = append(list, candidate{"help", "say what the commands are, or what one takes"})
		}
		return list
	}
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == before[0] })
	if i < 0 {
		return nil
	}
	flags := e.flagsOf(ctx, all[i])
	if f := flags.Lookup(strings.TrimLeft(before[len(before)-1], "-")); f != nil &&
		strings.HasPrefix(before[len(before)-1], "-") && !isSwitch(f) {
		return flagValues(f, current, "")
	}
	if strings.HasPrefix(current, "-") {
		if name, _, ok := strings.Cut(current, "="); ok {
			if f := flags.Lookup(strings.TrimLeft(name, "-")); f != nil && !isSwitch(f) {
				return flagValues(f, current[len(name)+1:], name+"=")
			}
			return nil
		}
		return flagNames(flags)
	}
	return e.operands(ctx, all[i].name, before[1:])
}

// flagsOf asks a command for its flags, as --help does.
func (e *Env) flagsOf(ctx context.Context, v verb) *stdflag.FlagSet {
	asked := *e
	flags := stdflag.NewFlagSet(v.name, stdflag.ContinueOnError)
	asked.Stdout, asked.Stderr = io.Discard, io.Discard
	asked.onHelp = func(f *verbFlags) { flags = f.FlagSet }
	v.run(&asked, ctx, []string{"--help"})
	return flags
}

// isSwitch reports whether a flag takes no value.
func isSwitch(f *stdflag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

func flagNames(flags *stdflag.FlagSet) []candidate {
	list := []candidate{{"--help", "say what the command takes"}}
	flags.VisitAll(func(f *stdflag.Flag) {
		name := "--" + f.Name
		if len(f.Name) == 1 {
			name = "-" + f.Name
		}
		_, about := stdflag.UnquoteUsage(f)
		list = append(list, candidate{name, strings.Join(strings.Fields(about), " ")})
	})
	return list
}

// flagValues returns the values of a flag by the name that its usage gives them, each behind a prefix. A name that
// stands for a person's own text, such as ADDRESS, has none.
func flagValues(f *stdflag.Flag, current, prefix string) []candidate {
	var list []candidate
	switch kind, _ := stdflag.UnquoteUsage(f); kind {
	case "FILE", "FOLDER":
		return []candidate{fileNames}
	case "WAY":
		list = bare([]string{diagnose.WayAPI, diagnose.WayScoped})
	case "KIND":
		list = keyValues("kind")
	case "STATE":
		list = bare(queueview.States())
	case "STATUS":
		list = bare(history.Statuses[:])
	case "CLOUD":
		list = keyValues("cloud")
	case "KEY=VALUE":
		list = settings(current)
	}
	for i := range list {
		list[i].word = prefix + list[i].word
	}
	return list
}

// bare are candidates that need no explanation.
func bare(list []string) []candidate {
	var all []candidate
	for _, w := range list {
		all = append(all, candidate{word: w})
	}
	return all
}

// settings returns the keys of the configuration, or the values of the key that is already there.
func settings(current string) []candidate {
	if key, _, ok := strings.Cut(current, "="); ok {
		list := keyValues(key)
		for i := range list {
			list[i].word = key + "=" + list[i].word
		}
		return list
	}
	var list []candidate
	for _, k := range config.Keys() {
		if !k.Secret() {
			list = append(list, candidate{word: k.Name + "="})
		}
	}
	return list
}

func keyValues(name string) []candidate {
	for _, k := range config.Keys() {
		switch {
		case k.Name != name:
		case k.Kind == config.KindBool:
			return bare([]string{"false", "true"})
		default:
			return bare(k.Values)
		}
	}
	return nil
}

// subcommands are the commands of the commands that have some.
var subcommands = map[string][]string{
	"queue": queueVerbs[:], "config": {"check", "show"}, "credential": credentialVerbs[:],
	"completion": completion.Shells(), "import": importSources(),
}

// operands returns what may follow a command and is not a flag.
func (e *Env) operands(ctx context.Context, verb string, before []string) []candidate {
	if subs := subcommands[verb]; len(subs) > 0 && len(before) == 0 {
		return bare(subs)
	}
	switch verb {
	case "explain":
		return bare(explain.Keys())
	case "queue":
		return e.queueIDs(ctx, before)
	}
	return nil
}

// queueIDs returns the ids that a queue command can take.
func (e *Env) queueIDs(ctx context.Context, before []string) []candidate {
	ctx, cancel := context.WithTimeout(ctx, queueIDsWait)
	defer cancel()
	asked := *e
	asked.Stderr = io.Discard
	o := &cmdline.Options{}
	for i, word := range before[:len(before)-1] {
		if word == "-C" || word == "--config" {
			o.Config = before[i+1]
		}
	}
	q, err := asked.process("o365-sendmail").OpenQueue(ctx, o, false)
	if err != nil {
		return nil
	}
	defer q.Close()
	filter := queueview.Filter{Failed: slices.Contains(before, "--failed"),
		Held: slices.Contains(before, "--held") || before[0] == "release"}
	var list []candidate
	enough := errors.New("enough")
	_, _ = q.List(ctx, filter, func(m *queueview.Message) error { // what was read until an error is of use
		if !slices.Contains(before, m.ID) {
			list = append(list, candidate{m.ID, "from " + printable.Line(m.Sender)})
		}
		if len(list) == maxQueueIDs {
			return enough
		}
		return nil
	})
	if !slices.Contains([]string{"list", "show", "flush"}, before[0]) && len(before) == 1 {
		list = append(list, candidate{"all", "every message that the filters take"})
	}
	return list
}
