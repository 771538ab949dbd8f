package doctor

import (
	"strings"
	"time"

	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
)

// Status is a check's outcome.
type Status string

// The outcomes. Skipped is for a check that was not made, and says why.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "error"
	Skipped Status = "skipped"
)

// Class says who has to act on an error; it decides the exit code.
type Class string

// The classes of errors.
const (
	Configuration Class = "configuration" // an administrator, here or in the tenant: 78
	Temporary     Class = "temporary"     // nobody, it passes: 75
	Unavailable   Class = "unavailable"   // the network, or the relay refuses for good: 69
)

// Check is one line of the report. Name, Status and Key are stable; the texts are not.
type Check struct {
	// Name says what was checked, such as "token".
	Name string `json:"name"`
	// About is the address concerned, where a check is made for each of several.
	About  string `json:"about,omitempty"`
	Status Status `json:"status"`
	// Key says what is wrong in one word, such as "aadsts-7000215".
	Key string `json:"key,omitempty"`
	// Class is set for errors.
	Class Class `json:"class,omitempty"`
	// Seen is what was found, Hint the command or the click path that fixes it.
	Seen string `json:"seen"`
	Hint string `json:"hint,omitempty"`
}

func (c *Check) ok(seen string) { c.Status, c.Seen = OK, oneLine(seen) }

func (c *Check) skip(seen string) { c.Status, c.Seen = Skipped, oneLine(seen) }

func (c *Check) warn(key, seen, hint string) {
	c.Status, c.Key, c.Seen, c.Hint = Warning, key, oneLine(seen), oneLine(hint)
}

func (c *Check) fail(class Class, key, seen, hint string) {
	c.Status, c.Class, c.Key, c.Seen, c.Hint = Failed, class, key, oneLine(seen), oneLine(hint)
}

// Report is the outcome of a run.
type Report struct {
	// Schema is 1 as long as no field changes its meaning.
	Schema  int    `json:"schema"`
	Version string `json:"version"`
	// Platform is the system and the Go version that the program was built for and with.
	Platform string    `json:"platform"`
	Time     time.Time `json:"time"`
	// User is whose rights the checks were made with.
	User   string  `json:"user"`
	Status Status  `json:"status"`
	Exit   int     `json:"exit"`
	Checks []Check `json:"checks"`
	// Next is the one step to do next.
	Next string `json:"next"`
}

// finish sets what follows from the checks. strict makes warnings count.
func (r *Report) finish(strict bool, idle string) {
	r.Status, r.Exit, r.Next = OK, sysexits.OK, idle
	if c := r.first(Failed); c != nil {
		r.Status, r.Exit, r.Next = Failed, exitCode(c.Class), next(c)
	} else if c := r.first(Warning); c != nil {
		r.Status, r.Next = Warning, next(c)
		if strict {
			r.Exit = ExitWarning
		}
	}
}

// ExitWarning is the exit code of a strict run without errors but with warnings.
const ExitWarning = 1

func exitCode(c Class) int {
	switch c {
	case Temporary:
		return sysexits.TempFail
	case Unavailable:
		return sysexits.Unavailable
	}
	return sysexits.Config
}

func next(c *Check) string {
	if c.Hint != "" {
		return c.Hint
	}
	return "see " + c.Name + " above: " + c.Seen
}

// first returns the first check with that status, nil if there is none.
func (r *Report) first(s Status) *Check {
	for i := range r.Checks {
		if r.Checks[i].Status == s {
			return &r.Checks[i]
		}
	}
	return nil
}

// Find returns the check of that name about that address, nil if there is none.
func (r *Report) Find(name, about string) *Check {
	for i := range r.Checks {
		if r.Checks[i].Name == name && r.Checks[i].About == about {
			return &r.Checks[i]
		}
	}
	return nil
}

// oneLine joins the lines of a text and escapes what a terminal would obey.
func oneLine(s string) string {
	return printable.Line(strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(strings.TrimSpace(s)))
}
