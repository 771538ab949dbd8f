package diagnose

import "strings"

// Known is one row of the tables: what a reply must have, and what the reply then means.
type Known struct {
	Phase string
	// Code is the reply's code, one digit for any code that begins with it, or 0 for any.
	Code int
	// Enhanced holds RFC 3463 codes, separated by blanks, or "" for any; Text holds words in lower case, as
	// alternatives that | separates, or "".
	Enhanced, Text string
	Diagnosis
}

// AllKnown returns every meaning that Reply and Failure know by more than a first digit, the
// latter without a code.
func AllKnown() []Known {
	var all []Known
	for _, r := range replies {
		all = append(all, Known{r.phase, r.code, r.enhanced, r.text, r.means})
	}
	for _, r := range repeated {
		d, _ := throttled(550, "", "sender throttled due to continuous "+firstOf(r.text)+" errors")
		all = append(all, Known{Text: firstOf(r.text) + " errors", Diagnosis: d})
	}
	all = append(all, Known{Diagnosis: unknownLimit("", "")})
	all = append(all, Known{Phase: phaseRcpt, Diagnosis: unknownLimit(phaseRcpt, "5.1.0")})
	for _, phase := range []string{phaseAuth, phaseRcpt, ""} {
		all = append(all, Known{Phase: phase, Diagnosis: byFirstDigit(phase, 550)})
	}
	for f := FaultResolve; f <= lastFault; f++ {
		all = append(all, Known{Diagnosis: Failure(f)})
	}
	return append(all, Known{Diagnosis: byFirstDigit("", 450)})
}

func firstOf(alternatives string) string {
	first, _, _ := strings.Cut(alternatives, "|")
	return first
}
