package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"o365-sendmail/internal/printable"
)

// Error is one fault of a configuration file. It never holds a secret.
type Error struct {
	File       string
	Line       int    // 0 when the fault has no line
	Key        string // dotted; "" when it concerns the whole file
	Problem    string
	Expected   string // what would be right
	Suggestion string // the known key that looks like it
	Hint       string // what to do, often a command to type
	Err        error  // the system's error, for errors.Is
	syntax     bool   // the text can't be read as it stands
}

// Error is one line: file:line: key: problem; expected ...; did you mean ...?; hint.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(printable.Line(e.File))
	if e.Line > 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(e.Line))
	}
	b.WriteString(": ")
	if e.Key != "" {
		b.WriteString(printable.Line(e.Key))
		b.WriteString(": ")
	}
	b.WriteString(printable.Line(e.Problem))
	for _, part := range [...]struct{ before, text, after string }{
		{"; expected ", e.Expected, ""},
		{"; did you mean ", e.Suggestion, "?"},
		{"; ", e.Hint, ""},
	} {
		if part.text != "" {
			b.WriteString(part.before)
			b.WriteString(printable.Line(part.text))
			b.WriteString(part.after)
		}
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Errors is every fault that was found in one reading, in the file's order.
type Errors []*Error

// Error is the first fault, and how many more there are.
func (e Errors) Error() string {
	if len(e) == 0 {
		return "no fault"
	}
	if len(e) == 1 {
		return e[0].Error()
	}
	return fmt.Sprintf("%s (and %d more; o365-sendmail config check lists them)", e[0], len(e)-1)
}

// Unwrap gives errors.Is and errors.As each fault.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i := range e {
		all[i] = e[i]
	}
	return all
}

// sort puts faults in the file's order; those without a line come last, as found.
func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b *Error) int {
		switch {
		case a.Line == b.Line && a.Line == 0:
			return 0
		case a.Line == 0:
			return 1
		case b.Line == 0:
			return -1
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
}

// shown quotes a value for an error, shortened.
func shown(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		r := []rune(s)
		s = string(r[:most]) + "..."
	}
	return strconv.Quote(s)
}
