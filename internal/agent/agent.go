// Package agent is the resident service: it listens on the Unix socket that sendmail and
// other local programs speak SMTP to, knows from the kernel who calls, bounds what each
// user may do, and hands messages to the engine that delivers them. It alone reads the
// secret, the token cache and the spool. It starts with a broken configuration too, and
// then keeps mail until the configuration is fixed. It never opens a path, a host or an
// option that a client names, and never trusts a process id.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"o365-sendmail/internal/agent/sdnotify"
	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/history"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/smtpd"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// Options are what the configuration does not say.
type Options struct {
	// ConfigPath names the configuration; "" means the service manager's credential
	// "config", else the system's file.
	ConfigPath string
	// QueueInterval goes before the configuration's (sendmail -q15m); 0 for none.
	QueueInterval time.Duration
	HostName      string
	Version       string
	Getenv        func(string) string
	Now           func() time.Time
	Stderr        io.Writer
	// Terminal is set when Stderr is one: the log goes there, too.
	Terminal bool
	// Reload asks for the configuration to be read again.
	Reload <-chan os.Signal
	// Started is called when the agent takes connections; may be nil.
	Started func()
	// Drop gives up root's rights once the sockets are open; may be nil.
	Drop func() error
	// Fleet joins the fleet that a configuration names; nil in a program that can't.
	Fleet Fleet
	// Timeouts bound what a client can make the agent wait; zero means the usual ones.
	Timeouts smtpd.Timeouts
	// Look is how often a broken configuration is looked at again; 0 means every five seconds.
	Look time.Duration
}

const (
	defaultLook = 5 * time.Second
	// memory is how much of a message is kept in memory before it goes to a file. What
	// the spool holds in memory is as much again.
	memory = 64 << 10
)

// Agent is a running agent.
type Agent struct {
	o       Options
	manager *sdnotify.Manager
	log     *maillog.Logger

	spool  *spool.Spool
	engine *deliver.Engine
	past   *history.Writer

	rules   atomic.Pointer[rules]
	backlog atomic.Pointer[quota.Backlog] // of the last minute
	keeper  sync.RWMutex                  // held for reading while a message is kept unprocessed

	trusted func(uid int) bool                  // root and the service user, who have a reserve
	sharer  func(envelope.Caller, net.Conn) who // whose share a connection counts to

	users     userNames
	owners    owners
	limits    limits
	talking   turns // connections that work
	taking    turns // messages that are taken in while connections are short
	strangers strangers
	mu        sync.Mutex
	conns     map[*smtpd.Conn]struct{}
	draining  bool
	status    string

	asked   chan chan error // for the configuration to be read again
	news    chan struct{}   // the engine has published its state
	retry   chan struct{}   // there are other aliases for messages that were kept
	kept    atomic.Bool     // a message could not be processed by the rules in force
	aliases aliasFile
	control atomic.Pointer[control.Server] // nil before the sockets are served

	exporter exporter

	accepting sync.WaitGroup // goroutines that wait for connections
	serving   sync.WaitGroup // and those that have one
}

// Run serves until ctx ends, then finishes what is under way within agent.drain_timeout.
// Its errors carry exit codes.
func Run(ctx context.Context, o Options) error { return newAgent(o).run(ctx) }

func newAgent(o Options) *Agent {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Look <= 0 {
		o.Look = defaultLook
	}
	a := &Agent{o: o, conns: map[*smtpd.Conn]struct{}{}, manager: sdnotify.New(o.Getenv, os.Getpid()),
		asked: make(chan chan error), news: make(chan struct{}, 1),
		retry: make(chan struct{}, 1)}
	a.talking.most, a.taking.most = atWork(), atATime
	a.users.now, a.owners.now, a.limits.now = o.Now, o.Now, o.Now
	a.trusted = func(uid int) bool { return uid == 0 || uid == os.Geteuid() }
	a.sharer = a.sharerOf
	a.exporter.agent = a
	a.exporter.read.Store(&reading{})
	return a
}

func (a *Agent) run(ctx context.Context) error {
	o, r := &a.o, a.read()
	if config.Passing(r.fault) {
		// Not even where the spool is would be known. The service manager starts the agent
		// again, and callers wait at the socket or fail for now.
		return sysexits.With(sysexits.TempFail, fmt.Errorf("the configuration can't be read now: %s", r.reason()))
	}
	a.log, a.past = maillog.New(r.logOptions(o)), &history.Writer{Warn: a.warn}
	a.tell(r)
	a.exporter.note(r)
	listeners, err := a.listen(r.config)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	if o.Drop != nil {
		if err := o.Drop(); err != nil {
			return err
		}
	}
	unlock, err := a.openSpool(r.config)
	if err != nil {
		return err
	}
	defer unlock()
	a.start(r)
	return a.serve(ctx, listeners)
}

// openSpool opens the spool and makes sure that no other agent works on it.
func (a *Agent) openSpool(c *config.Config) (unlock func(), err error) {
	if c.Spool.Dir == "" {
		return nil, sysexits.With(sysexits.Config,
			errors.New("the agent needs a spool: set spool.dir in the configuration"))
	}
	o := assemble.SpoolOptions(c)
	o.Now, o.Warn = a.o.Now, a.warn
	a.spool, err = spool.Open(o)
	if err != nil {
		return nil, err
	}
	free, err := a.lockSpool(c.Spool.Dir)
	if err != nil {
		_ = a.spool.Close()
		return nil, err
	}
	return func() {
		_ = a.spool.Close()
		free()
	}, nil
}

// lockSpool keeps a second agent off. The directory's own lock can be had when nothing can be
// written, as on a file system that went read-only: mail that can leave at once still does.
func (a *Agent) lockSpool(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, sysexits.With(sysexits.TempFail, fmt.Errorf("the spool can't be used: %w", err))
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = d.Close()
		return nil, anotherAgent(dir)
	}
	path := filepath.Join(dir, "agent.lock")
	free, ok, err := durable.TryLock(path, 0o600)
	switch {
	case err == nil && ok:
		return func() { free(); _ = d.Close() }, nil
	case err == nil:
		err = anotherAgent(dir)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission),
		errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		a.warn(fmt.Errorf("the spool can't be written now: only what leaves at once is taken: %w", err))
		return func() { _ = d.Close() }, nil
	default:
		err = sysexits.With(sysexits.CantCreat, fmt.Errorf("%s: %w", path, err))
	}
	_ = d.Close()
	return nil, err
}

func anotherAgent(dir string) error {
	return sysexits.With(sysexits.Unavailable, fmt.Errorf("another agent works on the spool %s", dir))
}

// serve runs the parts and ends them in order.
func (a *Agent) serve(ctx context.Context, listeners []listener) error {
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	// Callers in mid-sentence may finish after the end has begun.
	talk, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var parts sync.WaitGroup
	errs := make(chan error, len(listeners)+1)
	parts.Go(func() {
		if err := a.engine.Run(stop); err != nil {
			errs <- sysexits.With(sysexits.Software, fmt.Errorf("the delivery engine stopped: %w", err))
		}
	})
	select { // the first caller is served like any other
	case <-a.engine.Begun():
	case err := <-errs:
		errs <- err
	}
	queue := control.NewServer(control.NewLocal(a.spool, a.hooks()), a.exporter.now)
	queue.Token = a.token
	a.control.Store(queue)
	defer queue.Close()
	for _, l := range listeners {
		a.accepting.Go(func() {
			if l.control {
				_ = queue.Serve(l) // ends with the listener
				return
			}
			if err := a.accept(talk, stop, l); err != nil {
				errs <- err
			}
		})
	}
	seen := a.signature()
	a.aliases.state = a.aliasState()
	parts.Go(func() { a.watch(stop, seen) })
	parts.Go(func() { a.beat(stop, listeners) })
	a.notify(sdnotify.Ready)
	a.log.Log(maillog.Info, "", "", "the agent is ready")
	if a.o.Started != nil {
		a.o.Started()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
		a.log.Log(maillog.Err, "", "", err)
	}
	a.end(cancel, hangUp, listeners)
	_ = queue.Close()
	parts.Wait()
	a.exporter.end()
	if m := a.rules.Load().member; m != nil {
		m.Close()
	}
	a.log.Log(maillog.Info, "", "", "the agent has stopped")
	return err
}

// spare is what ending takes beside the drain timeout; grace is the part of it in which
// messages whose tries were broken off go into the spool and their callers hear of it.
const (
	spare = 15 * time.Second
	grace = 5 * time.Second
)

// end takes no more connections and gives those that are open the drain timeout. The
// engine ends at the same time: it tells waiting callers "queued" and finishes its tries.
func (a *Agent) end(stop, hangUp context.CancelFunc, listeners []listener) {
	drain := a.rules.Load().config.Agent.DrainTimeout
	a.notify(sdnotify.Stopping, sdnotify.Extend(drain+spare))
	for _, l := range listeners {
		_ = l.Close()
	}
	a.accepting.Wait()
	a.drain()
	stop()
	gone := make(chan struct{})
	go func() {
		a.serving.Wait()
		close(gone)
	}()
	t := time.NewTimer(drain + grace)
	defer t.Stop()
	select {
	case <-gone:
	case <-t.C:
		hangUp()
		<-gone
	}
}

// drain ends the connections that are between messages; the others follow.
func (a *Agent) drain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.draining = true
	for c := range a.conns {
		c.Drain()
	}
}

func (a *Agent) mailbox() string { return a.rules.Load().config.Mailbox }

func (a *Agent) warn(err error) { a.log.Log(maillog.Warning, "", "", err) }

// notify tells the service manager; that it can't be told stops nothing.
func (a *Agent) notify(states ...string) {
	if err := a.manager.Notify(states...); err != nil {
		a.log.Log(maillog.Notice, "", "", fmt.Errorf("the service manager can't be told %q: %w", states[0], err))
	}
}

// closed reports whether an accept failed because the listener was closed.
func closed(err error) bool { return errors.Is(err, net.ErrClosed) }
