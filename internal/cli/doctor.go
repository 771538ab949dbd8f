package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/doctor"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// doctorFlags are the command line of doctor.
type doctorFlags struct {
	config, sendTo, way, other  string
	found                       *doctor.Tenant
	tenant                      string // the file with the report of the tenant's script
	json, report, strict, quiet bool
	nagios, verbose             bool
}

// doctorCommand checks the way of a message. Its exit code is that of the first error,
// for monitoring: 78 an administrator has to act, 75 it passes, 69 the network or the
// relay refuses; 0 without errors, and with --strict 1 when there are warnings.
func (e *Env) doctorCommand(ctx context.Context, args []string) int {
	var o doctorFlags
	f := newVerbFlags("doctor", "[--send-to ADDRESS] [--verbose | --json | --report | --nagios] [--strict] [-C FILE]")
	f.StringVar(&o.config, "C", "", "use the configuration `FILE`")
	f.BoolVar(&o.json, "json", false, "print the report as JSON")
	f.BoolVar(&o.report, "report", false, "print a report without names and addresses, to show to others")
	f.StringVar(&o.sendTo, "send-to", "", "send a real message to `ADDRESS`: only that shows whether the mailbox may be used")
	f.BoolVar(&o.strict, "strict", false, "exit with 1 when there are warnings")
	f.BoolVar(&o.nagios, "nagios", false, "print one line and exit with 0 to 3, as Nagios wants it from a check")
	f.BoolVar(&o.quiet, "quiet", false, "print warnings and errors only")
	f.BoolVar(&o.verbose, "verbose", false, "print what is well and what was skipped, too, and nothing cut")
	f.StringVar(&o.way, "way", "", "how the application may send: `WAY` is scoped (the scoped role) or api (the API "+
		"permission); "+
		"the default is the key way of the configuration")
	f.StringVar(&o.tenant, "tenant-report", "",
		"`FILE` (- is standard input) with what the script of setup --script has "+
			"printed: a refused sign-in then gets one cause")
	f.StringVar(&o.other, "other-mailbox", "", "sign in to the mailbox `ADDRESS`, too: tells trouble of the mailbox from trouble of the application")
	_, err := f.parse(args, 0)
	wrong := cmp.Or(err, o.check())
	if wrong == nil {
		wrong = e.readTenant(ctx, &o)
	}
	switch {
	case wrong != nil && o.nagios && !errors.Is(err, errHelp):
		fmt.Fprintln(e.Stdout, doctor.NagiosLine(doctor.NagiosUnknown, wrong.Error()))
		return doctor.NagiosUnknown
	case err != nil:
		return e.failVerb(f, err)
	case wrong != nil:
		return e.fail("o365-sendmail", wrong)
	}
	return e.runDoctor(ctx, o)
}

// readTenant reads the report of the tenant's script with the caller's rights.
func (e *Env) readTenant(ctx context.Context, o *doctorFlags) error {
	if o.tenant == "" {
		return nil
	}
	in := e.Stdin
	if o.tenant != "-" {
		f, err := openNamed(ctx, "--tenant-report", o.tenant)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	t, err := doctor.ReadTenant(in)
	if err != nil {
		return sysexits.With(sysexits.DataErr, fmt.Errorf("--tenant-report: %w", err))
	}
	o.found = t
	return nil
}

func (o *doctorFlags) check() error {
	for flag, addr := range map[string]string{"--send-to": o.sendTo, "--other-mailbox": o.other} {
		if addr == "" {
			continue
		}
		if err := checkAddress(addr); err != nil {
			return cmdline.Usagef("doctor: %s: %v", flag, err)
		}
	}
	switch o.way {
	case "", diagnose.WayAPI, diagnose.WayScoped:
		return nil
	}
	return cmdline.Usagef("doctor: --way is scoped or api, not %.64q", o.way)
}

// nagiosTime bounds a check; Nagios gives up after 60 s.
const nagiosTime = 50 * time.Second

func (e *Env) runDoctor(ctx context.Context, o doctorFlags) int {
	if o.nagios {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, nagiosTime)
		defer cancel()
	}
	rep := e.examine(ctx, o)
	if o.nagios && ctx.Err() != nil {
		fmt.Fprintln(e.Stdout, doctor.NagiosLine(doctor.NagiosUnknown,
			"the checks did not end in "+nagiosTime.String()))
		return doctor.NagiosUnknown
	}
	if o.report {
		user := host.UserByID(e.UID)
		rep = rep.Public(host.Name(), user.Name, user.Home)
	}
	if o.nagios {
		line, exit := rep.Nagios()
		fmt.Fprintln(e.Stdout, line)
		return exit
	}
	printReport(e.Stdout, rep, o)
	return rep.Exit
}

// examine makes the checks; without --json and --report it prints each as it is done.
func (e *Env) examine(ctx context.Context, o doctorFlags) *doctor.Report {
	user, hostName := host.UserByID(e.UID), host.Name()
	opts := doctor.Options{
		Config: o.config, Getenv: e.Getenv, User: user, HostName: hostName, Version: e.Version, Now: e.Now,
		Way: o.way, Tenant: o.found, Other: o.other, Strict: o.strict, Drop: e.process("o365-sendmail").DropRoot,
		Socket: e.Socket, SendTo: o.sendTo,
		Send: func(ctx context.Context, from, to string) (string, error) {
			m := testMessage{config: o.config, from: from, to: to, user: user, hostName: hostName}
			words, err := m.send(ctx, e.process("o365-sendmail"))
			if waiting := (*waitingError)(nil); errors.As(err, &waiting) {
				waiting.takenBack = m.takeBack(ctx, e.process("o365-sendmail"), waiting.id)
			}
			return words, err
		},
	}
	if !o.json && !o.report && !o.nagios {
		p := doctor.NewPrinter(e.Stdout)
		p.Verbose, p.Quiet = o.verbose, o.quiet
		p.Width, p.Color = screen(e.Stdout, e.Getenv)
		opts.Progress = p.Add
		rep := doctor.Run(ctx, opts)
		p.End(rep)
		return rep
	}
	return doctor.Run(ctx, opts)
}

func printReport(w io.Writer, rep *doctor.Report, o doctorFlags) {
	switch {
	case o.json:
		printJSON(w, rep)
	case o.report:
		fmt.Fprintf(w, "o365-sendmail %s, %s, %s\n%s", rep.Version, rep.Platform,
			rep.Time.Format("2006-01-02 15:04 MST"), rep.Text())
	}
}

// printJSON writes v as indented JSON. < and > stay as they are: nothing here is HTML.
func printJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // a reader that has gone away
}
