package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/sysexits"
)

// The manual pages are held against the tables that the program itself uses.

func manPage(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// section returns the text of a page's section.
func section(t *testing.T, page, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n.Sh "+name+"\n")
	if !ok {
		t.Fatalf("no section %s", name)
	}
	text, _, _ := strings.Cut(rest, "\n.Sh ")
	return text
}

// TestManExitCodes: sendmail(8) has each code of sysexits.h.
func TestManExitCodes(t *testing.T) {
	t.Parallel()
	codes := []int{sysexits.OK}
	for c := sysexits.Usage; c <= sysexits.Config; c++ {
		codes = append(codes, c)
	}
	text := section(t, manPage(t, "sendmail.8"), "EXIT STATUS")
	for _, c := range codes {
		if !strings.Contains(text, fmt.Sprintf(".It %d\n", c)) {
			t.Errorf("sendmail(8) does not explain exit code %d", c)
		}
	}
}

// TestManVerbs: o365-sendmail(8) has each command and each of its flags. setup has so many
// that the page names its --help, and import takes them, too.
func TestManVerbs(t *testing.T) {
	t.Parallel()
	page := strings.ReplaceAll(manPage(t, "o365-sendmail.8"), `\-`, "-")
	setupFlag := new(setupFlags).flags()
	for _, v := range verbs() {
		if !regexp.MustCompile(`(?m)^\.It Cm ` + v.name + `( |$)`).MatchString(page) {
			t.Errorf("o365-sendmail(8) does not explain %s", v.name)
		}
		if v.name == "setup" || v.name == "serve" || v.name == "completion" || v.name == "version" {
			continue
		}
		var out bytes.Buffer
		Main(context.Background(), Env{
			Args: []string{"o365-sendmail", v.name, "--help"}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
			Getenv: func(string) string { return "" }, Now: time.Now, UID: noUser,
		})
		found := regexp.MustCompile(`(?m)^ +-(-?[a-zA-Z][a-z-]*)`).FindAllStringSubmatch(out.String(), -1)
		if len(found) == 0 {
			t.Errorf("%s --help lists no flags: %s", v.name, out.String())
		}
		for _, m := range found {
			if v.name == "import" && setupFlag.Lookup(m[1][1:]) != nil {
				continue
			}
			if m[1] != "-config" && !strings.Contains(page, "Fl "+m[1]) {
				t.Errorf("o365-sendmail(8) does not explain %s -%s", v.name, m[1])
			}
		}
	}
	for _, verb := range queueVerbs {
		if !strings.Contains(page, ".It Cm queue "+verb) {
			t.Errorf("o365-sendmail(8) does not explain queue %s", verb)
		}
	}
}

// TestManSections: each page has the sections that a reader looks for, and man has nothing
// to say against it.
func TestManSections(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sendmail.8", "mailq.1", "newaliases.1", "o365-sendmail.8"} {
		page := manPage(t, name)
		for _, s := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES",
			"SECURITY", "SEE ALSO"} {
			section(t, page, s)
		}
	}
	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("man is not installed: the pages are not formatted")
	}
	pages, err := filepath.Glob("../../docs/*.[158]")
	if err != nil || len(pages) < 5 {
		t.Fatal(pages, err)
	}
	for _, p := range pages {
		cmd := exec.Command(man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", p)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANROFFSEQ=", "MANWIDTH=80")
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil || said.Len() > 0 {
			t.Errorf("%s: %v\n%s", p, err, said.String())
		}
	}
}
