package agent

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

// TestKeepsWhileBroken: whatever is wrong with the configuration, mail is accepted and
// kept, and goes out by the rules of the fixed one.
func TestKeepsWhileBroken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(toml string) string
		signal bool
	}{
		{"a typing error", func(s string) string { return strings.Replace(s, "\n[smtp]", "\nroot_too = \"x\"\n[smtp]", 1) }, true},
		{"no mailbox", func(s string) string { return strings.Replace(s, "mailbox ", "#", 1) }, true},
		{"not TOML", func(s string) string { return "tenant = = x\n" + s }, false},
		{"an unknown root", func(s string) string { return strings.Replace(s, "root_to ", "root_to = 5 #", 1) }, false},
		{"a missing secret", func(s string) string {
			return strings.Replace(s, "client_secret ", "client_secret_file = \"/nonexistent/s\" #", 1)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			good := s.toml("")
			s.write(c.change(good))
			s.start()
			if !strings.Contains(s.log(), "can't be used") {
				t.Errorf("the log does not tell:\n%s", s.log())
			}
			r, err := s.send(to("root", "a@example.org"), envelope.Options{Hops: 1}, "Subject: kept\r\n\r\nx\r\n")
			if err != nil || !r.Queued || r.QueueID == "" {
				t.Fatalf("receipt %+v, %v\n%s", r, err, s.log())
			}
			s.until("the message is on hold", func() bool {
				i, err := s.info(r.QueueID)
				return err == nil && i.Status.Held && strings.Contains(i.Status.Reason, "configuration")
			})
			if len(s.Messages()) != 0 {
				t.Fatal("a message went out")
			}
			s.write(good)
			if c.signal {
				s.reload <- syscall.SIGHUP
			}
			m := s.arrived(1)[0]
			if m.Envelope.From != s.Mailbox || len(m.Envelope.To) != 2 || m.Envelope.To[0] != s.RootTo || !strings.Contains(m.Header("From"), "www-data@web1") {
				t.Errorf("envelope %+v, From %q", m.Envelope, m.Header("From"))
			}
			if m.Header("Subject") != "kept" || strings.Contains(string(m.Data), envelope.OptionsField) {
				t.Errorf("message\n%s", m.Data)
			}
			s.until("the queue is empty", func() bool { return s.queued() == 0 })
			if _, err := s.send(to("b@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
				t.Error(err)
			}
			if n := len(s.arrived(2)); n != 2 {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}

// TestReasons: what mailq shows names the file that is missing and what to do, or one fault of several.
func TestReasons(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.toml")
	a := newAgent(Options{ConfigPath: path, Getenv: func(string) string { return "" }})
	want := "there is no configuration at " + path + "; run o365-sendmail setup"
	if r := a.read(); r.fault == nil || r.reason() != want {
		t.Errorf("no file: %v, want %q", r.fault, want)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := a.read()
	if r.fault == nil || !strings.Contains(r.reason(), "more; o365-sendmail config check") || strings.ContainsAny(r.reason(), "\n") || strings.Contains(r.reason(), "setup") {
		t.Errorf("an empty file: %q", r.reason())
	}
}

// TestKeptAcrossRestart: what a broken start kept, a good start sends.
func TestKeptAcrossRestart(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	good := s.toml("")
	s.write(strings.Replace(good, "mailbox ", "#", 1))
	s.start()
	if _, err := s.send(to("root"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.write(good)
	s.start()
	s.arrived(1)
}

// TestNoWayAfterMending: a kept message that turns out to have no way is put aside, not lost.
func TestNoWayAfterMending(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	good := strings.Replace(s.toml(""), "root_to ", "#", 1)
	s.write("broken\n" + good)
	s.start()
	r, err := s.send(to("nobody-here"), envelope.Options{}, "A: 1\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	s.write(good)
	s.reload <- syscall.SIGHUP
	s.until("it is in failed/", func() bool { i, err := s.info(r.QueueID); return err == nil && i.Failed })
}

// TestBrokenReload: a configuration that works is not given up for one that does not.
func TestBrokenReload(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.start()
	s.write("nonsense")
	s.reload <- syscall.SIGHUP
	s.until("the log tells", func() bool { return strings.Contains(s.log(), "stays in force") })
	if r, err := s.send(to("root"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil || r.Queued {
		t.Errorf("receipt %+v, %v", r, err)
	}
}

// TestReload: new rules hold for a connection that is open, and a new secret is used.
func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.start()
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.write(s.toml("[aliases]\nops = \"ops@example.org\"\n[from]\nsend_as = [\"app@contoso.com\"]\n"))
	s.reload <- syscall.SIGHUP
	s.until("it is read", func() bool { return strings.Contains(s.log(), "read again") })
	if _, err := c.Send(t.Context(), to("ops"), envelope.Options{}, message{"A: 1\r\n\r\n"}); err != nil {
		t.Fatal(err)
	}
	if m := s.arrived(1)[0]; m.Envelope.To[0] != "ops@example.org" {
		t.Errorf("envelope %+v", m.Envelope)
	}
}

// TestWrongSecret: mail is held while the secret is wrong and goes out when the file changes.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[delivery]\nwait = \"20s\"\n")
	good := s.toml("")
	s.write(strings.Replace(good, s.ClientSecret, "wrong~secret", 1))
	s.start()
	r, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n")
	if err != nil || !r.Queued {
		t.Fatalf("receipt %+v, %v", r, err)
	}
	s.write(good)
	s.arrived(1)
}

func TestSecondAgent(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.start()
	for name, toml := range map[string]string{
		"answers":             s.toml(""),
		"another agent works": strings.Replace(s.toml(""), s.socket, filepath.Join(s.dir, "other", "submit.sock"), 1),
	} {
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Run(t.Context(), Options{ConfigPath: path, HostName: "web1", Getenv: func(string) string { return "" }})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
		t.Errorf("the first agent suffered: %v", err)
	}
}

func TestNoSpool(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.write(strings.Replace(s.toml(""), "dir = \""+filepath.Join(s.dir, "spool"), "dir = \"", 1))
	err := Run(t.Context(), Options{ConfigPath: s.config, HostName: "web1", Getenv: func(string) string { return "" }})
	if sysexits.Code(err, 0) != sysexits.Config {
		t.Errorf("got %v", err)
	}
}

func TestConfigPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := func(name string) string {
		return map[string]string{"CREDENTIALS_DIRECTORY": dir, "O365_SENDMAIL_CONFIG": "/tmp/evil.toml", "HOME": "/tmp"}[name]
	}
	a := &Agent{o: Options{Getenv: env}}
	if got := a.path(); got != "/etc/o365-sendmail.toml" {
		t.Errorf("without a credential: %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "config"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := a.path(); got != filepath.Join(dir, "config") {
		t.Errorf("with a credential: %s", got)
	}
	a.o.ConfigPath = "/x.toml"
	if got := a.path(); got != "/x.toml" {
		t.Errorf("named: %s", got)
	}
}

// TestAliasesChange: who edits the alias file need not tell the agent.
func TestAliasesChange(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	path := filepath.Join(s.dir, "aliases")
	aliases := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	aliases("ops: one@example.org\n")
	s.write("aliases_file = \"" + path + "\"\n" + s.toml(""))
	s.start()
	s.send(to("ops"), envelope.Options{}, "A: 1\r\n\r\n")
	aliases("ops: two@example.org, three@example.org\n")
	s.agent.aliases.Lock()
	s.agent.aliases.looked = time.Time{} // as if some seconds had gone
	s.agent.aliases.Unlock()
	s.send(to("ops"), envelope.Options{}, "A: 1\r\n\r\n")
	m := s.arrived(2)
	if m[0].Envelope.To[0] != "one@example.org" || len(m[1].Envelope.To) != 2 {
		t.Errorf("%v and %v", m[0].Envelope.To, m[1].Envelope.To)
	}
}

// TestLogMoves: a reload puts log.to in force.
func TestLogMoves(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.start()
	moved := filepath.Join(s.dir, "moved")
	s.write(strings.Replace(s.toml(""), filepath.Join(s.dir, "log"), moved, 1))
	s.reload <- syscall.SIGHUP
	s.until("the log to move", func() bool {
		raw, _ := os.ReadFile(moved)
		return strings.Contains(string(raw), "the configuration was read again")
	})
	s.stop()
	if raw, _ := os.ReadFile(moved); !strings.Contains(string(raw), "the agent has stopped") ||
		strings.Contains(s.log(), "has stopped") {
		t.Errorf("the moved log has %q, and the old one %q", raw, s.log())
	}
}
