package doctor

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"o365-sendmail/internal/sysexits"
)

// TestJSONStays: monitoring reads these names.
func TestJSONStays(t *testing.T) {
	t.Parallel()
	r := &Report{Schema: 1, Checks: []Check{{Name: "n", About: "a", Status: Failed, Key: "k", Class: Temporary, Seen: "s", Hint: "h"}}}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var top map[string]any
	if err := json.Unmarshal(raw, &top); err != nil {
		t.Fatal(err)
	}
	check := top["checks"].([]any)[0].(map[string]any)
	for want, m := range map[string]map[string]any{
		"checks exit next platform schema status time user version": top,
		"about class hint key name seen status":                     check,
	} {
		if got := strings.Join(slices.Sorted(maps.Keys(m)), " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	bad := func(class Class) Check {
		return Check{Name: "b", Status: Failed, Class: class, Seen: "seen", Hint: "fix"}
	}
	warn := Check{Name: "w", Status: Warning, Seen: "seen", Hint: "look"}
	tests := []struct {
		checks []Check
		strict bool
		status Status
		exit   int
		next   string
	}{
		{nil, false, OK, 0, "idle"},
		{[]Check{{Name: "s", Status: Skipped}}, true, OK, 0, "idle"},
		{[]Check{warn}, false, Warning, 0, "look"},
		{[]Check{warn}, true, Warning, ExitWarning, "look"},
		{[]Check{warn, bad(Configuration)}, false, Failed, sysexits.Config, "fix"},
		{[]Check{bad(Temporary), bad(Configuration)}, true, Failed, sysexits.TempFail, "fix"},
		{[]Check{bad(Unavailable)}, false, Failed, sysexits.Unavailable, "fix"},
		{[]Check{{Name: "b", Status: Failed, Seen: "seen"}}, false, Failed, sysexits.Config, "see b above: seen"},
	}
	for _, tt := range tests {
		r := &Report{Checks: tt.checks}
		if r.finish(tt.strict, "idle"); r.Status != tt.status || r.Exit != tt.exit || r.Next != tt.next {
			t.Errorf("%+v: %s, %d, %q", tt, r.Status, r.Exit, r.Next)
		}
	}
}

// TestPrinter puts together what was skipped for one reason, and no foreign text gets to
// the terminal as it is.
func TestPrinter(t *testing.T) {
	t.Parallel()
	r := &Report{Next: "n"}
	var c Check
	c.Name = "a"
	c.ok("fine \x1b[31m\r\nand more")
	r.Checks = []Check{c, {Name: "b", Status: Skipped, Seen: "needs x"}, {Name: "c", About: "d@e", Status: Skipped, Seen: "needs x"},
		{Name: "f", Status: Skipped, Seen: "needs y"}, {Name: "g", Status: Failed, Seen: "bad", Hint: "fix"}}
	want := "ok       a: fine \\x1b[31m  and more\nskipped  b, c d@e: needs x\nskipped  f: needs y\nerror    g: bad\n" +
		"         hint: fix\nnext: n\n"
	if got := r.Text(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPrinterShort: what is not well, a count of the rest, one command a line, alternatives numbered, and no hint
// twice.
func TestPrinterShort(t *testing.T) {
	t.Parallel()
	hint := "New-ServicePrincipal -AppId a -ObjectId b; if Get-ServicePrincipal | fl AppId shows another, first: " +
		"Remove-ServicePrincipal -Identity a; or wait"
	r := &Report{Next: hint, Checks: []Check{{Name: "a", Status: OK, Seen: "x"},
		{Name: "b", Status: Skipped, Seen: "y"},
		{Name: "c", Status: Failed, Seen: "cause: " + strings.Repeat("server ", 99), Hint: hint},
		{Name: "message", Status: OK, Seen: "sent"}}}
	want := "error    c: cause: " + strings.Repeat("server ", 54) + "server...\n         hint:\n" +
		"           1. New-ServicePrincipal -AppId a -ObjectId b\n" +
		"           2. if Get-ServicePrincipal | fl AppId shows another, first: Remove-ServicePrincipal -Identity a\n" +
		"              Get-ServicePrincipal | fl AppId\n              Remove-ServicePrincipal -Identity a\n" +
		"           3. or wait\nok       message: sent\n1 more ok, 1 skipped: --verbose shows them\n" +
		"next: fix c: its hint stands above\n"
	var b strings.Builder
	p := NewPrinter(&b)
	for _, c := range r.Checks {
		p.Add(c)
	}
	if p.End(r); b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	b.Reset()
	p = NewPrinter(&b)
	p.Width, p.Color, p.Quiet = 40, true, true
	for _, c := range []Check{{Name: "w", Status: Warning, Seen: "one two three four five six seven"},
		{Name: "message", Status: OK}} {
		p.Add(c)
	}
	p.End(&Report{Next: "run: x --flag " + strings.Repeat("y", 60)})
	want = "\x1b[33mwarning  \x1b[0mw: one two three four five six\n         seven\nnext: run: x --flag " +
		strings.Repeat("y", 60) + "\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
