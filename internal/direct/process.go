// Package direct is what a process does that has a configuration and no agent: it delivers by itself (Direct), goes
// through the queue (OwnQueue), starts a run of it, and gives up root's rights first. OpenRoute and OpenQueue choose
// between the agent and this. It prints nothing but warnings and the transcript of -v.
package direct

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/sysexits"
)

// Process is what a way of delivery knows of the process that it runs in.
type Process struct {
	Name   string // that the program was called by
	Stderr io.Writer
	Getenv func(string) string
	Now    func() time.Time
	UID    int
	// Socket is where the agent listens, "" for the place of a package installation.
	Socket string
	// Own is set when the process is the program's own, which may start itself for a run of the queue.
	Own bool
	// KeepRoot is set when the queue is only read, and a file written that root named.
	KeepRoot bool
	// Named is the configuration that the call named and may name; nil when it named none.
	Named *config.Config

	loaded func() (*config.Config, error) // what loadOnce has read
}

// RefreshWait bounds how long a process waits for its own token refresh after its work is done.
const RefreshWait = 5 * time.Second

// ErrNoConfig is wrapped in the error of a process for which there is no configuration.
var ErrNoConfig = errors.New("no configuration")

// explainNoConfig says where was looked, and what to do.
func explainNoConfig(tried []string) error {
	return sysexits.With(sysexits.Config,
		fmt.Errorf("%w: looked for %s; copy the sample o365-sendmail.toml there or run o365-sendmail setup",
			ErrNoConfig, strings.Join(tried, ", ")))
}

// Warn prints a warning.
func (p *Process) Warn(err error) { route.Warnf(p.Stderr, p.Name, "%v", err) }

func (p *Process) warnText(text string) { route.Warnf(p.Stderr, p.Name, "%s", text) }

// AgentSocket is where the agent listens. No variable of the environment moves it: whoever
// answers there gets the mail.
func (p *Process) AgentSocket() string {
	if p.Socket != "" {
		return p.Socket
	}
	return config.DefaultSocket
}

// LoadConfig finds and reads the configuration with the caller's own rights. The error carries an exit code.
func (p *Process) LoadConfig(o *cmdline.Options) (*config.Config, error) {
	if p.Named != nil {
		return p.Named, nil
	}
	path, tried := config.Find(o.Config, p.Getenv, host.UserByID(p.UID).Home)
	if path == "" {
		return nil, explainNoConfig(tried)
	}
	cfg, err := config.Loader{Getenv: p.Getenv}.Load(path)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("this user may not read the configuration: %w", err)
	}
	return cfg, sysexits.With(sysexits.Code(err, sysexits.Config), err)
}

// loadOnce is LoadConfig for a message's way, where two ask for the configuration.
func (p *Process) loadOnce(o *cmdline.Options) (*config.Config, error) {
	if p.loaded == nil {
		cfg, err := p.LoadConfig(o)
		p.loaded = func() (*config.Config, error) { return cfg, err }
	}
	return p.loaded()
}

// loadLenient reads as much of the configuration as can be: a typing error in it, which
// comes back as fault, must not hide the queue.
func (p *Process) loadLenient(o *cmdline.Options) (cfg *config.Config, fault, err error) {
	if p.Named != nil {
		return p.Named, nil, nil
	}
	path, tried := config.Find(o.Config, p.Getenv, host.UserByID(p.UID).Home)
	if path == "" {
		return nil, nil, explainNoConfig(tried)
	}
	cfg, faults := config.Loader{Getenv: p.Getenv}.LoadLenient(path)
	for _, f := range faults {
		if errors.Is(f, fs.ErrPermission) {
			return nil, nil, sysexits.With(sysexits.NoPerm,
				errors.New("this user may not read the configuration, and so not the queue"))
		}
		if errors.Is(f, fs.ErrNotExist) {
			return nil, nil, sysexits.With(sysexits.Config, f)
		}
	}
	if len(faults) > 0 {
		fault = faults[0]
	}
	return cfg, fault, nil
}

// account is the account of a configuration, with a transcript on standard error if -v asks for it.
func (p *Process) account(cfg *config.Config, o *cmdline.Options) (*deliver.Account, error) {
	if err := route.EnoughDescriptors(route.ForDelivery); err != nil {
		return nil, err
	}
	opts := assemble.Options{HostName: host.Name(), Warn: p.Warn, Getenv: p.Getenv, Now: p.Now}
	if o.Verbose {
		opts.Trace = func(direction byte, line string) {
			fmt.Fprintf(p.Stderr, "%c %s\n", direction, printable.Line(line))
		}
	}
	return assemble.Account(cfg, opts)
}
