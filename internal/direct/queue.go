package direct

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/internal/unprocessed"
)

// OpenQueue reaches the agent, else the spool itself if this user may. With run the queue
// can be flushed without an agent, too, for which the credentials are read.
func (p *Process) OpenQueue(ctx context.Context, o *cmdline.Options, run bool) (control.Queue, error) {
	agent, cfg, fault, absent, err := p.findAgent(ctx, o)
	if err != nil {
		return nil, err
	}
	if agent != nil {
		return agent, nil
	}
	if fault != nil && !run {
		p.Warn(fault) // a run tells it as the error that it is
	}
	if cfg.Spool.Dir == "" || missingFile(cfg.Spool.Dir) {
		return noQueue{}, nil
	}
	q := &OwnQueue{process: p, dueOnly: o.Queue.DueOnly}
	if run {
		if err := q.prepare(o); err != nil {
			return nil, err
		}
	}
	// Root becomes the queue's owner, so that all files that are written belong to that user.
	if !p.KeepRoot {
		if err := p.DropRoot(); err != nil {
			return nil, err
		}
	}
	return q.open(cfg, absent)
}

// findAgent reaches the agent, or returns the configuration with its fault and why there is no agent.
func (p *Process) findAgent(ctx context.Context, o *cmdline.Options) (agent *control.Client, cfg *config.Config,
	fault, absent, err error) {
	cfg, fault, err = p.loadLenient(o)
	socket := config.DefaultSocket
	if cfg != nil && cfg.Agent.Socket != "" {
		socket = cfg.Agent.Socket
	}
	if agent, absent = control.Connect(ctx, control.SocketPath(socket)); absent == nil {
		return agent, nil, nil, nil, nil
	}
	if err != nil {
		err = noQueueWay(absent, err, socket, p.namesConfig(o))
	}
	return nil, cfg, fault, absent, err
}

// noQueueWay says why neither the agent nor the spool is reached. The folder of the socket beside a configuration that
// is not this user's to read means that the service is down: that passes.
func noQueueWay(absent, err error, socket string, named bool) error {
	code := sysexits.Code(err, sysexits.Config)
	if code == sysexits.NoPerm && !named && isDir(filepath.Dir(socket)) {
		return sysexits.With(sysexits.TempFail, fmt.Errorf("%w; start it: %s (and directly: %v)", absent,
			host.StartAgent, err))
	}
	return sysexits.With(code, fmt.Errorf("%w; %w", absent, err))
}

func missingFile(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// OwnQueue is a queue without an agent.
type OwnQueue struct {
	*control.Local
	process *Process
	spool   *spool.Spool
	dir     string
	// dueOnly has Flush leave alone what is not due yet.
	dueOnly bool
	// What a run of the queue needs; account is nil when none was prepared.
	account *deliver.Account
	options deliver.EngineOptions
	// Progress is told how a run goes; may be nil.
	Progress func(deliver.Progress)
	// Last is the engine's state at the end of the last run.
	Last deliver.State
}

// prepare reads what delivery needs while root's rights are there.
func (q *OwnQueue) prepare(o *cmdline.Options) error {
	p, hostName := q.process, host.Name()
	cfg, err := p.LoadConfig(o)
	if err != nil {
		return err
	}
	if q.account, err = p.account(cfg, o); err != nil {
		return err
	}
	log := assemble.Logger(cfg, o.Tag, p.Stderr)
	q.account.Warn = func(err error) { log.Log(maillog.Warning, "", "", err) }
	in := intake.New(cfg, hostName, p.Now, p.warnText)
	resolve := func(addr string) ([]string, error) { return in.Resolve(addr, false) }
	rules := unprocessed.Rules{Intake: in, User: func(uid int) string { return host.UserByID(uid).Name },
		TempDir: cfg.Spool.Dir, Note: func(id, text string) { log.Log(maillog.Notice, id, "", text) }}
	q.options = deliver.EngineOptions{
		Config:    assemble.Engine(cfg, q.account, nil, hostName, resolve),
		Log:       log,
		History:   keepHistory(cfg, log),
		StateFile: assemble.StateFile(cfg),
		Warn:      p.Warn,
	}
	q.options.Process = rules.Process
	return nil
}

func (q *OwnQueue) open(cfg *config.Config, absent error) (control.Queue, error) {
	p := q.process
	o := assemble.SpoolOptions(cfg)
	o.Now, o.Warn = p.Now, p.Warn
	s, err := spool.Open(o)
	if errors.Is(err, fs.ErrPermission) {
		return nil, sysexits.With(sysexits.NoPerm,
			fmt.Errorf("%w, and this user may not read the spool %s", absent, o.Dir))
	}
	if err != nil {
		return nil, err
	}
	q.spool, q.dir = s, o.Dir
	log := sync.OnceValue(func() *maillog.Logger { return assemble.Logger(cfg, "", p.Stderr) })
	q.Local = control.NewLocal(s, control.Hooks{Status: func() queueview.Status {
		return queueview.Status{Mailbox: cfg.Mailbox, Stops: control.StopsFromFile(assemble.StateFile(cfg), p.Now())}
	}, Note: func(id, text string) { log().Log(maillog.Notice, id, "", text) }})
	return q, nil
}

// Flush delivers in this process, and returns when nothing more can be done now.
func (q *OwnQueue) Flush(ctx context.Context, f queueview.Filter, ask bool) (done control.Flushed, err error) {
	if q.account == nil {
		return q.Local.Flush(ctx, f, ask)
	}
	q.options.Spool = q.spool
	if q.dueOnly && q.process.Own {
		defer waitForRun(ctx, q.dir)()
	}
	for _, sel := range control.Selections(f) {
		sel.Force, sel.Ask = !q.dueOnly, ask
		engine := deliver.NewEngine(q.options)
		state, err := engine.RunOnce(ctx, sel, func(p deliver.Progress) {
			if q.Progress != nil {
				q.Progress(p)
			}
		})
		if err != nil {
			return done, sysexits.With(sysexits.TempFail, errors.New("interrupted; what is left stays in the queue"))
		}
		done.Messages += state.Counters.Sent
		if done.Notes == nil {
			done.Notes = state.Asked
		}
		q.Last = state
	}
	return done, nil
}

// Close waits for a token refresh under way.
func (q *OwnQueue) Close() error {
	if q.account != nil {
		assemble.Wait(q.account, RefreshWait)
	}
	return q.spool.Close()
}
