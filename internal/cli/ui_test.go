package cli

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"o365-sendmail/internal/sysexits"
)

// TestFailJoined: two errors are one line.
func TestFailJoined(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := &Env{Stderr: &out}
	e.fail("o365-sendmail", errors.Join(errors.New("a is not written"), errors.New("b is left")))
	if got := out.String(); got != "o365-sendmail: error: a is not written; b is left\n" {
		t.Errorf("%q", got)
	}
}

// TestSetupUnreadable: a configuration that is another's is said to be that, and nothing is asked for.
func TestSetupUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read every file")
	}
	s := newSite(t)
	if err := os.Chmod(s.config, 0); err != nil {
		t.Fatal(err)
	}
	if r := s.verb("", "setup", "--config", s.config, "--mailbox", s.Mailbox, "--yes"); r.code != sysexits.NoPerm ||
		!strings.Contains(r.stderr, "run sudo o365-sendmail setup") && !strings.Contains(r.stderr, "run o365-sendmail setup") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
}
