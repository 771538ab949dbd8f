// Package cli is the command line: it reads flags, picks the mode, and turns what
// happened into one line and an exit code. It holds no mail logic of its own.
package cli

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/agent"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/direct"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/sysexits"
)

// Env is what a process gets from outside. Tests pass their own.
type Env struct {
	Args   []string // with the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Now    func() time.Time
	UID    int
	// Version is the program's version.
	Version string
	// Socket is where the agent listens, "" for the place of a package installation.
	Socket string
	// Own is set when the process is the program's own, so that a service may change the
	// limits and the environment of all of it.
	Own bool
	// Fleet joins a fleet; nil in a program that can't, which BecomeFleet replaces by one that can. It returns only
	// if that fails.
	Fleet       agent.Fleet
	BecomeFleet func() error

	named *config.Config // see admit
	// onHelp takes the flags of a command in place of its help text; may be nil.
	onHelp func(*verbFlags)
}

// process is what a way of delivery knows of this process, called by name.
func (e *Env) process(name string) *direct.Process {
	return &direct.Process{Name: name, Stderr: e.Stderr, Getenv: e.Getenv, Now: e.Now, UID: e.UID, Socket: e.Socket,
		Own: e.Own, Named: e.named}
}

// Main runs the program and returns its exit code. The name that it was called by
// picks the face it shows.
func Main(ctx context.Context, e Env) int {
	name := "sendmail"
	if len(e.Args) > 0 && e.Args[0] != "" {
		name = filepath.Base(e.Args[0])
	}
	args := e.Args
	if len(args) > 0 {
		args = args[1:]
	}
	if err := route.EnoughDescriptors(route.ForAgent); err != nil {
		return e.fail(name, err)
	}
	if len(args) == 1 && name != "o365-sendmail" {
		switch {
		case isHelp(args[0]):
			return e.mailerHelp(name)
		case args[0] == "--version":
			return e.version()
		}
	}
	switch name {
	case "o365-sendmail":
		if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
			return e.admin(ctx, args)
		}
		switch {
		case len(args) == 0, isHelp(args[0]) && len(args) == 1:
			return e.admin(ctx, []string{"help"})
		case args[0] == "--version":
			return e.admin(ctx, []string{"version"})
		}
	case "mailq":
		if slices.ContainsFunc(args, func(a string) bool { return len(a) > 2 && strings.HasPrefix(a, "--") }) {
			return e.queueAs(ctx, name, append([]string{"list"}, args...))
		}
		args = append([]string{"-bp"}, args...)
	case "newaliases":
		args = append([]string{"-bi"}, args...)
	}
	o, err := cmdline.Parse(args)
	if err != nil {
		return e.fail(name, err)
	}
	if err := e.admit(o); err != nil {
		return e.refuse(name, o, err)
	}
	return e.run(ctx, name, o)
}

// run carries out a parsed command line.
func (e *Env) run(ctx context.Context, name string, o *cmdline.Options) int {
	if serves(o) {
		return e.serve(ctx, name, o)
	}
	var err error
	switch o.Mode {
	case cmdline.ModeQueueRun:
		return e.flush(ctx, name, o)
	case cmdline.ModeDeliver:
		return e.deliver(ctx, name, o)
	case cmdline.ModeNewAliases:
		err = e.newAliases(o)
	case cmdline.ModeVerify:
		return e.verify(name, o)
	case cmdline.ModeSMTP:
		return e.smtp(ctx, name, o)
	case cmdline.ModeQueueList:
		return e.mailq(ctx, name, o)
	default:
		err = cmdline.Usagef("mode -b%c is not available in this build", o.Mode)
	}
	if err != nil {
		return e.fail(name, err)
	}
	return sysexits.OK
}
