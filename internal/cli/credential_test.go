package cli

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// session records what is typed and what the program answers, for people to read.
type session struct {
	text strings.Builder
	hide *strings.Replacer
}

func (s *session) add(command string, r result) {
	fmt.Fprintf(&s.text, "# %s\n%s%s", command, r.stdout, r.stderr)
	if r.code != 0 {
		fmt.Fprintf(&s.text, "[exit code %d]\n", r.code)
	}
	s.text.WriteString("\n")
}

// changing is what differs from run to run.
var changing = []struct {
	find *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?s)(-----BEGIN CERTIFICATE-----\n).*?(\n-----END)`), "${1}MIID...${2}"},
	{regexp.MustCompile(`[0-9A-F]{40,64}`), "3F5C0A...E1"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\d(, in \d days|\n\n# o365-sendmail credential new)`), "2026-12-09$1"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\d(, in \d{3} days|\):)`), "2027-11-30$1"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d UTC`), "2026-12-09 02:30 UTC"},
	{regexp.MustCompile(`\d{8}T\d{6}Z`), "20261130T080000Z"},
	{regexp.MustCompile(`in \d{3} days`), "in 365 days"},
	{regexp.MustCompile(`localhost:\d+`), "login.microsoftonline.com"},
	{regexp.MustCompile(`\[AM0PR[^\]]*\]`), "[AM0PR00CA0001...]"},
	{regexp.MustCompile(`<[0-9a-f.]{20,}@[^<> ]*>`), "<8b23ffbb...@web1>"},
	{regexp.MustCompile(`Hostname=[^\]]*`), "Hostname=..."},
	{regexp.MustCompile(`trace [0-9a-f-]{36}`), "trace 0e5da873-..."},
}

func (s *session) golden(t *testing.T, name string) {
	t.Helper()
	got := s.hide.Replace(s.text.String())
	for _, v := range changing {
		got = v.find.ReplaceAllString(got, v.with)
	}
	path := filepath.Join("..", "..", "docs", "sessions", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%v; %s differs (go test ./internal/cli -run %s -update writes it again):\n%s", err, path, t.Name(),
			got)
	}
}

// TestCredentialSession rolls a secret over to a certificate beside a running agent. The record is docs/sessions.
func TestCredentialSession(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	home := strings.TrimSuffix(h.config, "config.toml")
	text, _ := os.ReadFile(h.config)
	h.mustWrite(t, "secret_expires = "+time.Now().AddDate(0, 0, 9).Format(time.DateOnly)+"\n"+string(text))
	log := &session{hide: strings.NewReplacer(home+"config", "/etc/o365-sendmail", "sudo ", "", h.ClientID,
		"2c1a7c38-...")}
	do := func(command string, code int) result {
		t.Helper()
		args := strings.Fields(command)
		r := h.verbAt("", append(args[1:], "-C", h.config)...)
		h.silent(t, r)
		if r.code != code || strings.Contains(r.stdout+r.stderr, "PRIVATE KEY") {
			t.Errorf("%s: exit %d\n%s%s", command, r.code, r.stdout, r.stderr)
		}
		log.add(command, r)
		return r
	}
	send := func() {
		t.Helper()
		h.call(strings.NewReader("Subject: still sending\n\nhello\n"), "-i", "root").want(t, 0, "")
	}
	do("o365-sendmail credential show", 0)
	made := do("o365-sendmail credential new-certificate --days 365", 0)
	send()
	before, _ := os.ReadFile(h.config)
	do("o365-sendmail credential test", sysexits.Config)
	do("o365-sendmail credential promote", sysexits.Config)
	if after, _ := os.ReadFile(h.config); string(after) != string(before) {
		t.Error("a refused credential has changed the configuration")
	}
	send()
	h.uploadFrom(t, made.stdout)
	fmt.Fprint(&log.text, "(the certificate is uploaded)\n\n")
	do("o365-sendmail credential test", 0)
	do("o365-sendmail credential promote", 0)
	do("o365-sendmail credential show", 0)
	h.Update(func(st *emulator.State) { st.Tenant(h.Tenant).Apps[h.ClientID].Secrets = nil }) // the old one is deleted
	if err := os.RemoveAll(filepath.Join(h.dir, "cache")); err != nil {
		t.Fatal(err)
	}
	send()
	if left, _ := filepath.Glob(filepath.Join(h.dir, "*.staged.toml")); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
	log.golden(t, "credential.txt")
}

func (s *site) mustWrite(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSetSecret: a secret comes from standard input or a file, is tried first, and shows nowhere.
func TestSetSecret(t *testing.T) {
	t.Parallel()
	const wrong = "wrong8Q~TheValueOfNoSecret0123456789abcdef"
	s := newSite(t)
	s.addSecret(nextSecret)
	s.mustWrite(t, "secret_expires = 2098-01-31\n"+s.ConfigTOML(s.dir))
	before, _ := os.ReadFile(s.config)
	file, pipe := filepath.Join(s.dir, "new.secret"), filepath.Join(s.dir, "pipe")
	if err := errors.Join(os.WriteFile(file, []byte(wrong+"\n"), 0o600), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		{wrong, []string{"set-secret"}, sysexits.Config, "nothing was changed: "},
		{"", []string{"set-secret", "--file", file}, sysexits.Config, "nothing was changed: "},
		{"", []string{"set-secret", "--file", "/nonexistent"}, sysexits.NoInput, "name one that is there"},
		{"", []string{"set-secret", "--file", pipe}, sysexits.Usage, "this has 0"},
		{"", []string{"stage", "--file", pipe}, sysexits.Usage, "this has 0"},
		{"", []string{"stage", "--file", s.dir}, sysexits.Usage, "is a folder"},
		{"", []string{"test", "--jsno"}, sysexits.Usage, "did you mean --json?"},
		{"", []string{"promote", "--file", file}, sysexits.Usage, "promote has no --file; set-secret or stage has it"},
		{"", []string{"--days", "3"}, sysexits.Usage, "show has no --days; new-certificate has it"},
		{"", []string{"set-secret", "--json"}, sysexits.Usage, "set-secret has no --json"},
		{"", []string{"stage", "--file", file, "--certificate-file", file}, sysexits.Usage, "can't be used together"},
		{"", []string{"stage", "--expires", "2099-01-31", "--pfx-file", file}, sysexits.Usage, "used together"},
		{"", []string{"stage", "--certificate-file", file, "--pfx-file", file}, sysexits.Usage, "used together"},
		{emulator.DefaultSecretID, []string{"set-secret"}, sysexits.Usage, "Secret ID"},
		{"", []string{"set-secret"}, sysexits.Usage, "about 40 characters"},
		{nextSecret, []string{"set-secret", "--expires", "1/31/2099"}, sysexits.Usage, "--expires: a date is written"},
		{nextSecret, []string{"set-secret", nextSecret}, sysexits.Usage, "unexpected argument"},
		{"", []string{"promote"}, sysexits.NoInput, "no credential is staged"},
		{"", []string{"promot"}, sysexits.Usage, "did you mean promote?"},
	} {
		r := s.verb(tt.stdin, append([]string{"credential"}, tt.args...)...)
		s.silent(t, r)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.want) || strings.Contains(r.stderr, wrong) {
			t.Errorf("%v: exit %d, %q", tt.args, r.code, r.stderr)
		}
	}
	if after, _ := os.ReadFile(s.config); string(after) != string(before) {
		t.Error("the configuration has changed")
	}
	r := s.verb(nextSecret+"\n", "credential", "set-secret", "--expires", "2099-01-31")
	after, _ := os.ReadFile(s.config)
	if r.code != 0 || !strings.Contains(string(after), nextSecret) ||
		!strings.Contains(string(after), "= 2099-01-31") ||
		strings.Contains(string(after), s.ClientSecret) || strings.Contains(r.stdout+r.stderr, nextSecret) {
		t.Errorf("exit %d, %s%s\n%s", r.code, r.stdout, r.stderr, after)
	}
	s.run("Subject: a\n\nb\n", s.RootTo).want(t, 0, "")
	if left, _ := filepath.Glob(filepath.Join(s.dir, ".o365*")); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// TestSetSecretInItsFile: where the configuration names a file for the secret, that file gets the new one and keeps
// owner and mode, and the old one's date goes.
func TestSetSecretInItsFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.addSecret(nextSecret)
	file := filepath.Join(s.dir, "client.secret")
	if err := os.WriteFile(file, []byte(s.ClientSecret+"\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	gid := os.Getgid()
	if os.Geteuid() == 0 {
		gid = 4711
		if err := os.Chown(file, 0, gid); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(s.ConfigTOML(s.dir), `client_secret = "`+s.ClientSecret+`"`,
		`client_secret_file = "`+file+`"`, 1)
	s.mustWrite(t, "secret_expires = 2098-01-31\n"+text)
	r := s.verb(nextSecret, "credential", "set-secret")
	s.silent(t, r)
	fi, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	now, _ := os.ReadFile(file)
	conf, _ := os.ReadFile(s.config)
	if r.code != 0 || string(now) != nextSecret+"\n" || fi.Mode().Perm() != 0o640 ||
		int(fi.Sys().(*syscall.Stat_t).Gid) != gid ||
		string(conf) != text {
		t.Errorf("exit %d, %s%s %v\n%s", r.code, r.stdout, r.stderr, fi.Mode(), conf)
	}
	s.run("Subject: a\n\nb\n", s.RootTo).want(t, 0, "")
}

// TestStage: what is staged changes nothing until it is promoted.
func TestStage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.addSecret(nextSecret)
	before, _ := os.ReadFile(s.config)
	if r := s.verb(nextSecret, "credential", "stage"); r.code != 0 || !strings.Contains(r.stdout, "Entra accepts it") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	if r := s.verb("wrong8Q~TheValueOfNoSecret0123456789abcdef", "credential", "stage"); r.code != 0 ||
		strings.Contains(r.stdout, "promote") || !strings.Contains(r.stdout, "right Value") {
		t.Errorf("a wrong secret: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	s.verb(nextSecret, "credential", "stage")
	staged := strings.TrimSuffix(s.config, ".toml") + ".staged.toml"
	if fi, err := os.Stat(staged); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi, err)
	}
	var rep credentialReport
	r := s.verb("", "credential", "test", "--json")
	s.silent(t, r)
	if err := json.Unmarshal([]byte(r.stdout), &rep); err != nil || r.code != 0 || rep.InForce.Entra != "accepted" ||
		rep.Staged == nil || rep.Staged.Entra != "accepted" {
		t.Errorf("exit %d, %v: %s%s", r.code, err, r.stdout, r.stderr)
	}
	if err := s.SetFault("token-500"); err != nil {
		t.Fatal(err)
	}
	if r := s.verb("", "credential", "promote"); r.code != sysexits.TempFail ||
		!strings.Contains(r.stderr, "nothing was changed") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
	if after, _ := os.ReadFile(s.config); string(after) != string(before) {
		t.Error("the configuration has changed")
	}
	if err := s.ClearFault("token-500"); err != nil {
		t.Fatal(err)
	}
	r = s.verb("", "credential", "promote")
	after, _ := os.ReadFile(s.config)
	if _, err := os.Stat(staged); r.code != 0 || err == nil || !strings.Contains(string(after), nextSecret) {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	if r := s.verb("", "credential", "stage", "--certificate-file", "/nonexistent.pem"); r.code != sysexits.Config ||
		!strings.Contains(r.stderr, "/nonexistent.pem") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
}

// TestStageExpired: a certificate that has expired is not staged, since an upload would not help.
func TestStageExpired(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if r := s.verb("", "credential", "new-certificate", "--days", "1"); r.code != 0 {
		t.Fatalf("exit %d, %s", r.code, r.stderr)
	}
	base := strings.TrimSuffix(s.config, ".toml")
	if err := os.Remove(base + ".staged.toml"); err != nil {
		t.Fatal(err)
	}
	stage := []string{"credential", "stage", "--certificate-file", base + ".crt", "--key-file", base + ".key"}
	if r := s.verb("", stage...); r.code != 0 || !strings.Contains(r.stdout, base+".crt") ||
		!strings.Contains(r.stdout, "expires on") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	if err := os.Remove(base + ".staged.toml"); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	if err != nil {
		t.Fatal(err)
	}
	old := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().AddDate(-1, 0, 0),
		NotAfter: time.Now().AddDate(0, 0, -3)}
	der, err := x509.CreateCertificate(rand.Reader, old, old, pair.Leaf.PublicKey, pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(base+".crt", text, 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.verb("", stage...)
	if _, err := os.Stat(base + ".staged.toml"); err == nil || r.code != sysexits.Config ||
		!strings.Contains(r.stderr, "nothing was staged: the certificate expired on ") {
		t.Errorf("exit %d, %v, %s%s", r.code, err, r.stdout, r.stderr)
	}
}

// TestNewCertificateAtTerminal: a person uploads, is told that Entra does not know it yet, and tries again.
func TestNewCertificateAtTerminal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := newConsole(t)
	done := c.start(t.Context(), s, "credential", "new-certificate", "-C", s.config)
	c.types("When it is uploaded, press Enter.", "")
	c.sees("not yet: ")
	c.sees("Try again? [Y/n] ")
	s.uploadFrom(t, c.text())
	fmt.Fprintln(c.master)
	select {
	case code := <-done:
		text, _ := os.ReadFile(s.config)
		if code != 0 || !strings.Contains(string(text), `type = "certificate"`) ||
			strings.Contains(string(text), s.ClientSecret) {
			t.Errorf("exit %d\n%s", code, c.text())
		}
	case <-time.After(time.Minute):
		t.Fatalf("it does not end\n%s", c.text())
	}
	s.run("Subject: a\n\nb\n", s.RootTo).want(t, 0, "")
}
