package cli

import (
	"errors"
	stdflag "flag"
	"fmt"
	"io"
	"regexp"
	"strings"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/sysexits"
)

// verbFlags are the flags of one of the administrator's commands: --name or -name, before
// or after the arguments.
type verbFlags struct {
	*stdflag.FlagSet
	usage string
}

func newVerbFlags(verb, usage string) *verbFlags {
	f := &verbFlags{stdflag.NewFlagSet(verb, stdflag.ContinueOnError), usage}
	f.SetOutput(io.Discard)
	return f
}

// errHelp asks for the usage text, which is not an error.
var errHelp = errors.New("help")

// parse returns the arguments that are not flags; most is how many there may be.
func (f *verbFlags) parse(args []string, most int) ([]string, error) {
	var rest []string
	for {
		if err := f.Parse(args); errors.Is(err, stdflag.ErrHelp) {
			return nil, errHelp
		} else if err != nil {
			return nil, cmdline.Usagef("%s: %s; o365-sendmail %s --help lists the flags", f.Name(), f.fault(err), f.Name())
		}
		if args = f.Args(); len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	if len(rest) > most {
		return nil, cmdline.Usagef("%s: unexpected argument %.64q; o365-sendmail %s --help lists the flags", f.Name(),
			rest[most], f.Name())
	}
	return rest, nil
}

// fault is a fault of package flag in the words that flags are documented in.
func (f *verbFlags) fault(err error) string {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		var all []string
		f.VisitAll(func(fl *stdflag.Flag) { all = append(all, "--"+fl.Name) })
		name = "--" + strings.TrimPrefix(name, "-")
		return fmt.Sprintf("unknown flag %.64q%s", name, didYouMean(name, all))
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: -"); ok {
		return "--" + name + " needs a value"
	}
	invalid := regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-(\S+): `)
	if m := invalid.FindStringSubmatch(err.Error()); m != nil {
		_, usage := stdflag.UnquoteUsage(f.Lookup(m[2]))
		usage, _, _ = strings.Cut(usage, "\n")
		return fmt.Sprintf("--%s does not take %.64s (%s)", m[2], m[1], strings.TrimSuffix(usage, ":"))
	}
	return err.Error()
}

// help is what --help prints.
func (f *verbFlags) help(w io.Writer) {
	fmt.Fprintf(w, "usage: o365-sendmail %s %s\n", f.Name(), f.usage)
	f.VisitAll(func(fl *stdflag.Flag) {
		arg, text := stdflag.UnquoteUsage(fl)
		name := "--" + fl.Name
		if len(fl.Name) == 1 {
			name = "-" + fl.Name
		}
		fmt.Fprintf(w, "  %-26s %s\n", strings.TrimSpace(name+" "+arg), text)
	})
}

// failVerb prints what was wrong with the flags, or the help that was asked for.
func (e *Env) failVerb(f *verbFlags, err error) int {
	if errors.Is(err, errHelp) {
		if e.onHelp != nil {
			e.onHelp(f)
			return sysexits.OK
		}
		f.help(e.Stdout)
		return sysexits.OK
	}
	return e.fail("o365-sendmail", err)
}
