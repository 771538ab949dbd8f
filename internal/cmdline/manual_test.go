package cmdline

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestManFlags: sendmail(8) explains each flag, mode and option of the tables, and no other.
func TestManFlags(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/sendmail.8")
	if err != nil {
		t.Fatal(err)
	}
	_, options, ok := strings.Cut(string(data), "\n.Sh OPTIONS\n")
	if !ok {
		t.Fatal("sendmail(8) has no section OPTIONS")
	}
	options, _, _ = strings.Cut(options, "\n.Sh ")
	told := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bFl ([^ \n]+)`).FindAllStringSubmatch(options, -1) {
		told[m[1]] = true
	}
	want := map[string]bool{`\-`: true, "odi": true, "odb": true, "odq": true, "odd": true, "qI": true, "qR": true,
		"qS": true}
	for _, f := range flags {
		if f.letter != 'b' {
			want[string(rune(f.letter))] = true
		}
	}
	for _, mode := range "mspivdD" {
		if _, err := Parse([]string{"-b" + string(mode)}); err != nil {
			t.Error(err)
		}
		want["b"+string(mode)] = true
	}
	for _, o := range optionTable {
		if o.letter != 'd' {
			want["o"+string(rune(o.letter))] = true
		}
	}
	for name := range want {
		if !told[name] {
			t.Errorf("sendmail(8) does not explain -%s", name)
		}
	}
	for name := range told {
		if !want[name] {
			t.Errorf("sendmail(8) explains -%s, which the program does not know", name)
		}
	}
}
