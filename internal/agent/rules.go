package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/agent/sdnotify"
	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/sysexits"
)

// rules are one reading of the configuration and what follows from it.
type rules struct {
	config  *config.Config
	host    string
	intake  *intake.Intake
	account *deliver.Account
	relay   *relay // nil when it can't be read, or other hosts don't get TLS
	// relayFault says what is wrong with its files.
	relayFault error
	// fault is why messages can't be processed; nil when they can. It has a line for each of the
	// faults, of which there are more than one.
	fault error
	more  int
	// member is the membership of the configuration's fleet; nil for none.
	member quota.Member
	read   time.Time // when the reading began
}

// notConfigured is the fault of a file that is not there yet.
type notConfigured string

func (path notConfigured) Error() string { return "there is no configuration at " + string(path) }

// Advice says what to do.
func (notConfigured) Advice() string { return "run o365-sendmail setup" }

// path is where the configuration is read from. The caller's environment and home never
// have a say: an agent has no caller.
func (a *Agent) path() string {
	if a.o.ConfigPath != "" {
		return a.o.ConfigPath
	}
	if dir := a.o.Getenv("CREDENTIALS_DIRECTORY"); filepath.IsAbs(dir) {
		if path := filepath.Join(dir, "config"); exists(path) {
			return path
		}
	}
	return config.SystemPath
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// read reads the configuration, whatever is wrong with it, and the secrets.
func (a *Agent) read() *rules {
	path, now := a.path(), a.o.Now()
	c, faults := config.Loader{Getenv: a.o.Getenv}.LoadLenient(path)
	r := &rules{config: c, host: a.o.HostName, fault: errors.Join(faults...), more: max(0, len(faults)-1),
		read: now}
	if len(faults) == 1 && errors.Is(faults[0], fs.ErrNotExist) && !exists(path) {
		r.fault = notConfigured(path)
	}
	r.relay, r.relayFault = a.readRelay(c)
	if c.From.HostName != "" {
		r.host = strings.ToLower(c.From.HostName)
	}
	if r.fault != nil {
		return r
	}
	r.intake = a.newIntake(r)
	o := assemble.Options{HostName: r.host, Warn: a.warn, Getenv: a.o.Getenv, Now: a.o.Now}
	if r.fault = a.mayJoin(c); r.fault != nil {
		return r
	}
	o.Member = a.joins(r)
	r.account, r.fault = assemble.Account(c, o)
	return r
}

// logOptions say where the agent's log goes: always to some place, and also to a person at a terminal.
func (r *rules) logOptions(o *Options) maillog.Options {
	l := assemble.LogOptions(r.config, "", o.Stderr)
	l.Fallback, l.Echo = true, o.Terminal
	return l
}

// maxRecipients is how many recipients a client may name in one transaction.
func (r *rules) maxRecipients() int {
	return min(r.config.Delivery.MaxRecipients, r.config.Delivery.MaxRecipientsPerCall)
}

// maxOwn is the same for this program's own client, which is local.
func (r *rules) maxOwn(local bool) int {
	if !local {
		return 0
	}
	return r.config.Delivery.MaxRecipientsPerCall
}

// reason is the fault in one line: the first of several, with what to do where that is not the
// same for all.
func (r *rules) reason() string {
	first, _, _ := strings.Cut(r.fault.Error(), "\n")
	var missing notConfigured
	switch {
	case errors.As(r.fault, &missing):
		return first + "; " + missing.Advice()
	case r.more > 0:
		return fmt.Sprintf("%s (and %d more; o365-sendmail config check lists them)", first, r.more)
	}
	return first
}

// engineConfig is the engine's part of the rules.
func (a *Agent) engineConfig(r *rules) deliver.Config {
	account, fault := r.account, r.fault
	if fault != nil {
		account = nil
		if !errors.As(fault, new(notConfigured)) {
			fault = errors.New(r.reason())
		}
	}
	e := assemble.Engine(r.config, account, fault, r.host, a.resolve)
	e.ServiceUID, e.Owner = os.Geteuid(), a.owners.of
	e.Process = a.processKept
	if a.o.QueueInterval > 0 {
		e.QueueInterval = a.o.QueueInterval
	}
	return e
}

// resolve finds where mail for an address goes, by the rules in force.
func (a *Agent) resolve(addr string) ([]string, error) {
	if r := a.rules.Load(); r.intake != nil {
		return r.intake.Resolve(addr, false)
	}
	return []string{addr}, nil
}

// start makes the engine for the first rules.
func (a *Agent) start(r *rules) {
	a.rules.Store(r)
	a.past.Configure(assemble.History(r.config))
	a.engine = deliver.NewEngine(deliver.EngineOptions{
		Config: a.engineConfig(r), Spool: a.spool, Log: a.log, Warn: a.warn, Publish: a.publish,
		StateFile: assemble.StateFile(r.config), History: a.past,
	})
}

// tell logs what is wrong with a reading of the configuration.
func (a *Agent) tell(r *rules) {
	for _, w := range slices.Concat(r.config.Ignored, r.config.Warnings) {
		a.warn(w)
	}
	if r.relayFault != nil {
		a.log.Log(maillog.Err, "", "", r.relayFault)
	}
	if group := r.config.Agent.TokenGroup; group != "" {
		if _, ok := host.GroupID(group); !ok {
			a.warn(fmt.Errorf("agent.token_group: /etc/group has no group %q: nobody gets tokens by it; "+
				"a group from elsewhere needs its number", group))
		}
	}
	if r.fault != nil {
		a.log.Log(maillog.Err, "", "",
			fmt.Errorf("the configuration can't be used: mail is accepted and kept, and goes out when it is fixed: %s",
				strings.ReplaceAll(r.fault.Error(), "\n", "; ")))
	}
}

// reload reads the configuration and the secrets again. One that is broken never takes
// the place of one that works; the error then says what is wrong with it.
func (a *Agent) reload(ctx context.Context) error {
	defer a.notify(sdnotify.Ready)
	a.notify(sdnotify.Reloading)
	a.aliases.Lock()
	defer a.aliases.Unlock()
	a.aliases.state = a.aliasState()
	old, r := a.rules.Load(), a.read()
	a.tell(r)
	a.exporter.note(r)
	switch {
	case r.fault != nil && old.fault == nil:
		a.log.Log(maillog.Err, "", "", "the configuration that was read before stays in force")
		a.setStatus("the changed configuration is broken, the one before stays in force: " + r.reason())
	case r.fault != nil:
		a.log.Reopen(r.logOptions(&a.o))
		a.change(r)
		a.engine.Reconfigure(a.engineConfig(r))
		old.leaveFleet()
		a.setStatus("")
	default:
		a.log.Reopen(r.logOptions(&a.o))
		a.tellFixed(old.config, r.config)
		a.change(r)
		a.engine.Reconfigure(a.engineConfig(r))
		old.leaveFleet()
		a.retryKept(ctx)
		a.setStatus("")
		a.log.Log(maillog.Info, "", "", "the configuration was read again")
	}
	if r.fault != nil {
		return sysexits.With(sysexits.Config, errors.New(r.reason()))
	}
	return sysexits.With(sysexits.Config, r.relayFault)
}

// rereadAliases reads the alias file again, and reports whether there are rules that it is a part of.
func (a *Agent) rereadAliases() bool {
	r := *a.rules.Load()
	if r.intake == nil {
		return false
	}
	r.intake = a.newIntake(&r)
	a.change(&r)
	a.log.Log(maillog.Info, "", "", "the aliases were read again")
	return true
}

func (a *Agent) newIntake(r *rules) *intake.Intake {
	return intake.New(r.config, a.o.HostName, a.o.Now, func(s string) { a.warn(errors.New(s)) })
}

// change puts new rules in force when no message is being kept by the old ones.
func (a *Agent) change(r *rules) {
	a.keeper.Lock()
	defer a.keeper.Unlock()
	a.rules.Store(r)
	a.past.Configure(assemble.History(r.config))
}

// tellFixed says which changes wait for a restart.
func (a *Agent) tellFixed(old, c *config.Config) {
	for _, k := range [...]struct{ name, old, now string }{
		{"agent.socket", old.Agent.Socket, c.Agent.Socket}, {"agent.listen", old.Agent.Listen, c.Agent.Listen},
		{"spool.dir", old.Spool.Dir, c.Spool.Dir},
	} {
		if k.old != k.now {
			a.warn(fmt.Errorf("%s changed from %q to %q: restart the agent for that", k.name, k.old, k.now))
		}
	}
}
