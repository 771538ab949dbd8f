// Command m365-emulator is Microsoft 365 in a box on loopback: Entra's token endpoint
// and Exchange Online's SMTP submission, with every fault at hand. It is for trying
// o365-sendmail without a tenant, and for tests in the shell.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/emulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// settings are the command line.
type settings struct {
	options              emulator.Options
	configOut, configDir string
	readyFD              int
	tarpit               time.Duration
	rate                 int
	verbose, listFaults  bool
	volume               bool
	faults               []string
}

const usage = `usage: m365-emulator [flags]

Starts Microsoft 365 on loopback: an Entra token endpoint (HTTPS, own authority),
managed identity endpoints (HTTP) and Exchange Online's SMTP submission (STARTTLS,
AUTH XOAUTH2). Prints one line of JSON when it is ready, and a summary when SIGTERM or
SIGINT ends it. Nothing is ever relayed.

  m365-emulator -config-out o365-sendmail.toml -dir mail &
  printf 'Subject: hi\n\nhello\n' | O365_SENDMAIL_CONFIG=$PWD/o365-sendmail.toml sendmail -i someone@example.org
  ls mail

flags:
`

func parse(args []string, stderr io.Writer) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("m365-emulator", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.options.SMTP, "smtp", "", "`address` of SMTP submission (default a free port on 127.0.0.1)")
	f.StringVar(&s.options.Token, "http", "", "`address` of the HTTPS token endpoint (default a free port on 127.0.0.1)")
	f.StringVar(&s.options.Identity, "identity", "", "`address` of the managed identity endpoints (default a free port on 127.0.0.1)")
	f.StringVar(&s.options.Control, "control", "", "`address` of the control endpoint, - for none (default a free port on 127.0.0.1)")
	f.BoolVar(&s.options.IPv6, "ipv6", false, "listen on [::1] too")
	f.StringVar(&s.options.Dir, "dir", "", "`directory` for messages (000001.eml, 000001.json) and transcript.log")
	f.StringVar(&s.configOut, "config-out", "", "write a configuration of o365-sendmail to `file`, mode 0600")
	f.StringVar(&s.configDir, "config-dir", "", "`directory` that the configuration keeps its token cache in (default that of -config-out)")
	f.StringVar(&s.options.CAFile, "ca-out", "", "write the authority's certificate to `file` (default a temporary one, gone at the end)")
	f.IntVar(&s.readyFD, "ready-fd", 1, "`descriptor` for the line of JSON")
	f.StringVar(&s.options.ServerName, "name", "", "`host` name by which clients reach this (default localhost)")
	f.StringVar(&s.options.Tenant, "tenant", "", "tenant `id` or domain (default "+emulator.DefaultTenant+")")
	f.StringVar(&s.options.ClientID, "client-id", "", "application `id` (default "+emulator.DefaultClientID+")")
	f.StringVar(&s.options.ClientSecret, "client-secret", "", "client `secret` (default a random one, see -config-out)")
	f.StringVar(&s.options.Mailbox, "mailbox", "", "mailbox `address` (default "+emulator.DefaultMailbox+")")
	f.IntVar(&s.rate, "rate", 30, "messages a minute per mailbox, more are refused; 0 for any `number`")
	f.BoolVar(&s.volume, "hve", false, "be High Volume Email: the mailbox is an account of it, without a rate")
	f.DurationVar(&s.tarpit, "tarpit", 0, "`delay` of the reply to a failed AUTH; Microsoft's is 5s")
	f.BoolVar(&s.verbose, "v", false, "write the transcript to stderr as it grows")
	f.BoolVar(&s.listFaults, "faults", false, "list the faults and end")
	f.Func("fault", "set the fault of this `name` at the start; may be repeated", func(name string) error {
		s.faults = append(s.faults, name)
		return nil
	})
	f.Usage = func() {
		fmt.Fprint(stderr, usage)
		f.PrintDefaults()
		fmt.Fprint(stderr, "\ncontrol endpoint:\n"+emulator.ControlHelp)
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return s, nil
}

// run starts, waits for the end of ctx and returns the exit code: 0, 1 for a failure,
// 2 for wrong flags.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "m365-emulator: error:", err)
		return 2
	case s.listFaults:
		for _, f := range emulator.Faults() {
			fmt.Fprintf(stdout, "%-24s %-9s %s\n", f.Name, f.Stage, f.Summary)
		}
		return 0
	}
	if err := serve(ctx, s, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "m365-emulator: error:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, s *settings, stdout, stderr io.Writer) (err error) {
	if s.verbose {
		s.options.Transcript = stderr
	}
	if s.options.CAFile != "" {
		if s.options.CAFile, err = filepath.Abs(s.options.CAFile); err != nil {
			return err
		}
	}
	s.options.State = func(st *emulator.State) {
		st.Exchange.Tarpit = emulator.Duration(s.tarpit)
		st.Limits.PerMinute = s.rate
		if s.volume {
			emulator.HighVolume(st)
		}
	}
	e, err := emulator.Start(s.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	for _, name := range s.faults {
		if err := e.SetFault(name); err != nil {
			return err
		}
	}
	if err := writeFiles(e, s); err != nil {
		return err
	}
	if err := ready(e, s, stdout); err != nil {
		return err
	}
	<-ctx.Done()
	summary(e, stderr)
	return nil
}

// writeFiles writes the configuration.
func writeFiles(e *emulator.Emulator, s *settings) error {
	if s.configOut == "" {
		return nil
	}
	dir := s.configDir
	if dir == "" {
		dir = filepath.Dir(s.configOut)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	return replace(s.configOut, []byte(e.ConfigTOML(dir)), 0o600)
}

// replace makes a file that nobody sees half written or with a wrong mode.
func replace(name string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// ready tells whoever waits that everything listens.
func ready(e *emulator.Emulator, s *settings, stdout io.Writer) error {
	host, port := e.SMTPAddr()
	b, err := json.Marshal(map[string]any{
		"smtp_host": e.SMTPHost, "smtp_address": host, "smtp_port": port, "token_url": e.TokenURL(), "login_host": e.LoginHost(),
		"identity_url": e.IdentityURL(), "control_url": e.ControlURL(), "ca_file": e.CAFile(), "pid": os.Getpid(),
		"tenant": e.Tenant, "client_id": e.ClientID, "mailbox": e.Mailbox, "config": s.configOut, "dir": s.options.Dir,
	})
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if s.readyFD == 1 {
		_, err = stdout.Write(b)
		return err
	}
	f := os.NewFile(uintptr(s.readyFD), "ready-fd")
	if f == nil {
		return fmt.Errorf("-ready-fd: %d is not a descriptor", s.readyFD)
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// summary says what happened.
func summary(e *emulator.Emulator, w io.Writer) {
	st := e.Stats()
	fmt.Fprintf(w, "m365-emulator: %d messages to %d recipients, %d bytes; %d connections, %d at most at once, %d "+
		"sign-ins; %d token requests\n",
		st.Messages, st.Recipients, st.Octets, st.Connections, st.MaxConcurrent, st.SignIns, st.TokenRequests)
	var refused []string
	for code, n := range st.Refused {
		refused = append(refused, fmt.Sprintf("%d x %s", n, code))
	}
	for code, n := range st.AADSTS {
		refused = append(refused, fmt.Sprintf("%d x AADSTS%d", n, code))
	}
	if len(refused) > 0 {
		slices.Sort(refused)
		fmt.Fprintln(w, "m365-emulator: refused:", strings.Join(refused, ", "))
	}
}
