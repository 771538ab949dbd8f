package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/sysexits"
)

// process is what the quick program gets from outside. Tests pass their own.
type process struct {
	Args   []string // with the program's name
	Stdin  io.Reader
	Stderr io.Writer
	Getenv func(string) string
	UID    int
	// Socket is where the agent listens.
	Socket string
	// Silence is how long the agent may keep silent; 0 means the usual time.
	Silence time.Duration
}

// handOff hands a message from standard input to the agent and returns the exit code. False
// means that the call is none of that kind, or that no agent answers: nothing was read then,
// nothing was printed, and the whole program has to be started in place of this one. Note is then what
// its environment has to say besides, a variable with its value, or "".
func handOff(ctx context.Context, p process) (code int, done bool, note string) {
	name := "sendmail"
	if len(p.Args) > 0 && p.Args[0] != "" {
		name = filepath.Base(p.Args[0])
	}
	o := ours(name, &p)
	if o == nil {
		return 0, false, ""
	}
	c := route.Call{Name: name, Options: o, User: host.UserByID(p.UID), Stdin: p.Stdin, Stderr: p.Stderr,
		ExitCode: exitCode}
	if err := route.EnoughDescriptors(route.ForAgent); err != nil {
		return c.Fail(err), true, ""
	}
	start := time.Now()
	conn, err := route.DialAgent(ctx, o,
		route.AgentOptions{Path: p.Socket, HostName: host.Name(), Silence: p.Silence}, p.Stderr)
	var gone *route.UnreachableError
	switch {
	case errors.As(err, &gone):
		if time.Since(start) >= silent {
			note = route.SilentVariable + "=" + strconv.Itoa(os.Getpid())
		}
		return 0, false, note
	case err != nil:
		return c.Fail(err), true, ""
	}
	r := &route.AgentRoute{Conn: conn, Options: o}
	defer r.Close()
	return c.Deliver(ctx, r), true, ""
}

// silent is from when a wait for the agent was so long that there should be no second one.
const silent = time.Second

// ours returns the options of a call that the quick program can serve, else nil: one with
// another name, mode or configuration is not, nor is one that may have to send a report, nor
// a wrong one, which the whole program shall explain.
func ours(name string, p *process) *cmdline.Options {
	if name == "mailq" || name == "newaliases" || name == "o365-sendmail" || len(p.Args) == 0 {
		return nil
	}
	o, err := cmdline.Parse(p.Args[1:])
	if err != nil || o.Mode != cmdline.ModeDeliver || o.Config != "" || route.MailsBack(o) ||
		p.Getenv(host.ConfigVariable) != "" {
		return nil
	}
	return o
}

// exitCode is the exit code for an error. What the agent found out comes with its own.
func exitCode(err error) int {
	if sysexits.Shortage(err) {
		return sysexits.TempFail
	}
	return sysexits.Code(err, sysexits.TempFail)
}

// start replaces the process by the whole program. It returns only if that fails, with an
// exit code.
func start(stderr io.Writer, program string, args, environ []string) int {
	err := syscall.Exec(program, args, environ)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w; install the package o365-sendmail again", err)
	}
	route.Errorf(stderr, "sendmail", "the program %s can't be started: %v", program, err)
	return sysexits.OSErr
}
