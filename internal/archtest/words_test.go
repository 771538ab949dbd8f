package archtest

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// plainWords are words and turns of phrase that the code, its comments, the pages and the messages do without. The
// patterns see one line at a time, in any letter case.
var plainWords = []struct {
	pattern, reason string
	except          []string // files and directories to which the rule does not apply
}{
	{`(^|[\s("])(he|him|his|himself|she|her|hers|herself)([\s.,;:)']|$)`,
		"say who is meant: the user, the caller, the program", nil},
	{`\btells whether\b`, "a function reports whether; a message says whether", nil},
	{`\b(told|tell|tells|telling) of\b`, "a fault is reported, a person is told about it", nil},
	{`\banew\b|\blest\b|\bin vain\b|\bnought\b|\bhad better\b`, "say it in words of today", nil},
	{`\b(needs|wants|knows|has|takes|gives) it not\b|\bso that one (sees|can|knows)\b`,
		"this is not the word order of English", nil},
	{`\b(secret|certificate|token|password)s? ends?\b`, "a credential expires", nil},
	{`\b(unmended|mended|mends|mending)\b`, "a fault is fixed", nil},
	{`\boctets?([^-\w]|$)`, "say bytes", []string{
		"internal/emulator", "cmd/m365-emulator", // servers' replies have that word, and the API its field
		"internal/diagnose", "internal/submit/peer_test.go", "test/crash/agent_test.go", // the same
	}},
}

// prose are the names of files that people read.
var prose = regexp.MustCompile(`\.(go|md|[158]|sh|toml)$|(^|/)README[^/]*$|(^|/)Makefile$`)

func TestPlainWords(t *testing.T) {
	t.Parallel()
	var banned []*regexp.Regexp
	var all []string
	for _, w := range plainWords {
		banned = append(banned, regexp.MustCompile(`(?i)`+w.pattern))
		all = append(all, w.pattern)
	}
	anyOf := regexp.MustCompile(`(?im)` + strings.Join(all, "|"))
	files := 0
	for _, name := range trackedFiles(t) {
		if !prose.MatchString(name) || strings.Contains(name, "/testdata/") ||
			name == "internal/archtest/words_test.go" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root(), name))
		if err != nil {
			continue // deleted, not yet committed
		}
		files++
		if !anyOf.Match(data) {
			continue
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			for j, re := range banned {
				if m := re.Find(line); m != nil && !underAny(name, plainWords[j].except) {
					t.Errorf("%s:%d: %q: %s", name, i+1, m, plainWords[j].reason)
				}
			}
		}
	}
	if files < 100 {
		t.Fatalf("%d files were read: the rules were not tried", files)
	}
}
