package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"o365-sendmail/test/ready"
)

// TestAgentWithRelativePath: -C of the agent is relative to where the agent is started,
// although it works elsewhere.
func TestAgentWithRelativePath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, socket := filepath.Join(dir, "o365-sendmail"), filepath.Join(dir, "socket")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := "[agent]\nsocket = \"" + socket + "\"\n[spool]\ndir = \"" + filepath.Join(dir, "spool") +
		"\"\n[log]\nto = \"stderr\"\n"
	if err := os.WriteFile(filepath.Join(dir, "c.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "-C", "c.toml")
	cmd.Dir = dir
	said := ready.Start(t, cmd)
	c, dialErr := net.Dial("unix", socket)
	if dialErr == nil {
		_ = c.Close()
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || dialErr != nil {
		t.Errorf("answered: %v, end: %v, said: %s", dialErr, err, said)
	}
}
