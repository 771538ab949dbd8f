package doctor

import (
	"fmt"
	"strings"
)

// Line writes a check as people read it: one line, and one more for the hint.
func (c Check) Line() string {
	name := c.Name
	if c.About != "" {
		name += " " + c.About
	}
	line := fmt.Sprintf("%-8s %s: %s\n", c.Status, name, c.Seen)
	if c.Hint != "" {
		line += "         hint: " + c.Hint + "\n"
	}
	return line
}

// Text is the whole report as people read it.
func (r *Report) Text() string {
	var b strings.Builder
	for _, c := range r.Checks {
		b.WriteString(c.Line())
	}
	b.WriteString(r.Last())
	return b.String()
}

// Last is the last line of the text.
func (r *Report) Last() string { return "next: " + r.Next + "\n" }
