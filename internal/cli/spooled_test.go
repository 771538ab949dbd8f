package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// withSpool gives the site's configuration a spool.
func (s *site) withSpool(t *testing.T) {
	t.Helper()
	s.writeConfig(t, s.ConfigTOML(s.dir)+"\n[spool]\ndir = \""+filepath.Join(s.dir, "spool")+"\"\n")
}

// TestSpoolWithoutAgent: what can't be delivered stays, is told as success, and a queue run sends it.
func TestSpoolWithoutAgent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.Script(emulator.Rule{Stage: "dot", Reply: "451 4.7.0 Temporary server error", First: 1}); err != nil {
		t.Fatal(err)
	}
	s.run("Subject: x\n\nx\n", "-i", "a@example.org").want(t, sysexits.TempFail, "451 4.7.0")

	s.withSpool(t)
	if err := s.Script(emulator.Rule{Stage: "dot", Reply: "451 4.7.0 Temporary server error", First: 1}); err != nil {
		t.Fatal(err)
	}
	s.run("Subject: kept\n\nx\n", "-i", "a@example.org").want(t, sysexits.OK, "")
	if n := len(s.Messages()); n != 0 {
		t.Fatalf("%d messages arrived", n)
	}
	if r := s.run("", "-bp"); r.code != 0 || !strings.Contains(r.stdout, "a@example.org") ||
		!strings.Contains(r.stdout, "451 4.7.0") {
		t.Errorf("mailq: %+v", r)
	}
	s.run("", "-O", "QueueDueOnly", "-q").want(t, sysexits.OK, "")
	if n := len(s.Messages()); n != 0 {
		t.Errorf("a run of what is due took %d messages before their time", n)
	}
	s.run("", "-q").want(t, sysexits.OK, "")
	if m := s.Messages(); len(m) != 1 || m[0].Header("Subject") != "kept" {
		t.Errorf("after -q: %d messages", len(m))
	}
	if r := s.run("", "-bp"); !strings.Contains(r.stdout, "empty") {
		t.Errorf("mailq: %+v", r)
	}
}

// TestQueueMode: -odq leaves the message for a run, -odb too, and a refused recipient is no success.
func TestQueueMode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withSpool(t)
	s.run("Subject: x\n\nx\n", "-odq", "a@example.org").want(t, sysexits.OK, "")
	s.run("Subject: x\n\nx\n", "-odb", "b@example.org").want(t, sysexits.OK, "")
	if n := len(s.Messages()); n != 0 {
		t.Fatalf("%d messages went out at once", n)
	}
	s.run("Subject: x\n\nx\n", "reject-me@example.org").want(t, sysexits.NoUser, "reject-me@example.org")
	s.run("", "-qRb@").want(t, sysexits.OK, "")
	if m := s.Messages(); len(m) != 1 || m[0].Envelope.To[0] != "b@example.org" {
		t.Fatalf("-qR sent %d messages", len(m))
	}
	s.run("", "-q").want(t, sysexits.OK, "")
	if n := len(s.Messages()); n != 2 {
		t.Errorf("%d messages after -q", n)
	}
}
