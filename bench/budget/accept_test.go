package budget

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"o365-sendmail/test/ready"
)

// TestAccept counts what it costs to hand a message to the agent: the caller's system calls
// and threads, and how often the agent waits for the disk.
func TestAccept(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[spool]", "[agent]\nsocket = \""+socket+"\"\n[spool]", "[delivery]",
		"[delivery]\nmode = \"queue\"")
	tracer(t)
	trace := filepath.Join(t.TempDir(), "agent")
	agent := exec.Command("strace", "-f", "-e", "trace=fsync,fdatasync,syncfs,sync_file_range", "-o", trace, verbs,
		"serve", "-C", s.config)
	agent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ready.Start(t, agent)
	defer func() {
		_ = syscall.Kill(-agent.Process.Pid, syscall.SIGTERM)
		_ = agent.Wait()
	}()
	syncs := func() int64 {
		text, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		return int64(bytes.Count(text, []byte("sync(")) - bytes.Count(text, []byte("<... fsync")))
	}
	send := func(before ...string) {
		argv := append(before, front, "-i", "someone@example.org")
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Stdin = strings.NewReader(message)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	send()
	before := syncs()
	const messages = 5
	for range messages {
		send()
	}
	within(t, "fsyncs of 5 messages", syncs()-before, 2*messages,
		"one of the file, one of its directory: each is a wait for the disk")

	calls := filepath.Join(t.TempDir(), "front")
	send("strace", "-f", "-o", calls)
	var total, threads, connects, writes int64
	for _, c := range readTrace(t, calls) {
		switch {
		case strings.HasPrefix(c.name, "clone"):
			threads++
		case scheduling[c.name]:
			continue
		}
		total++
		switch c.name {
		case "connect":
			connects++
		case "write", "writev", "sendto", "sendmsg":
			writes++
		}
	}
	within(t, "system calls of the caller", total, 75, "each is a microsecond or more")
	within(t, "threads of the caller", threads, 5, "each costs 50 microseconds to make")
	within(t, "writes of the caller", writes, 5, "EHLO, the message with its commands, and what wakes threads")
	if connects != 1 {
		t.Errorf("%d connects, want 1", connects)
	}
}
