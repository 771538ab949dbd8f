package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Line writes a check as people read it: one line, and one more for the hint.
func (c Check) Line() string {
	line := fmt.Sprintf("%-8s %s: %s\n", c.Status, c.title(), c.Seen)
	if c.Hint != "" {
		line += "         hint: " + c.Hint + "\n"
	}
	return line
}

func (c Check) title() string {
	if c.About != "" {
		return c.Name + " " + c.About
	}
	return c.Name
}

// Printer writes checks as they are made. Those that are skipped for the same reason, one
// after the other, share a line.
type Printer struct {
	w io.Writer
	// Only are the outcomes to print; nil means all.
	Only    []Status
	skipped []string
	why     string
}

// NewPrinter makes a printer.
func NewPrinter(w io.Writer) *Printer { return &Printer{w: w} }

// Add prints a check, or keeps it until the next.
func (p *Printer) Add(c Check) {
	if p.Only != nil && !slices.Contains(p.Only, c.Status) {
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
	io.WriteString(p.w, c.Line())
}

func (p *Printer) flush() {
	if len(p.skipped) > 0 {
		fmt.Fprintf(p.w, "%-8s %s: %s\n", Skipped, strings.Join(p.skipped, ", "), p.why)
		p.skipped = nil
	}
}

// End prints what is left, and the step to do next.
func (p *Printer) End(r *Report) {
	p.flush()
	fmt.Fprintf(p.w, "next: %s\n", r.Next)
}

// Text is the whole report as people read it.
func (r *Report) Text() string {
	var b strings.Builder
	p := NewPrinter(&b)
	for _, c := range r.Checks {
		p.Add(c)
	}
	p.End(r)
	return b.String()
}
