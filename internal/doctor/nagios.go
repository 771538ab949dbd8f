package doctor

import (
	"fmt"
	"strings"
)

// The exit codes of checks for Nagios and programs like it.
const (
	NagiosOK = iota
	NagiosWarning
	NagiosCritical
	NagiosUnknown
)

// Nagios returns the report as one line, and the exit code, as Nagios wants both from a check
// (nagios-plugins.org, development guidelines): an error and held mail are critical.
func (r *Report) Nagios() (line string, exit int) {
	worst := r.first(Failed)
	if worst == nil {
		worst = r.first(Warning)
	}
	for i := range r.Checks {
		if c := &r.Checks[i]; c.Key == keyHeld && worst.Status != Failed {
			worst, exit = c, NagiosCritical
		}
	}
	switch {
	case worst == nil:
		return NagiosLine(NagiosOK, fmt.Sprintf("%d checks", len(r.Checks))), NagiosOK
	case worst.Status == Failed:
		exit = NagiosCritical
	case exit == 0:
		exit = NagiosWarning
	}
	return NagiosLine(exit, worst.title()+": "+worst.Seen), exit
}

// NagiosLine writes a line of a check. Nagios takes what is behind a | for figures.
func NagiosLine(exit int, text string) string {
	word := [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[exit]
	return "O365-SENDMAIL " + word + " - " + strings.ReplaceAll(oneLine(text), "|", "/")
}
