//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"o365-sendmail/internal/setup"
)

// parsed is what powershell.mjs finds in a script.
type parsed struct {
	Errors []struct {
		Line int
		Text string
	}
	Commands []struct {
		Line       int
		Name, Text string
		Within     []string
	}
	Functions []string
}

func parse(t *testing.T, scripts []string) (p []parsed) {
	t.Helper()
	in, err := json.Marshal(scripts)
	if err != nil {
		t.Fatal(err)
	}
	// The grammar is large, and used once: optimizing its code takes minutes on a busy machine.
	cmd := exec.Command("node", "--liftoff-only", "--wasm-lazy-compilation", "powershell.mjs")
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &p)
	}
	if err != nil || len(p) != len(scripts) {
		t.Fatalf("%d of %d scripts: %v", len(p), len(scripts), err)
	}
	return p
}

// changing are the commands that change a tenant.
var changing = regexp.MustCompile(`^(New|Set|Add|Remove)-|-Method (POST|DELETE|PATCH|PUT)\b`)

// TestTenantScriptParses: the script of setup --script is PowerShell by a whole grammar.
// There is no PowerShell here to run it: what its commands do in a tenant is not tested.
func TestTenantScriptParses(t *testing.T) {
	values := setup.Values{Tenant: "contoso.com", ClientID: "2c1a7c38-8d27-4b0e-b6a4-7f0a4d3f9e21",
		ObjectID: "b7d3f1d2-0c5e-4b58-9f0c-51c7c0a4e6aa", Mailbox: "o'brien@contoso.com"}
	// The ways and clouds differ in a word between quotes.
	found := parse(t, []string{setup.Script(setup.TypeCertificate, values), "if ($x { 'a' }\n", "'a\n"})
	for _, e := range found[0].Errors {
		t.Errorf("line %d: %s", e.Line, e.Text)
	}
	found[0].check(t)
	for i, p := range found[1:] {
		if len(p.Errors) == 0 {
			t.Errorf("broken script %d passes", i)
		}
	}
}

// check sees that each command that changes something stands in a block that -WhatIf stops.
func (p *parsed) check(t *testing.T) {
	t.Helper()
	changes := 0
	for _, c := range p.Commands {
		if c.Name == "New-Object" || slices.Contains(p.Functions, c.Name) || !changing.MatchString(c.Text) {
			continue
		}
		if changes++; !slices.Contains(c.Within, "Invoke-Change") {
			t.Errorf("line %d: -WhatIf does not stop %s", c.Line, c.Text)
		}
	}
	if changes < 18 || len(p.Functions) < 25 {
		t.Errorf("%d changing commands, %d functions: the script was not looked at", changes, len(p.Functions))
	}
}
