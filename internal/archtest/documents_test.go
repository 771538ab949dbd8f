package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testedDocuments are pages that name the tests which hold what they say.
var testedDocuments = []string{"docs/security-tests.md", "docs/package-acceptance.md",
	"docs/acceptance.md", "docs/fleet.md"}

// TestDocumentsNameTests: each test that a page names exists, and each row of the table of promises names one.
func TestDocumentsNameTests(t *testing.T) {
	t.Parallel()
	exists := map[string]bool{}
	definition := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range definition.FindAllStringSubmatch(string(text), -1) {
			exists[m[1]] = true
		}
		return err
	})
	if err != nil || len(exists) < 100 {
		t.Fatalf("%d tests found, %v", len(exists), err)
	}
	name := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)\\w+)`")
	for _, page := range testedDocuments {
		text, err := os.ReadFile(filepath.Join(root(), page))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			named := name.FindAllStringSubmatch(line, -1)
			for _, m := range named {
				if !exists[m[1]] {
					t.Errorf("%s:%d: there is no test %s", page, i+1, m[1])
				}
			}
			if page == testedDocuments[0] && strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| Promise |") &&
				len(named) == 0 {
				t.Errorf("%s:%d: no test is named", page, i+1)
			}
		}
	}
}
