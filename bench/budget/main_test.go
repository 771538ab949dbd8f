package budget

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"o365-sendmail/internal/emulator"
)

// The programs, built as a release is; verbs is the whole one by its other name, and the quick one looks for
// its agent at socket.
var program, verbs, front, socket string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "budget-")
	if err != nil {
		panic(err)
	}
	program, front, socket = filepath.Join(dir, "sendmail"), filepath.Join(dir, "front"), filepath.Join(dir, "socket")
	build(program, "o365-sendmail/cmd/sendmail", "")
	build(front, "o365-sendmail/cmd/front", " -X main.program=/nonexistent -X main.socket="+socket)
	verbs = filepath.Join(dir, "o365-sendmail")
	if err := os.Symlink("sendmail", verbs); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func build(path, pkg, flags string) {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"+flags, "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "budget: building %s: %v\n%s", pkg, err, out)
		os.Exit(1)
	}
}

// within fails the test when a cost is over its budget.
func within(t *testing.T, what string, cost, budget int64, reason string) {
	t.Helper()
	if cost > budget {
		t.Errorf("%s: %d, the budget is %d: %s", what, cost, budget, reason)
		return
	}
	t.Logf("%s: %d of %d", what, cost, budget)
}

// A site is an emulator with a configuration for it.
type site struct {
	*emulator.Emulator
	t      *testing.T
	config string
}

// newSite starts an emulator; change lists texts of the configuration and what replaces them.
func newSite(t *testing.T, change ...string) *site {
	t.Helper()
	e := emulator.New(t, func(o *emulator.Options) {
		o.ServerName = "127.0.0.1" // a name has one address or two, by the machine
		o.State = func(s *emulator.State) { s.Limits.PerMinute, s.Limits.RecipientsPerDay = 0, 0 }
	})
	dir := t.TempDir()
	s := &site{e, t, filepath.Join(dir, "config.toml")}
	text := e.ConfigTOML(dir) + fmt.Sprintf("[spool]\ndir = %q\n[delivery]\nmessages_per_minute = 0\n[log]\nto = "+
		"\"stderr\"\n", filepath.Join(dir, "spool"))
	text = strings.NewReplacer(change...).Replace(text)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

const message = "From: noreply@contoso.test\nSubject: budget\n\nA line of text.\n"

// call is the program with a message on its standard input, by way of another program if named.
func (s *site) call(before ...string) *exec.Cmd {
	args := append(before, program, "-i", "someone@example.org")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = s.environment()
	cmd.Stdin = bytes.NewReader([]byte(message))
	return cmd
}

// environment names the configuration to a process.
func (s *site) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "O365_SENDMAIL_CONFIG=" + s.config}
}

// send delivers a message by a process of its own.
func (s *site) send() {
	s.t.Helper()
	if out, err := s.call().CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}
