package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/smtpd/smtpdtest"
)

// build compiles the quick program, with the places of the whole program and of the agent's socket.
func build(t *testing.T, to, whole, socket string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", to, "-ldflags", "-X main.program="+whole+" -X main.socket="+socket, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestOpensNoZone: no caller has the program open what TZ or ZONEINFO names; a FIFO without a writer would hold it
// for ever. What main does about it is too late when a package that is linked asks for the zone.
func TestOpensNoZone(t *testing.T) {
	t.Parallel()
	h := taker()
	socket, dir := smtpdtest.Serve(t, h), t.TempDir()
	front, fifo := filepath.Join(dir, "front"), filepath.Join(dir, "fifo")
	build(t, front, filepath.Join(dir, "whole"), socket)
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	for i, env := range []string{"TZ=" + fifo, "TZ=:" + fifo, "TZ=Europe/Berlin ZONEINFO=" + fifo} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, front, "-i", "a@example.org")
		cmd.Args[0] = "sendmail"
		cmd.Stdin = strings.NewReader("Subject: x\n\nx\n")
		cmd.Env = strings.Fields(env)
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil || len(h.Taken()) != i+1 {
			t.Errorf("%s: %v %q, %d messages", env, err, out, len(h.Taken()))
		}
	}
}

// TestTurnsIntoTheWholeProgram runs the built program where no agent is: the whole program
// gets the arguments, the environment, and standard input from its first byte.
func TestTurnsIntoTheWholeProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	front, whole := filepath.Join(dir, "front"), filepath.Join(dir, "whole")
	build(t, front, whole, filepath.Join(dir, "none"))
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
