package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/explain"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
)

// explainCommand prints what a code, a reply or a line of the log means: the cause first, then what to do, a
// step or a command on each line.
func (e *Env) explainCommand(_ context.Context, args []string) int {
	var asJSON bool
	f := newVerbFlags("explain", "[--json] CODE | TEXT: "+
		"a number of Entra's (AADSTS7000215), a code of a reply (535, 5.7.139),\n"+
		"a word of the log (sign-in-refused), an exit code (75), or a whole reply or line of the log in quotes")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	args, err := f.parse(args, len(args))
	if err != nil {
		return e.failVerb(f, err)
	}
	text := strings.Join(args, " ")
	if strings.TrimSpace(text) == "" {
		return e.fail("o365-sendmail", cmdline.Usagef("explain what? Name a code, or the server's reply in quotes"))
	}
	found := explain.Explain(text)
	if len(found) == 0 {
		return e.fail("o365-sendmail", sysexits.With(sysexits.Unavailable,
			fmt.Errorf("nothing is known of %q; give the whole reply in quotes, as the log or mailq has it",
				printable.Clean(text))))
	}
	if asJSON {
		printJSON(e.Stdout, struct {
			Schema   int               `json:"schema"`
			Meanings []explain.Meaning `json:"meanings"`
		}{1, found})
		return sysexits.OK
	}
	printMeanings(e.Stdout, found)
	return sysexits.OK
}

func printMeanings(w io.Writer, found []explain.Meaning) {
	if len(found) > 1 {
		fmt.Fprintf(w, "one of %d; the whole reply in quotes tells which:\n\n", len(found))
	}
	for i, m := range found {
		if len(found) > 1 {
			fmt.Fprintf(w, "%d. ", i+1)
		}
		fmt.Fprintf(w, "%s: %s\n", m.Key, m.Cause)
		if m.Effect != "" {
			fmt.Fprintf(w, "   %s\n", m.Effect)
		}
		for _, step := range m.Do {
			fmt.Fprintf(w, "     %s\n", step)
		}
		if i+1 < len(found) {
			fmt.Fprintln(w)
		}
	}
}
