package cmdline

import (
	stdflag "flag"
	"os"
	"testing"
)

var update = stdflag.Bool("update", false, "write docs/compatibility.md again")

func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	const page = "../../docs/compatibility.md"
	want := Compatibility()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/compatibility.md differs from the table of flags: go test ./internal/cmdline -run Compatibility -update")
	}
}

// TestFlagTable: each letter stands once, and one that is done does something.
func TestFlagTable(t *testing.T) {
	t.Parallel()
	seen := map[byte]bool{}
	for _, f := range flags {
		if seen[f.letter] || f.about == "" || f.from == "" {
			t.Errorf("-%c stands twice or is not explained", f.letter)
		}
		seen[f.letter] = true
		if (f.verdict == done) != (f.set != nil) && f.letter != 'O' && f.letter != 'M' {
			t.Errorf("-%c is %v, but its action says otherwise", f.letter, f.verdict)
		}
	}
}
