package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeTurnsIntoFleet: with fleet.servers serve becomes the program that can, by the same arguments; without them it
// does not, and without that program it says what to do.
func TestServeTurnsIntoFleet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, fleet := filepath.Join(dir, "o365-sendmail"), filepath.Join(dir, "fleet")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.fleet="+fleet, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	serve := func(config string) (string, int) {
		path := filepath.Join(dir, "c.toml")
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "serve", "-C", path)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	const servers = "[fleet]\nservers = [\"nats://n1:4222\"]\n"
	out, code := serve(servers)
	if code != 71 || strings.Count(out, "\n") != 1 || !strings.Contains(out, "install the package o365-sendmail again") {
		t.Errorf("without the program: %d, %s", code, out)
	}
	if err := os.WriteFile(fleet, []byte("#!/bin/sh\necho became \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, code = serve(servers); code != 0 || out != "became serve -C "+filepath.Join(dir, "c.toml")+"\n" {
		t.Errorf("with it: %d, %s", code, out)
	}
	if out, code = serve("[spool]\ndir = \"\"\n"); code == 0 || strings.Contains(out, "became") {
		t.Errorf("without servers: %d, %s", code, out)
	}
}
