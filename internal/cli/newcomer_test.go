package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// console is a pseudo-terminal with somebody at its keyboard.
type console struct {
	t             *testing.T
	master, slave *os.File
	mu            sync.Mutex
	screen        strings.Builder
	changed       chan struct{}
	read          int // how much of the screen has been looked at
}

func newConsole(t *testing.T) *console {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal can be opened: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal can be opened: %v", err)
	}
	c := &console{t: t, master: master, slave: slave, changed: make(chan struct{}, 1)}
	t.Cleanup(func() { slave.Close(); master.Close() })
	go c.watch()
	return c
}

func (c *console) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := c.master.Read(buf)
		c.mu.Lock()
		c.screen.Write(buf[:n])
		c.mu.Unlock()
		select {
		case c.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.ReplaceAll(c.screen.String(), "\r\n", "\n")
}

// sees waits until the words are on the screen, after what was seen before.
func (c *console) sees(words string) {
	c.t.Helper()
	c.await(words, func(unread string) int {
		if i := strings.Index(unread, words); i >= 0 {
			return i + len(words)
		}
		return -1
	})
}

// prompted waits until the cursor stands behind a prompt. Hints have the same mark between their
// words, and what is typed before a secret's prompt is dropped.
func (c *console) prompted() {
	c.t.Helper()
	c.await("a prompt", func(unread string) int {
		last := unread[strings.LastIndexByte(unread, '\n')+1:]
		if last == "> " || last == " > " || strings.HasSuffix(last, "] > ") {
			return len(unread)
		}
		return -1
	})
}

// await waits until found tells how much of what is new on the screen has been looked at.
func (c *console) await(words string, found func(unread string) int) {
	c.t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		text := c.text()
		if n := found(text[c.read:]); n >= 0 {
			c.read += n
			return
		}
		select {
		case <-c.changed:
		case <-timeout:
			c.t.Fatalf("%q does not appear after\n%s", words, text)
		}
	}
}

// types waits for the question and answers it.
func (c *console) types(question, answer string) {
	c.t.Helper()
	c.sees(question)
	c.prompted()
	if _, err := io.WriteString(c.master, answer+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// start runs the program at the console.
func (c *console) start(ctx context.Context, s *site, args ...string) <-chan int {
	done := make(chan int, 1)
	go func() {
		done <- Main(ctx, Env{
			Args: append([]string{"o365-sendmail"}, args...), Stdin: c.slave, Stdout: c.slave, Stderr: c.slave,
			Getenv: func(string) string { return "" }, Now: time.Now, UID: os.Getuid(), Version: "test", Socket: filepath.Join(s.dir, "no.sock"),
		})
	}()
	return done
}

// plumbing is what a configuration for the emulator has besides the answers.
func (s *site) plumbing() string {
	_, rest, _ := strings.Cut(s.ConfigTOML(s.dir), "\n[smtp]")
	return "# Kept by the administrator.\naliases_file = \"\"\n\n[smtp]" + rest
}

// nothingDone is a tenant in which the article's first step has been taken: there is an
// application and a mailbox, no more.
func nothingDone(st *emulator.State, s *site) {
	tenant := st.Tenant(s.Tenant)
	tenant.Apps[s.ClientID].Roles = nil
	delete(tenant.ServicePrincipals, s.ClientID)
	box := tenant.Mailboxes[s.Mailbox]
	box.FullAccess, box.SendAs, box.SMTPAuthDisabled = map[string]*emulator.Grant{}, map[string]*emulator.Grant{}, nil
}

// commandArgs splits a command of PowerShell into its name and what its parameters are set to.
func commandArgs(line string) (name string, args map[string]string) {
	args = map[string]string{}
	words := regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`).FindAllString(line, -1)
	for i, w := range words {
		if strings.HasPrefix(w, "-") && i+1 < len(words) {
			args[w] = strings.Trim(words[i+1], `"'`)
		}
	}
	if len(words) > 0 {
		name = words[0]
	}
	return name, args
}

// followSteps does in the tenant what the printed steps and commands say, with their values, and nothing else.
func followSteps(t *testing.T, s *site, screen string) {
	t.Helper()
	_, screen, _ = strings.Cut(screen, "In the tenant, what may be left to do:")
	s.Update(func(st *emulator.State) {
		tenant, off, group := st.Tenant(s.Tenant), false, ""
		if strings.Contains(screen, "Grant admin consent") {
			tenant.Apps[s.ClientID].Roles = []string{"SMTP.SendAsApp"}
		}
		for line := range strings.Lines(screen) {
			name, args := commandArgs(line)
			switch name {
			case "New-ServicePrincipal":
				tenant.ServicePrincipals[args["-AppId"]] = &emulator.ServicePrincipal{ObjectID: args["-ObjectId"]}
			case "Set-CASMailbox":
				tenant.Mailboxes[args["-Identity"]].SMTPAuthDisabled = &off
			case "Add-MailboxPermission":
				tenant.Mailboxes[args["-Identity"]].FullAccess[args["-User"]] = &emulator.Grant{}
			case "Add-RecipientPermission":
				tenant.Mailboxes[args["-Identity"]].SendAs[args["-Trustee"]] = &emulator.Grant{}
			case "New-DistributionGroup":
				group = args["-Members"]
			case "New-ManagementRoleAssignment":
				tenant.RoleAssignments[args["-App"]] = &emulator.RoleAssignment{Mailboxes: []string{group}}
			}
		}
	})
}

// TestNewcomer goes from the values of the portal, typed with a few mistakes, to a
// delivered mail.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Update(func(st *emulator.State) { nothingDone(st, s) })
	s.writeConfig(t, s.plumbing())
	c := newConsole(t)
	done := c.start(t.Context(), s, "setup", "--config", s.config)

	c.types("Kind of credential", "secret")
	c.types("Directory (tenant) ID", s.Tenant[:35])
	c.sees("part of it is missing")
	c.types("", s.Tenant)
	c.types("Application (client) ID", s.Tenant)
	c.sees("the tenant's ID again")
	c.types("", s.ClientID)
	c.types("Client secret (its Value)", emulator.DefaultSecretID)
	c.sees("this is the Secret ID")
	c.types("", s.ClientSecret)
	c.types("The secret's last day", "31.1.2099")
	c.sees("a date is written as 2027-01-31")
	c.types("", "2099-01-31")
	c.types("How the application may send", "both")
	c.sees("scoped (the scoped role) or api (the API permission)")
	c.types("", "api")
	c.types("Mailbox that sends", "noreply")
	c.sees("an address is written as name@domain")
	c.types("", s.Mailbox)
	c.types("Where root's mail goes", s.RootTo)
	c.types("Who is told when mail stops", "")
	c.sees("Write " + s.config + "? [Y/n] ")
	fmt.Fprintln(c.master)
	c.sees("is written (mode 0600)")
	c.sees("When that is done:")
	followSteps(t, s, c.text())
	c.types("["+s.RootTo+"]", "")

	select {
	case code := <-done:
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(time.Minute):
		t.Fatal("setup does not end")
	}
	c.sees("ok       message: to " + s.RootTo + ": 250 2.0.0 OK <")
	c.sees("next: nothing to do")
	if s.tells(c.text()) {
		t.Error("the secret or a token shows")
	}
	msgs := s.Messages()
	if len(msgs) != 1 || msgs[0].To[0] != s.RootTo || msgs[0].SignIn != s.Mailbox {
		t.Errorf("%d messages arrived", len(msgs))
	}
	text, err := os.ReadFile(s.config)
	if err != nil || !strings.HasPrefix(string(text), "# Kept by the administrator.") || !strings.Contains(string(text), `client_secret = "`+s.ClientSecret+`"`) {
		t.Errorf("%v\n%s", err, text)
	}
	// From here on mail goes by the same configuration.
	s.run("Subject: cron\n\nhello\n", "root").want(t, 0, "")
}

// TestSetupInterrupted: Ctrl-C changes nothing, and the terminal shows what is typed again.
func TestSetupInterrupted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.writeConfig(t, s.plumbing())
	before, _ := os.ReadFile(s.config)
	c := newConsole(t)
	ctx, interrupt := context.WithCancel(t.Context())
	done := c.start(ctx, s, "setup", "--config", s.config, "--tenant", s.Tenant, "--client-id", s.ClientID)
	c.types("Kind of credential", "secret")
	c.sees("Client secret (its Value)")
	c.sees("> ")
	interrupt()
	if code := <-done; code != sysexits.Usage {
		t.Errorf("exit code %d", code)
	}
	c.sees("nothing was changed")
	if after, _ := os.ReadFile(s.config); string(after) != string(before) {
		t.Error("the configuration has changed")
	}
	tio, err := unix.IoctlGetTermios(int(c.slave.Fd()), unix.TCGETS)
	if err != nil || tio.Lflag&unix.ECHO == 0 {
		t.Errorf("the terminal is left silent: %v", err)
	}
}

// setupArgs are all answers as flags.
func (s *site) setupArgs(more ...string) []string {
	return append([]string{"setup", "--config", s.config, "--tenant", s.Tenant, "--client-id", s.ClientID, "--client-secret-stdin", "--secret-expires", "2099-01-31",
		"--mailbox", s.Mailbox, "--root-to", s.RootTo, "--alert-to", s.RootTo}, more...)
}

func TestSetupFlags(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.writeConfig(t, s.plumbing())
	r := s.verb(s.ClientSecret+"\n", s.setupArgs("--json", "--send-to", "someone@example.org", "--set", "delivery.max_size=20MB", "--set", "from.send_as=[\"alerts@contoso.test\"]", "--set", "from.sign_in=sender")...)
	s.silent(t, r)
	var out setupOutcome
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("%v in %q %q", err, r.stdout, r.stderr)
	}
	if r.code != 0 || out.Doctor == nil || out.Doctor.Exit != 0 || out.ObjectID != emulator.DefaultObjectID ||
		!strings.Contains(strings.Join(out.Commands, "\n"), out.ObjectID) || out.Backup == "" {
		t.Errorf("exit %d\n%s", r.code, r.stdout)
	}
	if len(s.Messages()) == 0 {
		t.Error("no message arrived")
	}
	show := s.verb("", "config", "show").stdout
	for _, want := range []string{`delivery.max_size = "20MB"`, `from.send_as = ["alerts@contoso.test"]`, `from.sign_in = "sender"`} {
		if !strings.Contains(show, want) {
			t.Errorf("%q is not in\n%s", want, show)
		}
	}
}

// TestSetupFresh begins with the sample file.
func TestSetupFresh(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config = filepath.Join(s.dir, "fresh.toml")
	r := s.verb(s.ClientSecret+"\n", s.setupArgs("--no-doctor", "--set", "cache.dir="+s.dir+"/cache")...)
	s.silent(t, r)
	if r.code != 0 || !strings.Contains(r.stdout, "is written (mode 0600)") || !strings.Contains(r.stdout, "next: ") {
		t.Errorf("exit %d, %q %q", r.code, r.stdout, r.stderr)
	}
	if r := s.verb("", "config", "check"); r.code != 0 {
		t.Errorf("%q", r.stderr)
	}
	if fi, err := os.Stat(s.config); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi, err)
	}
}

func TestSetupDryRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before, _ := os.ReadFile(s.config)
	for _, json := range []string{"", "--json"} {
		args := s.setupArgs("--dry-run")
		if json != "" {
			args = append(args, json)
		}
		r := s.verb(s.ClientSecret, args...)
		s.silent(t, r)
		if r.code != 0 || !strings.Contains(r.stdout, "[redacted]") || !strings.Contains(r.stdout, "New-ServicePrincipal") {
			t.Errorf("exit %d, %q %q", r.code, r.stdout, r.stderr)
		}
	}
	if after, _ := os.ReadFile(s.config); string(after) != string(before) || s.TokenRequests() != 0 {
		t.Error("a dry run has done something")
	}
}

// TestSetupRefuses: without a terminal nothing is asked, and nothing is changed by halves.
func TestSetupRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.writeConfig(t, s.plumbing())
	before, _ := os.ReadFile(s.config)
	for _, tt := range []struct {
		stdin string
		args  []string
		code  int
		words string
	}{
		{"", []string{"setup", "--config", s.config}, sysexits.Usage, "give --tenant, --client-id, --client-secret-stdin, --mailbox"},
		{"", []string{"setup", "--tenant", "common"}, sysexits.Usage, "many tenants"},
		{"", []string{"setup", "--client-id", s.ClientID[:30]}, sysexits.Usage, "part of it is missing"},
		{emulator.DefaultSecretID, s.setupArgs(), sysexits.Usage, "Secret ID"},
		{s.ClientSecret, s.setupArgs("--device-code"), sysexits.Usage, "choose device-code or secret"},
		{s.ClientSecret, s.setupArgs("--set", "nothing.such=1"), sysexits.Usage, "no key"},
		{s.ClientSecret, s.setupArgs("--set", "client_secret=abcdefghijklmnopqrstuvwxyz"), sysexits.Usage, "is a secret"},
		{s.ClientSecret, s.setupArgs("--set", "smtp.port=many"), sysexits.Config, "smtp.port"},
		{s.ClientSecret, s.setupArgs("--way", "both"), sysexits.Usage,
			"scoped (the scoped role) or api (the API permission)"},
		{s.ClientSecret, append(s.setupArgs(), "--config", s.dir+"/no/such/directory.toml"), sysexits.CantCreat, "is not changed"},
	} {
		r := s.verb(tt.stdin, tt.args...)
		s.silent(t, r)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.words) || strings.Contains(r.stderr, "abcdefghijklmnopqrstuvwxyz") {
			t.Errorf("%q: exit %d, %q, want %d and %q", tt.args, r.code, r.stderr, tt.code, tt.words)
		}
	}
	if after, _ := os.ReadFile(s.config); string(after) != string(before) {
		t.Error("the configuration has changed")
	}
	if left, _ := filepath.Glob(s.config + ".*"); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// TestSetupDevice signs a person in by device code.
func TestSetupDevice(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *emulator.Options) {
		o.State = func(st *emulator.State) { st.Entra.DeviceUser, st.Entra.DeviceInterval = emulator.DefaultUser, 1 }
	})
	s.writeConfig(t, s.plumbing())
	r := s.verb("", "setup", "--config", s.config, "--device-code", "--tenant", s.Tenant, "--client-id", emulator.DefaultPublicClientID,
		"--mailbox", emulator.DefaultUser, "--root-to", s.RootTo, "--alert-to", s.RootTo, "--send-to", s.RootTo)
	s.silent(t, r)
	if r.code != 0 || !strings.Contains(r.stderr, "enter the code") || !strings.Contains(r.stdout, "ok       message: to "+s.RootTo) {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if fi, err := os.Stat(filepath.Join(s.dir, "cache", "refresh-token")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi, err)
	}
}

// TestSetupWarnsOfOnMicrosoft: a mailbox below Microsoft's own domain works, and has a small limit.
func TestSetupWarnsOfOnMicrosoft(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const mailbox = "noreply@contoso.onmicrosoft.com"
	args := append(s.setupArgs("--dry-run"), "--mailbox", mailbox)
	if r := s.verb(s.ClientSecret+"\n", args...); r.code != 0 ||
		!strings.Contains(r.stderr, mailbox+": mail from addresses below onmicrosoft.com") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
	var out setupOutcome
	r := s.verb(s.ClientSecret+"\n", append(args, "--json")...)
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || len(out.Warnings) != 1 {
		t.Errorf("%v, %q", err, out.Warnings)
	}
	if r := s.verb(s.ClientSecret+"\n", s.setupArgs("--dry-run")...); strings.Contains(r.stderr, "onmicrosoft") {
		t.Errorf("%q", r.stderr)
	}
}
