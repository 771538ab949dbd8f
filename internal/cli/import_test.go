package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"o365-sendmail/internal/importer"
	"o365-sendmail/internal/sysexits"
)

const theirs = "../importer/testdata/"

// TestImportDryRun: without --write the lines are told and the configuration is shown, and nothing is written.
func TestImportDryRun(t *testing.T) {
	t.Parallel()
	for _, program := range importer.Programs() {
		path := filepath.Join(t.TempDir(), "o365-sendmail.toml")
		r := call(t, "o365-sendmail", "import", program, "--from", theirs+program, "-C", path)
		if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "mailbox = \"noreply@contoso.com\"") ||
			!strings.Contains(r.stdout, "Still needed for --write: --tenant, --client-id, --client-secret-stdin\n") {
			t.Errorf("%s: exit %d: %s%s", program, r.code, r.stderr, r.stdout)
		}
		if strings.Contains(r.stdout, "secret\"") || strings.Contains(r.stdout, "hunter2") {
			t.Errorf("%s: a password shows: %s", program, r.stdout)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s: a dry run wrote: %v", program, err)
		}
	}
}

func TestImportJSON(t *testing.T) {
	t.Parallel()
	r := call(t, "o365-sendmail", "import", "msmtp", "--json", "--from", theirs+"msmtp", "--mailbox", "own@contoso.com",
		"--set", "smtp.timeout=10s", "-C", filepath.Join(t.TempDir(), "c.toml"))
	var out importOutcome
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || out.Schema != 1 || len(out.Lines) < 20 ||
		!slices.Contains(out.Missing, "--tenant") || out.Program != "msmtp" {
		t.Fatalf("exit %d, %v: %s%s", r.code, err, r.stdout, r.stderr)
	}
	// Flags go before what the files say.
	if !strings.Contains(out.Config, `mailbox = "own@contoso.com"`) || !strings.Contains(out.Config, `timeout = "10s"`) {
		t.Error(out.Config)
	}
}

// TestImportWrite: the file is written as setup writes it, read by the program, and replaced only with --force.
func TestImportWrite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, program := range importer.Programs() {
		path := filepath.Join(t.TempDir(), "o365-sendmail.toml")
		args := []string{"import", program, "--write", "--from", theirs + program, "-C", path, "--no-doctor",
			"--tenant", s.Tenant, "--client-id", s.ClientID, "--client-secret-stdin"}
		r := s.verb(s.ClientSecret, args...)
		s.silent(t, r)
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("%s: exit %d: %s%s", program, r.code, r.stderr, r.stdout)
		}
		if r := s.verb("", "config", "check", "-C", path); r.code != 0 {
			t.Errorf("%s: %s%s", program, r.stdout, r.stderr)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		again := append(slices.Clone(args), "--mailbox", "other@contoso.com")
		if r := s.verb(s.ClientSecret, again...); r.code != sysexits.Usage || !strings.Contains(r.stderr, "--force") {
			t.Errorf("%s: exit %d: %s", program, r.code, r.stderr)
		}
		if now, _ := os.ReadFile(path); string(now) != string(before) {
			t.Errorf("%s: changed without a yes", program)
		}
		if r := s.verb(s.ClientSecret, append(again, "--force")...); r.code != 0 {
			t.Errorf("%s: exit %d: %s", program, r.code, r.stderr)
		}
		backup, _ := filepath.Glob(path + ".bak-*")
		if len(backup) != 1 {
			t.Fatalf("%s: %q", program, backup)
		}
		if kept, _ := os.ReadFile(backup[0]); string(kept) != string(before) {
			t.Errorf("%s: the copy is another", program)
		}
	}
}

// TestImportSurvey: by kind for people, as a list for programs.
func TestImportSurvey(t *testing.T) {
	t.Parallel()
	r := call(t, "o365-sendmail", "import", "survey", "--from", theirs+"survey")
	if r.code != 0 || !strings.HasPrefix(r.stdout, "mailer:\n  /usr/sbin/sendmail: ") ||
		!strings.Contains(r.stdout, "\ncron:\n  /etc/crontab:2: MAILTO: ") {
		t.Errorf("exit %d: %s%s", r.code, r.stderr, r.stdout)
	}
	r = call(t, "o365-sendmail", "import", "survey", "--json", "--from", theirs+"survey")
	var out surveyOutcome
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || out.Schema != 1 || len(out.Senders) < 20 {
		t.Errorf("exit %d, %v: %s", r.code, err, r.stdout)
	}
	if r := call(t, "o365-sendmail", "import", "survey", "--write"); r.code != sysexits.Usage {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}

func TestImportErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"import"}, sysexits.Usage, "from which program? msmtp, nullmailer"},
		{[]string{"import", "qmail"}, sysexits.Usage, "not one of msmtp"},
		{[]string{"import", "qmail", "--queue"}, sysexits.Usage, "not one of msmtp"},
		{[]string{"import", "dma", "--from", t.TempDir()}, sysexits.NoInput, "looked for /etc/dma/dma.conf"},
		{[]string{"import", "dma", "--from", "/no/such"}, sysexits.NoInput, "no such file"},
	} {
		if r := call(t, append([]string{"o365-sendmail"}, tt.args...)...); r.code != tt.code ||
			!strings.Contains(r.stderr, tt.says) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%q: exit %d: %s", tt.args, r.code, r.stderr)
		}
	}
}
