package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTurnsIntoTheWholeProgram runs the built program where no agent is: the whole program
// gets the arguments, the environment, and standard input from its first octet.
func TestTurnsIntoTheWholeProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	front, whole := filepath.Join(dir, "front"), filepath.Join(dir, "whole")
	build := exec.Command("go", "build", "-o", front, "-ldflags", "-X main.program="+whole+" -X main.socket="+filepath.Join(dir, "none"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(stdin string, args ...string) (int, string) {
		cmd := exec.Command(front, args...)
		cmd.Args[0] = "sendmail"
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Env = []string{"MARK=7", "PATH=" + os.Getenv("PATH")}
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	code, out := run("Subject: x\n\n", "-t")
	if code != 71 || strings.Count(out, "\n") != 1 || !strings.Contains(out, whole) || !strings.Contains(out, "install") {
		t.Errorf("without the whole program: %d %q", code, out)
	}
	if err := os.WriteFile(whole, []byte("#!/bin/sh\necho \"$MARK $*\"\ncat\nexit 65\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-t", "-i"}, {"-bs"}, {"-oem", "root"}} {
		code, out := run("Subject: x\n\n", args...)
		if want := "7 " + strings.Join(args, " ") + "\nSubject: x\n\n"; code != 65 || out != want {
			t.Errorf("%v: %d %q, want %q", args, code, out, want)
		}
	}
}
