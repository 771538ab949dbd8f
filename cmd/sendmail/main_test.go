package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestAgentWithRelativePath: -C of the agent is relative to where the agent is started,
// although it works elsewhere.
func TestAgentWithRelativePath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, socket := filepath.Join(dir, "sendmail"), filepath.Join(dir, "socket")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := "[agent]\nsocket = \"" + socket + "\"\n[spool]\ndir = \"" + filepath.Join(dir, "spool") + "\"\n[log]\nto = \"stderr\"\n"
	if err := os.WriteFile(filepath.Join(dir, "c.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(program, "-C", "c.toml", "-bD")
	cmd.Dir, cmd.Stderr = dir, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers := false
	for start := time.Now(); !answers && time.Since(start) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("unix", socket)
		if answers = err == nil; answers {
			_ = c.Close()
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || !answers {
		t.Errorf("answered: %v, end: %v, said: %s", answers, err, &said)
	}
}
