package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
)

// addSecret makes a further client secret at Entra.
func (s *site) addSecret(value string) {
	s.Update(func(st *emulator.State) {
		st.Tenant(s.Tenant).Apps[s.ClientID].Secrets["0b2a1d64-8f0e-4a5b-9d4e-3b1f5c7a9e02"] = &emulator.Secret{
			Value: value}
	})
}

const nextSecret = "nxt8Q~TheNextValueOfASecret0123456789abc"

// diff lists the lines that only one of two texts has.
func diff(before, after string) string {
	var out []string
	only := func(mark, a, b string) {
		for line := range strings.Lines(a) {
			if !strings.Contains("\n"+b, "\n"+line) {
				out = append(out, mark+strings.TrimSpace(line))
			}
		}
	}
	only("-", before, after)
	only("+", after, before)
	return strings.Join(out, " ")
}

// TestSetupChangesOneValue: on a host that is configured a flag changes what it names, and nothing else.
func TestSetupChangesOneValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"mailbox", "", []string{"--mailbox", "alerts@contoso.test"},
			`-mailbox       = "noreply@contoso.test" +mailbox = "alerts@contoso.test"`},
		{"way", "", []string{"--way", "scoped"}, `+way = "scoped"`},
		{"root", "", []string{"--root-to", "new@contoso.test"},
			`-root_to       = "it@contoso.test" # kept +root_to = "new@contoso.test"`},
		{"date", "", []string{"--secret-expires", "2099-01-31"}, `+secret_expires = 2099-01-31`},
		{"key", "", []string{"--set", "delivery.wait=2m"}, `+[delivery] +wait = "2m"`},
		{"nothing", "", nil, ""},
		{"the same", "", []string{"--mailbox", "noreply@contoso.test"}, ""},
		{"secret", nextSecret + "\n", []string{"--client-secret-stdin"},
			`-client_secret = "OLD" +client_secret = "NEW"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.addSecret(nextSecret)
			s.writeConfig(t, strings.Replace(s.ConfigTOML(s.dir), `"it@contoso.test"`, `"it@contoso.test" # kept`, 1))
			before, _ := os.ReadFile(s.config)
			args := append([]string{"setup", "--config", s.config, "--json"}, tt.args...)

			r := s.verb(tt.stdin, append(args, "--dry-run")...)
			var dry setupOutcome
			if err := json.Unmarshal([]byte(r.stdout), &dry); err != nil || r.code != 0 ||
				dry.Changed != (tt.want != "") ||
				len(dry.Changes) > 0 != dry.Changed {
				t.Errorf("dry run: exit %d, %v, %+v %s", r.code, err, dry.Changes, r.stderr)
			}
			s.silent(t, r)
			if now, _ := os.ReadFile(s.config); string(now) != string(before) {
				t.Error("a dry run has changed the file")
			}

			r = s.verb(tt.stdin, args...)
			s.silent(t, r)
			var out setupOutcome
			if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || out.Changed != dry.Changed {
				t.Errorf("exit %d, %v %s", r.code, err, r.stderr)
			}
			after, _ := os.ReadFile(s.config)
			got := strings.NewReplacer(s.ClientSecret, "OLD", nextSecret,
				"NEW").Replace(diff(string(before), string(after)))
			if got != tt.want {
				t.Errorf("changed:\n%s\nwant:\n%s", got, tt.want)
			}
			if strings.Contains(r.stdout+r.stderr, nextSecret) {
				t.Error("the secret shows")
			}
		})
	}
}

// TestSetupKeepsWhatWorks: what can't be read, or what Entra refuses, never takes the place of what works.
func TestSetupKeepsWhatWorks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"--client-secret-file", "/nonexistent"}, "/nonexistent"},
		{"", []string{"--certificate-file", "/nonexistent.pem"}, "/nonexistent.pem"},
		{"wrong8Q~TheValueOfNoSecret0123456789abcdef", []string{"--client-secret-stdin"}, "the present account works"},
		{"", []string{"--client-id", "11111111-2222-4333-8444-555555555555"}, "the present account works"},
		{"", []string{"--new-certificate"}, "the present account works"},
		{"", []string{"--set", "smtp.port=many"}, "smtp.port"},
	} {
		s := newSite(t)
		s.writeConfig(t, s.ConfigTOML(s.dir))
		before, _ := os.ReadFile(s.config)
		r := s.verb(tt.stdin, append([]string{"setup", "--config", s.config}, tt.args...)...)
		s.silent(t, r)
		after, _ := os.ReadFile(s.config)
		left, _ := filepath.Glob(filepath.Join(s.dir, "config*"))
		if r.code != sysexits.Config || !strings.Contains(r.stderr, tt.want) || string(before) != string(after) ||
			len(left) != 1 {
			t.Errorf("%v: exit %d, %q; left: %q", tt.args, r.code, r.stderr, left)
		}
	}
}

// TestSetupReplacesWhatFails: where nothing works there is nothing to lose.
func TestSetupReplacesWhatFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.SetFault("secret-expired"); err != nil {
		t.Fatal(err)
	}
	r := s.verb("other8Q~TheValueOfNoSecret0123456789abcdef", "setup", "--config", s.config, "--client-secret-stdin")
	if text, _ := os.ReadFile(s.config); !strings.Contains(string(text), "other8Q~") || r.code != sysexits.Config {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestSetupAsksNothing: at a terminal, too, a flag changes one value of a host that is configured.
func TestSetupAsksNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := newConsole(t)
	done := c.start(t.Context(), s, "setup", "--config", s.config, "--root-to", "new@contoso.test", "--no-doctor")
	c.sees("Write " + s.config + "? [Y/n] ")
	fmt.Fprintln(c.master)
	select {
	case code := <-done:
		if text, _ := os.ReadFile(s.config); code != 0 ||
			!strings.Contains(string(text), `root_to = "new@contoso.test"`) {
			t.Errorf("exit %d\n%s", code, text)
		}
	case <-time.After(time.Minute):
		t.Fatal("setup does not end")
	}
}

// TestSetupKeepsSecret: who is asked keeps the present values by pressing Enter, the secret among them.
func TestSetupKeepsSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before, _ := os.ReadFile(s.config)
	c := newConsole(t)
	done := c.start(t.Context(), s, "setup", "--config", s.config, "--no-doctor")
	c.types("Kind of credential", "")
	c.types("Directory (tenant) ID", "")
	c.types("Application (client) ID", "")
	c.sees("empty keeps the present one")
	c.types("", "")
	c.types("The secret's last day", "")
	c.types("How the application may send", "")
	c.types("Mailbox that sends", "")
	c.types("Where root's mail goes", "")
	c.types("Who is told when mail stops", "")
	c.sees("Write " + s.config + "? [Y/n] ")
	fmt.Fprintln(c.master)
	select {
	case code := <-done:
		after, _ := os.ReadFile(s.config)
		if got := diff(string(before), string(after)); code != 0 || got != `+way = "scoped"` {
			t.Errorf("exit %d, changed: %s", code, got)
		}
	case <-time.After(time.Minute):
		t.Fatal("setup does not end")
	}
}

// TestSetupReloadsAgent: the agent has read the new file when setup looks at what it does.
func TestSetupReloadsAgent(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	h.addSecret(nextSecret)
	h.Update(func(st *emulator.State) {
		for id, secret := range st.Tenant(h.Tenant).Apps[h.ClientID].Secrets {
			if secret.Value != nextSecret {
				delete(st.Tenant(h.Tenant).Apps[h.ClientID].Secrets, id)
			}
		}
	})
	r := h.verbAt(nextSecret, "setup", "--config", h.config, "--client-secret-stdin", "--send-to", h.RootTo)
	if r.code != 0 || !strings.Contains(r.stdout, "the agent has read it") ||
		!strings.Contains(r.stdout, "ok       message: to "+h.RootTo) {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestDoctorSeesOldConfiguration: an agent that has not read the file that is there does other things than the
// doctor sees in it.
func TestDoctorSeesOldConfiguration(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	if r := h.verbAt("", "doctor", "-C", h.config); strings.Contains(r.stdout, "has not read") {
		t.Errorf("%s", r.stdout)
	}
	time.Sleep(10 * time.Millisecond) // file times have the kernel's ticks
	text, _ := os.ReadFile(h.config)
	if err := os.WriteFile(h.config, append(text, "# later\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := h.verbAt("", "doctor", "-C", h.config); !strings.Contains(r.stdout, "the agent has not read "+h.config) {
		t.Errorf("%s", r.stdout)
	}
}

// TestSetupScript writes the tenant's script, and nothing over what is not ours.
func TestSetupScript(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before, _ := os.ReadFile(s.config)
	file := filepath.Join(s.dir, "tenant.ps1")
	for range 2 {
		r := s.verb("", "setup", "--config", s.config, "--script", file, "--no-doctor")
		s.silent(t, r)
		text, err := os.ReadFile(file)
		if r.code != 0 || err != nil || !setup.IsScript(string(text)) ||
			!strings.Contains(string(text), "'"+s.ClientID+"'") {
			t.Errorf("exit %d, %v: %s%s\n%s", r.code, err, r.stdout, r.stderr, text)
		}
	}
	if r := s.verb("", "setup", "--config", s.config, "--script", "-"); r.code != 0 || !setup.IsScript(r.stdout) {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
	if r := s.verb("", "setup", "--config", s.config, "--script", s.config); r.code != sysexits.Usage ||
		!strings.Contains(r.stderr, "is not a script of o365-sendmail") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
	if after, _ := os.ReadFile(s.config); string(after) != string(before) {
		t.Error("the configuration has changed")
	}
}
