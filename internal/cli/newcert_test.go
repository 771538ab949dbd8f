package cli

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// uploadFrom takes the certificate from what the screen shows to the emulator.
func (s *site) uploadFrom(t *testing.T, screen string) *x509.Certificate {
	t.Helper()
	i := strings.Index(screen, "-----BEGIN CERTIFICATE-----")
	if i < 0 {
		t.Fatalf("no certificate in\n%s", screen)
	}
	block, _ := pem.Decode([]byte(screen[i:]))
	if block == nil {
		t.Fatalf("no PEM in\n%s", screen[i:])
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	s.AddCertificate(string(pem.EncodeToMemory(block)))
	return cert
}

// TestNewcomerByCertificate takes the first choice of each question, in both ways: the scoped role, and the API
// permission.
func TestNewcomerByCertificate(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"", "api"} {
		t.Run("way="+way, func(t *testing.T) {
			t.Parallel()
			newcomerByCertificate(t, way)
		})
	}
}

func newcomerByCertificate(t *testing.T, way string) {
	s := newSite(t)
	s.Update(func(st *emulator.State) { nothingDone(st, s) })
	s.writeConfig(t, s.plumbing())
	c := newConsole(t)
	done := c.start(t.Context(), s, "setup", "--config", s.config)
	c.types("Kind of credential", "")
	c.types("Directory (tenant) ID", s.Tenant)
	c.types("Application (client) ID", s.ClientID)
	c.types("Certificate (PEM file)", "")
	c.types("The new certificate's life in days", "10 years")
	c.sees("a whole number of days from 1 to 3650")
	c.types("", "180")
	c.types("How the application may send", way)
	c.types("Mailbox that sends", s.Mailbox)
	c.types("Where root's mail goes", s.RootTo)
	c.types("Who is told when mail stops", "")
	c.sees("Write " + s.config + "? [Y/n] ")
	fmt.Fprintln(c.master)
	c.sees("App registrations > " + s.ClientID + " > Certificates & secrets > Certificates > Upload certificate")
	cert := s.uploadFrom(t, c.text())
	c.types("When it is uploaded, press Enter.", "")
	c.sees("When that is done:")
	followSteps(t, s, c.text())
	c.types("["+s.RootTo+"]", "")
	select {
	case code := <-done:
		if code != 0 {
			t.Errorf("exit code %d\n%s", code, c.text())
		}
	case <-time.After(time.Minute):
		t.Fatal("setup does not end")
	}
	screen := c.text()
	if strings.Contains(screen, "PRIVATE KEY") {
		t.Error("the private key shows")
	}
	// What the token in the hand proves is not listed as undone.
	if strings.Contains(screen, "New registration: any name") || strings.Contains(screen, "Upload certificate: ") {
		t.Errorf("what is done is listed\n%s", screen)
	}
	scoped := way == ""
	if strings.Contains(screen, "New-ManagementRoleAssignment") != scoped ||
		strings.Contains(screen, "Grant admin consent") == scoped ||
		strings.Contains(screen, "Add-MailboxPermission") == scoped {
		t.Errorf("the steps are of another way\n%s", screen)
	}
	text, err := os.ReadFile(s.config)
	if want := "way = \"" + cmp.Or(way, "scoped") + "\""; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%v: %s is not in\n%s", err, want, text)
	}
	if len(s.Messages()) != 1 {
		t.Errorf("%d messages arrived", len(s.Messages()))
	}
	key := cert.PublicKey.(*rsa.PublicKey)
	if days := time.Until(cert.NotAfter).Hours() / 24; key.N.BitLen() != 3072 || days < 179 || days > 181 {
		t.Errorf("%d bits, %.1f days", key.N.BitLen(), days)
	}
	for suffix, mode := range map[string]os.FileMode{".key": 0o600, ".crt": 0o644} {
		if fi, err := os.Stat(strings.TrimSuffix(s.config, ".toml") + suffix); err != nil || fi.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", suffix, fi, err)
		}
	}
	s.run("Subject: cron\n\nhello\n", "root").want(t, 0, "")
}

// certificateArgs are all answers for a new certificate as flags.
func (s *site) certificateArgs(more ...string) []string {
	return append([]string{"setup", "--config", s.config, "--tenant", s.Tenant, "--client-id", s.ClientID,
		"--new-certificate", "--mailbox", s.Mailbox}, more...)
}

// TestNewCertificateFlags makes pairs without a terminal; a second one leaves the first alone.
func TestNewCertificateFlags(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.writeConfig(t, s.plumbing())
	files := map[string]string{}
	for range 2 {
		r := s.verb("", s.certificateArgs("--json", "--no-doctor")...)
		var out setupOutcome
		if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || r.code != 0 || out.Certificate == nil {
			t.Fatalf("exit %d, %v: %q %q", r.code, err, r.stdout, r.stderr)
		}
		if strings.Contains(r.stdout, "PRIVATE KEY") {
			t.Error("the private key shows")
		}
		s.uploadFrom(t, out.Certificate.PEM)
		if text, err := os.ReadFile(out.Certificate.File); err != nil || string(text) != out.Certificate.PEM {
			t.Errorf("%v: %s", err, text)
		}
		key, err := os.ReadFile(out.Certificate.KeyFile)
		if err != nil || files[out.Certificate.KeyFile] != "" {
			t.Fatalf("%s: %v", out.Certificate.KeyFile, err)
		}
		files[out.Certificate.KeyFile] = string(key)
		s.run("Subject: a\n\nb\n", s.RootTo).want(t, 0, "")
	}
	for path, text := range files {
		if now, err := os.ReadFile(path); err != nil || string(now) != text {
			t.Errorf("%s has changed: %v", path, err)
		}
	}
}

// TestNewCertificateLeavesNothing: a dry run, bad flags and a refused configuration make no file.
func TestNewCertificateLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--dry-run"}, 0, "certificate_file = "},
		{[]string{"--certificate-days", "0"}, sysexits.Usage, "a whole number of days"},
		{[]string{"--key-file", "/x"}, sysexits.Usage, "--new-certificate makes its own files"},
		{[]string{"--client-secret-file", "/x"}, sysexits.Usage,
			"an account has one credential: choose certificate or secret"},
		{[]string{"--set", "delivery.max_size=big"}, sysexits.Config, "delivery.max_size"},
	} {
		r := s.verb("", s.certificateArgs(tt.args...)...)
		if r.code != tt.code || !strings.Contains(r.stdout+r.stderr, tt.want) {
			t.Errorf("%v: exit %d, %q %q", tt.args, r.code, r.stdout, r.stderr)
		}
	}
	for _, pattern := range []string{"*.key", "*.crt"} {
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.config), pattern)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
