package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// site is an emulator with a configuration for it, and what runs of the program said.
type site struct {
	*emulator.Emulator
	t           testing.TB
	dir, config string
}

func newSite(t *testing.T, change ...func(*emulator.Options)) *site {
	t.Helper()
	s := &site{Emulator: emulator.New(t, change...), t: t, dir: t.TempDir()}
	s.config = filepath.Join(s.dir, "config.toml")
	s.writeConfig(t, s.ConfigTOML(s.dir))
	return s
}

func (s *site) writeConfig(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(text, "[spool]") {
		text += "\n[spool]\ndir = \"\"\n" // root would use the host's own
	}
	text += "\n[log]\nto = \"" + filepath.Join(s.dir, "log") + "\"\n"
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// result is one run of the program.
type result struct {
	code           int
	stdout, stderr string
}

// run calls the program as sendmail with the site's configuration.
func (s *site) run(stdin string, args ...string) result {
	var out, errs bytes.Buffer
	code := Main(context.Background(), Env{
		Args:  append([]string{"/usr/sbin/sendmail"}, args...),
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		Getenv: func(name string) string {
			if name == "O365_SENDMAIL_CONFIG" {
				return s.config
			}
			return ""
		},
		Now: time.Now, UID: os.Getuid(), Version: "test",
	})
	return result{code, out.String(), errs.String()}
}

func (r result) want(t *testing.T, code int, stderr string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stderr, stderr) || stderr == "" && r.stderr != "" {
		t.Errorf("exit code %d, stderr %q, want %d and %q", r.code, r.stderr, code, stderr)
	}
	if r.stdout != "" {
		t.Errorf("stdout: %q", r.stdout)
	}
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("Subject: hi\n\nhello\n", "-t", "-i", "someone@example.org").want(t, 0, "")
	msgs := s.Messages()
	if len(msgs) != 1 {
		t.Fatalf("%d messages arrived", len(msgs))
	}
	m := msgs[0]
	if m.Envelope.From != s.Mailbox || len(m.Envelope.To) != 1 || m.Envelope.To[0] != "someone@example.org" {
		t.Errorf("envelope %+v", m.Envelope)
	}
	if m.Header("Subject") != "hi" || m.Text() != "hello\n" {
		t.Errorf("message %q", m.Text())
	}
	for _, f := range []string{"Date", "Message-ID", "From", "To", "Received"} {
		if m.Header(f) == "" {
			t.Errorf("no %s", f)
		}
	}
}

func TestHeaderRecipients(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("To: a@example.org, root\nCc: grp: b@example.org, (x) c@example.org;\nBcc: hidden@example.org\nSubject: "+
		"x\n\n.\nnot cut\n",
		"-ti", "d@example.org", "a@EXAMPLE.org").want(t, 0, "")
	msgs := s.Messages()
	if len(msgs) != 1 {
		t.Fatalf("%d messages arrived", len(msgs))
	}
	to := msgs[0].Envelope.To
	got := strings.Join(to, " ")
	for _, want := range []string{"a@example.org", "b@example.org", "c@example.org", "d@example.org",
		"hidden@example.org"} {
		if strings.Count(strings.ToLower(got), want) != 1 {
			t.Errorf("%s is not there once: %s", want, got)
		}
	}
	if len(to) != 6 { // root_to is the sixth
		t.Errorf("recipients %s", got)
	}
	if strings.Contains(string(msgs[0].Data), "hidden@") {
		t.Error("Bcc leaks")
	}
	if msgs[0].Text() != ".\nnot cut\n" {
		t.Errorf("body %q", msgs[0].Text())
	}
}

func TestCronSender(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@web1> x\n\nout\n", "-FCronDaemon", "-i",
		"-B8BITMIME", "-oem", "root").want(t, 0, "")
	m := s.Messages()[0]
	if !strings.Contains(m.Header("From"), "<"+s.Mailbox+">") ||
		!strings.Contains(m.Header("From"), "Cron Daemon (root@") {
		t.Errorf("From: %s", m.Header("From"))
	}
	if m.Header("Reply-To") != "" {
		t.Errorf("Reply-To: %s", m.Header("Reply-To"))
	}
}

func TestReplyTo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("From: Alice <alice@elsewhere.org>\nTo: x@example.org\n\nhi\n", "-t", "-f", "alice@elsewhere.org").want(t, 0,
		"")
	m := s.Messages()[0]
	if want := "Alice <" + s.Mailbox + ">"; m.Header("From") != want && m.Header("From") != `"Alice" <`+s.Mailbox+">" {
		t.Errorf("From: %s, want %s", m.Header("From"), want)
	}
	if !strings.Contains(m.Header("Reply-To"), "alice@elsewhere.org") {
		t.Errorf("Reply-To: %s", m.Header("Reply-To"))
	}
}

func TestPartialRefusal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.run("Subject: x\n\nx\n", "-i", "good@example.org", "reject-me@example.org", "bad address@")
	if r.code == 0 {
		t.Error("a refused recipient is no success")
	}
	for _, want := range []string{"reject-me@example.org", "bad address@"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q is not told: %s", want, r.stderr)
		}
	}
	if m := s.Messages(); len(m) != 1 || m[0].Envelope.To[0] != "good@example.org" {
		t.Errorf("messages %+v", m)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("x\n").want(t, sysexits.Usage, "no recipients")
	s.run("Subject: x\n\n", "-t").want(t, sysexits.Usage, "no recipients")
	s.run("", "-Z").want(t, sysexits.Usage, "unknown flag")
	s.run("x\n", "-f", "a b@c d", "x@example.org").want(t, sysexits.Usage, "sender")
	if n := len(s.Messages()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

func TestVerbose(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.run("Subject: x\n\nx\n", "-v", "x@example.org")
	if r.code != 0 || !strings.Contains(r.stderr, "RCPT TO:<x@example.org>") ||
		!strings.Contains(r.stderr, "[redacted]") {
		t.Errorf("%d %s", r.code, r.stderr)
	}
	for _, secret := range []string{s.ClientSecret, "eyJ", "auth=Bearer"} {
		if strings.Contains(r.stderr, secret) {
			t.Errorf("the dialogue holds %q", secret)
		}
	}
}

func TestNoConfig(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config = filepath.Join(s.dir, "absent.toml")
	s.run("x\n", "x@example.org").want(t, sysexits.Config, "absent.toml")
	if err := os.WriteFile(s.config, []byte("tenant = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("x\n", "x@example.org").want(t, sysexits.Config, "tenant")
}
