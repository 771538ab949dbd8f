package metrics

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the list of metrics in docs/o365-sendmail.8")

const (
	manualPath  = "../../docs/o365-sendmail.8"
	manualBegin = ".\\\" Metrics: go test ./internal/metrics -update\n"
	manualEnd   = ".\\\" end of metrics\n"
)

// manual is the list of the manual page, in mdoc(7).
func manual() string {
	escape := strings.NewReplacer("-", `\-`, "'", `\(aq`)
	var b strings.Builder
	b.WriteString(manualBegin + ".Bl -tag -width Ds\n")
	for _, m := range Table() {
		b.WriteString(".It Ic " + m.FullName())
		if len(m.Labels) > 0 {
			b.WriteString("{" + strings.Join(m.Labels, ",") + "}")
		}
		b.WriteString("\n(" + m.Type + ") " + escape.Replace(m.Help) + "\n")
	}
	b.WriteString(".El\n" + manualEnd)
	return b.String()
}

// TestManual holds the manual page against the table.
func TestManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(manualPath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), manualBegin)
	_, after, ended := strings.Cut(rest, manualEnd)
	if !begun || !ended {
		t.Fatalf("%s lacks the lines between which the metrics stand", manualPath)
	}
	switch want := before + manual() + after; {
	case want == string(text):
	case !*update:
		t.Errorf("%s differs from the table: go test ./internal/metrics -update", manualPath)
	default:
		if err := os.WriteFile(manualPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
