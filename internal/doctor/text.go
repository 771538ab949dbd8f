package doctor

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"o365-sendmail/internal/explain"
	"o365-sendmail/internal/printable"
)

// Line writes a check as people read it: one line, and below it the hint, a step or command a line.
func (c Check) Line() string { return c.format(&Printer{Verbose: true}) }

// indent is where the text of a check begins.
const indent = "         "

func (c Check) format(p *Printer) string {
	seen := c.Seen
	if !p.Verbose {
		seen = printable.Cut(seen, maxSeen)
	}
	line := p.paint(c.Status) + p.wrap(c.title()+": "+seen) + "\n"
	if c.Hint == "" {
		return line
	}
	steps := hintLines(c.Hint)
	if len(steps) == 1 {
		return line + indent + p.wrap("hint: "+steps[0]) + "\n"
	}
	line += indent + "hint:\n"
	for _, s := range steps {
		line += indent + p.wrap("  "+s) + "\n"
	}
	return line
}

// maxSeen is where what was seen is cut, in bytes: a server's words come last in it.
const maxSeen = 400

// hintLines takes a hint apart: a step or a command a line. Where some hold in one case only, all are numbered.
func hintLines(hint string) []string {
	steps := explain.Steps(hint)
	var alternatives [][]string
	for _, s := range steps {
		if alternatives == nil || isAlternative(s) {
			alternatives = append(alternatives, nil)
		}
		last := len(alternatives) - 1
		alternatives[last] = append(alternatives[last], s)
	}
	if len(alternatives) < 2 {
		return steps
	}
	var lines []string
	for i, a := range alternatives {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, a[0]))
		for _, s := range a[1:] {
			lines = append(lines, "   "+s)
		}
	}
	return lines
}

// isAlternative reports whether a step of a hint holds in another case than the steps before.
func isAlternative(step string) bool {
	first, _, _ := strings.Cut(step, " ")
	return first == "if" || first == "or" || first == "else" || strings.HasPrefix(step, "with the ")
}

func (c Check) title() string {
	if c.About != "" {
		return c.Name + " " + c.About
	}
	return c.Name
}

// Printer writes checks as they are made: those that are not well, and at the end how many others there are. A
// message that was sent is what was asked for, and shown.
type Printer struct {
	w io.Writer
	// Verbose prints all checks, uncut. Those that are skipped for the same reason, one after the other, share a line.
	Verbose bool
	// Quiet leaves out the count, too.
	Quiet bool
	// Width is that of the terminal, in columns; 0 wraps nothing. A command is never wrapped.
	Width int
	// Color paints the outcomes.
	Color     bool
	skipped   []string
	why       string
	ok, unmet int
	hints     map[string]string // the check that each printed hint is of
}

// NewPrinter makes a printer.
func NewPrinter(w io.Writer) *Printer { return &Printer{w: w, hints: map[string]string{}} }

// Add prints a check, or keeps it until the next.
func (p *Printer) Add(c Check) {
	if !p.shows(&c) {
		return
	}
	if c.Status == Skipped && (len(p.skipped) == 0 || c.Seen == p.why) {
		p.skipped, p.why = append(p.skipped, c.title()), c.Seen
		return
	}
	p.flush()
	if c.Status == Skipped {
		p.skipped, p.why = []string{c.title()}, c.Seen
		return
	}
	if _, before := p.hints[c.Hint]; !before {
		p.hints[c.Hint] = c.title()
	}
	io.WriteString(p.w, c.format(p))
}

// shows reports whether a check is printed, and counts it if not.
func (p *Printer) shows(c *Check) bool {
	switch {
	case p.Verbose, c.Status == Warning, c.Status == Failed:
		return true
	case c.Status == Skipped && c.Name == "configuration": // a user's doctor says what it can't look at
		return true
	case c.Status == OK && c.Name == "message" && !p.Quiet:
		return true
	case c.Status == OK:
		p.ok++
	default:
		p.unmet++
	}
	return false
}

func (p *Printer) flush() {
	if len(p.skipped) > 0 {
		io.WriteString(p.w, p.paint(Skipped)+p.wrap(strings.Join(p.skipped, ", ")+": "+p.why)+"\n")
		p.skipped = nil
	}
}

// End prints what is left, and the step to do next.
func (p *Printer) End(r *Report) {
	p.flush()
	if !p.Verbose && !p.Quiet {
		fmt.Fprintf(p.w, "%d more ok, %d skipped: --verbose shows them\n", p.ok, p.unmet)
	}
	next := r.Next
	if of := p.hints[next]; of != "" && len(next) > maxAgain {
		next = "fix " + of + ": its hint stands above"
	}
	io.WriteString(p.w, p.wrap("next: "+next)+"\n")
}

// maxAgain is how long a hint may be that is said a second time as the next step, in bytes.
const maxAgain = 80

// paint writes an outcome in its column.
func (p *Printer) paint(s Status) string {
	text := fmt.Sprintf("%-8s ", s)
	if !p.Color {
		return text
	}
	color := map[Status]string{OK: "32", Warning: "33", Failed: "31"}[s]
	return "\x1b[" + cmp.Or(color, "2") + "m" + text + "\x1b[0m"
}

// wrap breaks a text between words, to stand behind the outcome. A command stays whole, so that it can be copied.
func (p *Printer) wrap(text string) string {
	return printable.Wrap(text, p.Width-len(indent)-1, indent)
}

// Text is the whole report as people read it.
func (r *Report) Text() string {
	var b strings.Builder
	p := NewPrinter(&b)
	p.Verbose = true
	for _, c := range r.Checks {
		p.Add(c)
	}
	p.End(r)
	return b.String()
}
