package cli

import (
	"bufio"
	"context"
	"fmt"
	"strconv"

	"o365-sendmail/internal/importer"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
)

// surveyOutcome is what import survey --json prints.
type surveyOutcome struct {
	Schema  int               `json:"schema"`
	Senders []importer.Sender `json:"senders"`
	// Unread are files that this user may not read, or that are too large.
	Unread []string `json:"unread"`
}

// survey prints who sends mail on this host, as its files say. It starts nothing and changes nothing.
func (e *Env) survey(_ context.Context, _ string, o *importFlags) error {
	senders, unread, err := importer.Survey(o.from)
	if err != nil {
		return sysexits.With(sysexits.NoInput, err)
	}
	if o.json {
		printJSON(e.Stdout, surveyOutcome{1, senders, unread})
		return nil
	}
	w := bufio.NewWriter(e.Stdout)
	for _, kind := range importer.Kinds {
		first := true
		for _, s := range senders {
			if s.Kind != kind {
				continue
			}
			if first {
				fmt.Fprintf(w, "%s:\n", kind)
			}
			first = false
			at := s.File
			if s.Line > 0 {
				at += ":" + strconv.Itoa(s.Line)
			}
			fmt.Fprintf(w, "  %s: %s: %s\n", at, s.Name, s.Note)
		}
	}
	for _, f := range unread {
		fmt.Fprintf(w, "not read: %s\n", printable.Line(f))
	}
	if len(senders) == 0 {
		fmt.Fprintln(w, "nothing was found that sends mail")
	}
	return w.Flush()
}
