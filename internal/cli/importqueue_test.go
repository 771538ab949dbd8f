package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"o365-sendmail/internal/importer"
	"o365-sendmail/internal/sysexits"
)

// spoolText is the configuration of the site's spool.
func spoolText(s *site) string { return (&testCase{}).spoolText(s) }

// TestImportQueue: what waits in another mailer's queue is delivered once, its files stay, and a second import takes
// nothing.
func TestImportQueue(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(theirs+"queue")); err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	s.writeConfig(t, s.ConfigTOML(s.dir)+spoolText(s))
	postcat, err := os.ReadFile(theirs + "postcat.txt")
	if err != nil {
		t.Fatal(err)
	}
	for program, stdin := range map[string]string{"nullmailer": "", "dma": "", "postfix": string(postcat)} {
		if r := s.verb(stdin, "import", program, "--queue", "--from", root, "-C", s.config); r.code != 0 ||
			!strings.Contains(r.stdout, "wait") || strings.Contains(r.stdout, "remove") {
			t.Fatalf("exit %d: %s%s", r.code, r.stdout, r.stderr)
		}
		for _, want := range []string{importer.Kept, importer.Before} {
			r := s.verb(stdin, "import", program, "--queue", "--write", "--json", "--from", root, "-C", s.config)
			var out queueOutcome
			if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || r.code != 0 || out.Schema != 1 ||
				out.Counts[want] != len(out.Messages) || out.Remove == "" {
				t.Fatalf("%s: exit %d, %v: %s%s", program, r.code, err, r.stdout, r.stderr)
			}
		}
	}
	if r := s.verb("", "import", "dma", "--queue", "--from", root, "-C", s.config); r.code != 0 ||
		!strings.Contains(r.stdout, "4 were here already, 0 wait") {
		t.Errorf("a dry run: exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r := s.verb("", "queue", "flush", "-C", s.config); r.code != 0 {
		t.Fatalf("exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if n := len(s.Messages()); n != 5+4+8 {
		t.Errorf("%d messages arrived", n)
	}
	if b, err := os.ReadDir(root + "/var/spool/nullmailer/queue"); err != nil || len(b) != 5 {
		t.Errorf("%v: their files are not as they were", err)
	}
}

// TestImportQueueErrors: a queue that is not there, or is not ours to take, is an error of one line.
func TestImportQueueErrors(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.writeConfig(t, s.ConfigTOML(s.dir)+spoolText(s))
	for _, tt := range []struct {
		program, stdin string
		code           int
	}{
		{"nullmailer", "", sysexits.NoInput}, {"dma", "", sysexits.NoInput}, {"msmtp", "", sysexits.NoInput},
		{"postfix", "", sysexits.NoInput}, {"postfix", "hello\n", sysexits.DataErr}, {"ssmtp", "", sysexits.Unavailable},
		{"exim4", "", sysexits.Unavailable},
	} {
		r := s.verb(tt.stdin, "import", tt.program, "--queue", "--from", t.TempDir(), "-C", s.config)
		if r.code != tt.code || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s %q: exit %d: %s", tt.program, tt.stdin, r.code, r.stderr)
		}
	}
}
