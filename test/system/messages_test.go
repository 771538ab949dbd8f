//go:build system

package system

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"o365-sendmail/internal/emulator"
)

// A messageCase is a message as odd as programs write them, and what a reader that is not ours makes of it when
// it has arrived: lines that testdata/judge.py prints. Whatever a row asks for, the judge may find no fault.
type messageCase struct {
	name   string
	args   string // of sendmail, with blanks between them
	stdin  string
	exit   int      // 0: it arrives
	stderr string   // a part of it; "" means that there is none
	to     []string // recipients of the envelope; nil is a@example.org alone
	want   []string // lines of the judge
	absent []string // texts that no line of the judge has
	log    string   // a part of the program's log
	utf8   bool     // it needs SMTPUTF8
	asIs   bool     // with smtp.eight_bit = "on"
}

// TestMessages sends odd messages on the direct route and has Python's email package read what arrives.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(contentCases, asTheyAre(contentCases), fieldCases, senderCases,
		signedCases, oddCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func (c *messageCase) run(t *testing.T) {
	e := emulator.New(t)
	dir := lab.dir(t)
	config, log := filepath.Join(dir, "config.toml"), filepath.Join(dir, "log")
	text := fmt.Sprintf("%s\n[from]\nhost_name = \"web1.example\"\n[spool]\ndir = \"\"\n[log]\nto = %q\n",
		e.ConfigTOML(dir), log)
	if c.asIs {
		text = strings.Replace(text, "[smtp]\n", "[smtp]\neight_bit = \"on\"\n", 1)
	}
	must(t, os.WriteFile(config, []byte(text), 0o600))
	cmd := exec.Command(lab.program, strings.Fields(c.args)...)
	cmd.Env = []string{"O365_SENDMAIL_CONFIG=" + config, "PATH=/usr/bin:/bin"}
	cmd.Args[0] = "sendmail"
	cmd.Stdin = strings.NewReader(c.stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != c.exit {
		t.Fatalf("exit code %d, want %d; stderr: %s", code, c.exit, stderr.String())
	}
	if !strings.Contains(stderr.String(), c.stderr) || c.stderr == "" && stderr.String() != "" {
		t.Errorf("stderr %q, want %q", stderr.String(), c.stderr)
	}
	if c.log != "" {
		if lines, err := os.ReadFile(log); err != nil || !bytes.Contains(lines, []byte(c.log)) {
			t.Errorf("the log (%v) has no %q:\n%s", err, c.log, lines)
		}
	}
	if c.exit == 0 {
		c.judge(t, e.Messages())
	} else if n := len(e.Messages()); n > 0 {
		t.Errorf("%d messages arrived in spite of exit code %d", n, c.exit)
	}
}

// judge compares what arrived with what the row asks for.
func (c *messageCase) judge(t *testing.T, arrived []emulator.Message) {
	t.Helper()
	if len(arrived) != 1 {
		t.Fatalf("%d messages arrived", len(arrived))
	}
	m := arrived[0]
	var to []string
	for _, r := range m.Recipients {
		to = append(to, r.Address)
	}
	want := c.to
	if want == nil {
		want = []string{"a@example.org"}
	}
	if !slices.Equal(to, want) {
		t.Errorf("recipients %q, want %q", to, want)
	}
	if m.SMTPUTF8 != c.utf8 {
		t.Errorf("SMTPUTF8 is %v", m.SMTPUTF8)
	}
	cmd := exec.Command("/usr/bin/python3", filepath.Join(lab.root, "test", "system", "testdata", "judge.py"))
	cmd.Stdin = bytes.NewReader(m.Data)
	cmd.Env = []string{"PYTHONIOENCODING=utf-8:backslashreplace", "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the judge failed: %v\n%s\n%s", err, out, m.Data)
	}
	lines := strings.Split(string(out), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "FAULT") {
			t.Error(line)
		}
		for _, text := range c.absent {
			if strings.Contains(line, text) {
				t.Errorf("the judge read %q", line)
			}
		}
	}
	for _, line := range c.want {
		if !slices.Contains(lines, line) {
			t.Errorf("the judge did not read %q", line)
		}
	}
	if t.Failed() {
		t.Logf("the judge:\n%s\nthe message:\n%s", out, m.Data)
	}
}
