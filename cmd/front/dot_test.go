package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"o365-sendmail/internal/smtpd/smtpdtest"
)

// TestDotCut: a lost text is told to a terminal, and to the agent's log always.
func TestDotCut(t *testing.T) {
	t.Parallel()
	h := taker()
	socket := smtpdtest.Serve(t, h)
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal can be opened here: %v", err)
	}
	defer terminal.Close()
	code, done, errs := call(socket, strings.NewReader("Subject: x\n\nhello\n.\nmore\n"), "sendmail", "a@example.org")
	if code != 0 || !done || errs != "" || !h.Taken()[0].Options.DotCut {
		t.Errorf("%d %v %q, options %+v", code, done, errs, h.Taken()[0].Options)
	}
	args := []string{"sendmail", "-i", "a@example.org"}
	env := process{Args: args, Stdin: strings.NewReader("\n.\nx\n"), Stderr: terminal,
		Getenv: func(string) string { return "" }, Socket: socket}
	if code, _, _ := handOff(context.Background(), env); code != 0 || h.Taken()[1].Options.DotCut {
		t.Errorf("-i: %d, options %+v", code, h.Taken()[1].Options)
	}
}
