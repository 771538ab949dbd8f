package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/doctor"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// verb calls the program as o365-sendmail with the site's configuration, where no agent runs.
func (s *site) verb(stdin string, args ...string) result {
	return s.verbWith(filepath.Join(s.dir, "no.sock"), stdin, args)
}

// verbAt is verb where the agent runs.
func (h *hostWithAgent) verbAt(stdin string, args ...string) result {
	return h.verbWith(h.socket, stdin, args)
}

func (s *site) verbWith(socket, stdin string, args []string) result {
	var out, errs bytes.Buffer
	code := Main(context.Background(), Env{
		Args:  append([]string{"/usr/bin/o365-sendmail"}, args...),
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		Getenv: func(name string) string {
			if name == "O365_SENDMAIL_CONFIG" {
				return s.config
			}
			return ""
		},
		Now: time.Now, UID: os.Getuid(), Version: "test", Socket: socket,
	})
	checkJSON(s.t, args, out.String())
	return result{code, out.String(), errs.String()}
}

// silent fails if the secret or a token shows.
func (s *site) silent(t *testing.T, r result) {
	t.Helper()
	if all := r.stdout + r.stderr; s.tells(all) {
		t.Errorf("a secret shows:\n%s", all)
	}
}

var certificateText = regexp.MustCompile(`(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----`)

// tells reports whether a text has the secret or a token, a JWT, in it. A certificate is public, and chance may write
// anything there.
func (s *site) tells(text string) bool {
	text = certificateText.ReplaceAllString(text, "")
	return strings.Contains(text, s.ClientSecret) || strings.Contains(text, "eyJ")
}

func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.writeConfig(t, "secret_expires = 2099-01-31\n"+s.ConfigTOML(s.dir))
	r := s.verb("", "doctor", "--send-to", "someone@example.org")
	s.silent(t, r)
	if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "ok       message: to someone@example.org: 250 2.0.0 OK <") {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if n := len(s.Messages()); n != 1 {
		t.Errorf("%d messages arrived", n)
	}
}

func TestDoctorJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.SetFault("sp-missing"); err != nil {
		t.Fatal(err)
	}
	r := s.verb("", "doctor", "--json")
	s.silent(t, r)
	var rep doctor.Report
	if err := json.Unmarshal([]byte(r.stdout), &rep); err != nil {
		t.Fatalf("%v in %q", err, r.stdout)
	}
	if c := rep.Find("sign-in", ""); r.code != sysexits.Config || rep.Exit != r.code || rep.Schema != 1 || c == nil || c.Key != "service-principal" || rep.Next != c.Hint {
		t.Errorf("exit %d\n%s", r.code, r.stdout)
	}
}

func TestDoctorReport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.verb("", "doctor", "--report", "--strict")
	s.silent(t, r)
	for _, private := range []string{"contoso", s.Tenant, s.ClientID, s.dir} {
		if strings.Contains(r.stdout, private) {
			t.Errorf("%q is in\n%s", private, r.stdout)
		}
	}
	if r.code != doctor.ExitWarning || !strings.Contains(r.stdout, "next: fix expiry: ") {
		t.Errorf("exit %d\n%s", r.code, r.stdout)
	}
}

// TestSendTestRefused shows the relay's words and the exit code of the fault.
func TestSendTestRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.SetFault("smtp-auth-tenant"); err != nil {
		t.Fatal(err)
	}
	r := s.verb("", "send-test", "someone@example.org")
	s.silent(t, r)
	if r.code != sysexits.Config || !strings.Contains(r.stderr, "535 5.7.139") || !strings.Contains(r.stderr, "Set-CASMailbox") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
	r = s.verb("", "send-test", "--json", "someone@example.org")
	var out struct {
		Sent  bool
		Error string
		Exit  int
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || out.Sent || out.Exit != r.code || !strings.Contains(out.Error, "535 5.7.139") {
		t.Errorf("%v %+v in %q", err, out, r.stdout)
	}
}

func TestSendTest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.verb("", "send-test", "someone@example.org")
	if r.code != 0 || !strings.HasPrefix(r.stdout, "sent to someone@example.org: 250 2.0.0 OK <") {
		t.Errorf("exit %d, %q %q", r.code, r.stdout, r.stderr)
	}
	if r := s.verb("", "send-test", "root"); r.code != 0 {
		t.Errorf("exit %d, %q %q", r.code, r.stdout, r.stderr)
	}
	msgs := s.Messages()
	if len(msgs) != 2 || msgs[0].Header("Subject") == "" || msgs[1].To[0] != s.RootTo {
		t.Errorf("%+v", msgs)
	}
}

// TestToken prints claims, and the token only with --raw.
func TestToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.verb("", "token")
	s.silent(t, r)
	for _, want := range []string{"expires ", "aud      https://outlook.office365.com", "appid    " + s.ClientID, "roles    SMTP.SendAsApp", "oid "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in\n%s", want, r.stdout)
		}
	}
	r = s.verb("", "token", "--json")
	s.silent(t, r)
	var v tokenView
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil || v.ExpiresIn < 3000 || len(v.Roles) != 1 {
		t.Errorf("%v %+v", err, v)
	}
	first := s.verb("", "token", "--raw").stdout
	if strings.Count(first, ".") != 2 || strings.Count(first, "\n") != 1 || !strings.HasPrefix(first, "eyJ") {
		t.Errorf("--raw prints %d bytes", len(first))
	}
	if again := s.verb("", "token", "--raw").stdout; again != first {
		t.Error("the cache was not used")
	}
	if n := s.TokenRequests(); n != 1 {
		t.Errorf("%d token requests", n)
	}
	if other := s.verb("", "token", "--raw", "--refresh").stdout; other == first || s.TokenRequests() != 2 {
		t.Errorf("--refresh got the same token, %d requests", s.TokenRequests())
	}
}

func TestTokenFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.SetFault("secret-expired"); err != nil {
		t.Fatal(err)
	}
	r := s.verb("", "token", "--raw")
	s.silent(t, r)
	if r.code != sysexits.Config || r.stdout != "" || !strings.Contains(r.stderr, "AADSTS7000222") {
		t.Errorf("exit %d, %q %q", r.code, r.stdout, r.stderr)
	}
}

func TestConfigShow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.verb("", "config", "show")
	s.silent(t, r)
	for _, want := range []string{"mailbox = \"noreply@contoso.test\"  # " + s.config + ":", "client_secret = \"[redacted]\"", "delivery.mode = \"interactive\"  # default"} {
		if !strings.Contains(strings.ReplaceAll(r.stdout, "= [redacted]", "= \"[redacted]\""), want) {
			t.Errorf("%q is not in\n%s", want, r.stdout)
		}
	}
	r = s.verb("", "config", "show", "--json")
	s.silent(t, r)
	if !json.Valid([]byte(r.stdout)) {
		t.Errorf("%q", r.stdout)
	}
	// What can't be shown is no document of show's kind.
	r = s.verb("", "config", "show", "--json", "-C", "/no/such.toml")
	if r.code != sysexits.Config || r.stdout != "" || r.stderr != "o365-sendmail: error: /no/such.toml: no such file\n" {
		t.Errorf("exit %d, %q %q", r.code, r.stdout, r.stderr)
	}
}

// TestConfigCheck lists every fault.
func TestConfigCheck(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if r := s.verb("", "config", "check"); r.code != 0 || !strings.Contains(r.stdout, "is valid") {
		t.Errorf("exit %d, %q %q", r.code, r.stdout, r.stderr)
	}
	s.writeConfig(t, "tennant = \"x\"\nmailbox = \"nobody\"\n")
	r := s.verb("", "config", "check")
	if r.code != sysexits.Config || strings.Count(r.stderr, "o365-sendmail: error: ") < 4 || !strings.Contains(r.stderr, "did you mean tenant?") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
	var out struct {
		Valid  bool
		Faults []fault
	}
	r = s.verb("", "config", "check", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || out.Valid || len(out.Faults) < 4 {
		t.Errorf("%v %+v", err, out)
	}
}

// TestAsRoot: who may not read the configuration is told who may, and by which command.
func TestAsRoot(t *testing.T) {
	t.Parallel()
	err := asRoot(&fs.PathError{Op: "open", Path: "/etc/x", Err: syscall.EACCES}, "config show")
	if want := "open /etc/x: permission denied; run: sudo o365-sendmail config show"; err.Error() != want ||
		deliver.ExitCode(err) != sysexits.NoPerm {
		t.Errorf("%v, exit %d", err, deliver.ExitCode(err))
	}
	if err := asRoot(fs.ErrNotExist, "config show"); err != fs.ErrNotExist {
		t.Error(err)
	}
}

// TestConfigCheckFiles: the files of secrets are looked at as well, and none of them keeps the check waiting.
func TestConfigCheckFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	file := filepath.Join(t.TempDir(), "secret")
	check := func(what, more, want string) {
		t.Helper()
		s.writeConfig(t, s.ConfigTOML(s.dir)+more)
		r := s.verb("", "config", "check")
		if wantCode := map[bool]int{true: sysexits.OK, false: sysexits.Config}[want == ""]; r.code != wantCode ||
			!strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit %d, %q", what, r.code, r.stderr)
		}
	}
	webhook := fmt.Sprintf("[alerts]\nwebhook_file = %q\n", file)
	check("none", webhook, "alerts.webhook_file: no such file")
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	check("a FIFO", webhook, "alerts.webhook_file: not a regular file")
	for text, want := range map[string]string{"https://example.org/x\n": "", "x\n": "alerts.webhook_file: "} {
		if err := errors.Join(os.Remove(file), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		check(text, webhook, want)
	}
	check("a service's", "[alerts]\nwebhook_file = \"credential:webhook\"\n", "")
}

// TestConfigCheckOptional: what mail does without is a fault to the check, and to nobody else.
func TestConfigCheckOptional(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.writeConfig(t, s.ConfigTOML(s.dir)+"[agent]\nlisten = \"0.0.0.0:25\"\nmetrics_file = \"here\"\n[spool]\n"+
		"dir = \"\"\n")
	if r := s.verb("", "config", "check"); r.code != sysexits.Config ||
		strings.Count(r.stderr, "o365-sendmail: error: ") != 2 || r.stdout != "" {
		t.Errorf("exit %d, %q %q", r.code, r.stdout, r.stderr)
	}
	if r := s.verb("", "config", "check", "--json"); r.code != sysexits.Config ||
		!strings.Contains(r.stdout, `"valid": false`) {
		t.Errorf("exit %d, %q", r.code, r.stdout)
	}
	s.run("Subject: x\n\n", "-i", "someone@example.org").want(t, 0, "")
	if n := len(s.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestVerbUsage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, args := range [][]string{
		{"doctor", "--wrong"}, {"doctor", "extra"}, {"doctor", "--way", "other"}, {"doctor", "--send-to", "a b"}, {"send-test"}, {"send-test", "a@b.example", "c@d.example"},
		{"send-test", "bad\naddress@x.example"}, {"token", "--raw", "--json"}, {"config"}, {"config", "maybe"},
	} {
		if r := s.verb("", args...); r.code != sysexits.Usage || r.stdout != "" || !strings.HasPrefix(r.stderr, "o365-sendmail: error: ") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%q: exit %d, %q %q", args, r.code, r.stdout, r.stderr)
		}
	}
	if r := s.verb("", "doctor", "--nagios", "--way", "other"); r.code != 3 || r.stderr != "" ||
		!strings.HasPrefix(r.stdout, "O365-SENDMAIL UNKNOWN - doctor: ") {
		t.Errorf("--nagios: exit %d, %q %q", r.code, r.stdout, r.stderr)
	}
	for _, verb := range []string{"doctor", "send-test", "token", "config"} {
		if r := s.verb("", verb, "--help"); r.code != 0 || !strings.HasPrefix(r.stdout, "usage: o365-sendmail "+verb) {
			t.Errorf("%s --help: exit %d, %q", verb, r.code, r.stdout)
		}
	}
}

// TestDoctorThroughAgent: the agent keeps a message that can't be delivered; the doctor
// still names the missing permission, and says later that nothing is wrong any more.
func TestDoctorThroughAgent(t *testing.T) {
	t.Parallel()
	h := newHost(t, "[delivery]\nwait = \"3s\"\n")
	h.withExpiry(t)
	verb := func(args ...string) result {
		var out, errs bytes.Buffer
		code := Main(context.Background(), Env{
			Args: append([]string{"o365-sendmail"}, args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
			Getenv: func(string) string { return "" }, Now: time.Now, UID: os.Getuid(), Version: "test", Socket: h.socket,
		})
		return result{code, out.String(), errs.String()}
	}
	if err := h.SetFault("full-access-missing"); err != nil {
		t.Fatal(err)
	}
	r := verb("doctor", "-C", h.config, "--send-to", "someone@example.org")
	h.silent(t, r)
	if r.code != sysexits.Config || !strings.Contains(r.stdout, "error    message: ") ||
		!strings.Contains(r.stdout, "\n           Add-MailboxPermission -Identity noreply@contoso.test -User "+
			emulator.DefaultObjectID+" -AccessRights FullAccess\n") ||
		!strings.Contains(r.stdout, "next: fix message: ") {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := verb("queue", "list", "-C", h.config); strings.Contains(r.stdout, "someone@example.org") {
		t.Errorf("the doctor's message stays:\n%s", r.stdout)
	}
	r = verb("send-test", "-C", h.config, "someone@example.org")
	if r.code != sysexits.TempFail || !strings.Contains(r.stderr, "is in the queue as ") || !strings.Contains(r.stderr, "430 4.2.0") {
		t.Errorf("exit %d, %q %q", r.code, r.stdout, r.stderr)
	}
	if err := h.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	r = verb("doctor", "-C", h.config)
	if r.code != 0 || !strings.Contains(r.stdout, "warning  queue: mail waits: ") ||
		!strings.Contains(r.stdout, "next: "+host.Hint("sudo o365-sendmail queue flush", os.Getuid())) {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// withExpiry adds what the doctor would miss in the host's configuration.
func (h *hostWithAgent) withExpiry(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	text = append([]byte("secret_expires = 2099-01-31\nalert_to = \"it@contoso.test\"\n"), text...)
	if err := os.WriteFile(h.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	e := Env{Socket: h.socket, UID: os.Getuid()}
	if said := e.reloadAgent(t.Context(), h.config); said != "the agent has read it" {
		t.Error(said)
	}
}
