package budget

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"o365-sendmail/test/ready"
)

// TestLargeOnce: the agent writes a large message from a file once, into the spool's file, and no caller makes a copy of
// it. The kinds differ in what the agent adds to the header.
func TestLargeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	s := newSite(t, "[spool]", "[agent]\nsocket = \""+path+"\"\n[spool]", "[delivery]", "[delivery]\nmode = \"queue\"")
	agent := exec.Command(verbs, "serve", "-C", s.config)
	ready.Start(t, agent)
	defer func() {
		_ = agent.Process.Signal(syscall.SIGTERM)
		_ = agent.Wait()
	}()
	const size = 8 << 20
	body := strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n", size/66)
	for name, header := range map[string]string{
		"bare": "Subject: x\r\n",
		"complete": "From: Some One <noreply@contoso.test>\r\nTo: a@example.org\r\nDate: Tue, 1 Dec 2026 01:02:03 +0000\r\n" +
			"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n",
		"another's":    "From: \"Die Ü\" <root@localhost>\r\nCc: root, b@example.org\r\nMessage-ID: broken\r\n",
		"eight bits":   "Subject: \xc3\xbc\r\n",
		"an odd label": "From: x\r\nContent-Type: text/plain; charset=utf-8\r\n",
	} {
		file := filepath.Join(t.TempDir(), "message")
		if err := os.WriteFile(file, []byte(header+"\r\n"+body), 0o600); err != nil {
			t.Fatal(err)
		}
		stdin, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		before := written(t, agent.Process.Pid)
		cmd := exec.Command(program, "-i", "someone@example.org", "root")
		cmd.Env, cmd.Stdin = s.environment(), stdin
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		_ = stdin.Close()
		within(t, name+": KiB that the agent wrote", (written(t, agent.Process.Pid)-before)>>10, size>>10+32,
			"each copy of a large message costs as much as to receive it")
	}
}

// written is what a process has written so far, in bytes.
func written(t *testing.T, pid int) (n int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err == nil {
		_, err = fmt.Sscanf(string(text[strings.Index(string(text), "wchar:"):]), "wchar: %d", &n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}
