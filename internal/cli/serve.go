package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"o365-sendmail/internal/agent"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// serveVerb is the administrator's command serve.
func serveVerb(e *Env, ctx context.Context, args []string) int {
	const name = "o365-sendmail serve"
	if len(args) == 1 && (isHelp(args[0])) {
		f := newVerbFlags("serve", "[-C FILE] [-qINTERVAL]")
		f.String("C", "", "use the configuration `FILE`")
		return e.failVerb(f, errHelp)
	}
	o, err := cmdline.Parse(args)
	if err == nil && len(o.Recipients) > 0 {
		err = cmdline.Usagef("serve takes only -C FILE and -qINTERVAL")
	}
	if err != nil {
		return e.fail(name, err)
	}
	return e.serve(ctx, name, o)
}

// serve is the agent, in the foreground: also for sendmail -bd, since the service
// manager of today wants it so. The environment variable that names a configuration
// does not count here.
func (e *Env) serve(ctx context.Context, name string, o *cmdline.Options) int {
	if o.Config != "" {
		path, err := filepath.Abs(o.Config) // the agent works in / from now on
		if err != nil {
			return e.fail(name, sysexits.With(sysexits.OSErr, err))
		}
		o.Config = path
	}
	if err := e.becomeFleet(o); err != nil {
		return e.fail(name, err)
	}
	if e.Own {
		if err := agent.Harden(); err != nil {
			e.warnf(name, "%v", err)
		}
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	opts := agent.Options{
		ConfigPath: o.Config, QueueInterval: o.Queue.Interval, HostName: host.Name(), Version: e.Version,
		Getenv: e.Getenv, Now: e.Now, Stderr: e.Stderr, Terminal: isTerminal(e.Stderr), Reload: reload,
		Fleet: e.Fleet,
	}
	if e.Own {
		opts.Drop = func() error {
			if err := e.process(name).DropRoot(); err != nil {
				return err
			}
			return agent.Harden() // a change of user gives some of it back
		}
	}
	if err := agent.Run(ctx, opts); err != nil {
		return e.fail(name, err)
	}
	return sysexits.OK
}

// becomeFleet has the program take this one's place that can speak to a fleet's servers, where the configuration names
// some: their client costs every start of a program that is linked to it. It returns if there is no need or no way.
func (e *Env) becomeFleet(o *cmdline.Options) error {
	if e.BecomeFleet == nil || !agent.InFleet(agent.Options{ConfigPath: o.Config, Getenv: e.Getenv}) {
		return nil
	}
	err := e.BecomeFleet()
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w; install the package o365-sendmail again", err)
	}
	return sysexits.With(sysexits.OSErr,
		fmt.Errorf("fleet.servers is set, and the program for that can't be started: %w", err))
}
