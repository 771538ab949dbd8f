package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"o365-sendmail/internal/agentproto"
	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// direct delivers in this process: it reads the configuration, takes the token from the
// cache and speaks to Exchange Online itself.
type direct struct {
	env     *Env
	opts    *cmdline.Options
	user    host.User
	config  *config.Config
	account *deliver.Account
	intake  *intake.Intake
	spool   *spool.Spool // nil when none can be written
	queue   *deliver.Queue
	run     func() bool // starts a run of the queue; nil when that can't be
	// reached tells that a queue run may have something to do: a message just went out, or was
	// left for the background.
	reached bool
}

// openDirect reads the configuration and gives up root's rights.
func (e *Env) openDirect(name string, o *cmdline.Options, user host.User, hostName string) (*direct, error) {
	cfg, err := e.loadOnce(o, user)
	if err == nil {
		err = route.EnoughDescriptors(route.ForDelivery)
	}
	if err != nil {
		return nil, err
	}
	warned := func(err error) { e.warnf(name, "%v", err) }
	opts := assemble.Options{HostName: hostName, Warn: warned, Getenv: e.Getenv, Now: e.Now}
	if o.Verbose {
		opts.Trace = func(direction byte, line string) {
			fmt.Fprintf(e.Stderr, "%c %s\n", direction, printable.Line(line))
		}
	}
	account, err := assemble.Account(cfg, opts)
	if err != nil {
		return nil, err
	}
	if err := e.dropRootFor(cfg.Cache.Dir); err != nil {
		return nil, err
	}
	d := &direct{
		env: e, opts: o, user: user, config: cfg, account: account,
		intake: intake.New(cfg, hostName, e.Now, func(s string) { e.warnf(name, "%s", s) }),
	}
	if d.spool, err = assemble.Spool(cfg, warned); err != nil {
		return nil, err
	}
	log := assemble.Logger(cfg, o.Tag, e.Stderr)
	account.Warn = func(err error) { log.Log(maillog.Warning, "", "", err) } // the caller's message went
	for _, fault := range cfg.Ignored {
		log.Log(maillog.Warning, "", "", fault)
	}
	if e.Own && d.spool != nil {
		d.run = func() bool { return e.kick(d.spool, cfg.Spool.Dir, cfg.Path) }
	}
	d.queue = deliver.NewQueue(deliver.NewEngine(deliver.EngineOptions{
		Config: deliver.Config{
			Account: account, Mode: cfg.Delivery.Mode, Wait: cfg.Delivery.Wait, ProbeInterval: cfg.Agent.ProbeInterval,
		},
		StateFile: d.stateFile(), Spool: d.spool, Log: log, Alone: &deliver.Alone{Run: d.run},
	}))
	return d, nil
}

// stateFile is where the last run of the queue says what it waits for, "" without a queue.
func (d *direct) stateFile() string {
	if d.spool == nil {
		return ""
	}
	return assemble.StateFile(d.config)
}

// loaded is what reading the configuration has given.
type loaded struct {
	config *config.Config
	err    error
}

// loadOnce is loadConfig for a message's way, where two ask for the configuration.
func (e *Env) loadOnce(o *cmdline.Options, user host.User) (*config.Config, error) {
	if e.loaded == nil {
		c, err := e.loadConfig(o, user)
		e.loaded = &loaded{c, err}
	}
	return e.loaded.config, e.loaded.err
}

// loadConfig finds and reads the configuration with the caller's own rights.
func (e *Env) loadConfig(o *cmdline.Options, user host.User) (*config.Config, error) {
	if e.named != nil {
		return e.named, nil
	}
	path, tried := config.Find(o.Config, e.Getenv, user.Home)
	if path == "" {
		return nil, explainNoConfig(tried)
	}
	cfg, err := config.Loader{Getenv: e.Getenv}.Load(path)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("this user may not read the configuration: %w", err)
	}
	return cfg, sysexits.With(sysexits.Code(err, sysexits.Config), err)
}

// dropRootFor is dropRoot for a process that uses the cache: one that is not there yet becomes the
// service user's, as root could make it and that user can't.
func (e *Env) dropRootFor(cacheDir string) error {
	if u, ok := host.UserByName(config.ServiceUser); ok && e.UID == 0 && os.Geteuid() == 0 && u.UID != 0 {
		makeFor(cacheDir, u.UID, u.GID)
	}
	return e.dropRoot()
}

// makeFor makes a missing directory for a user, where nobody but root can be in the way. Whoever
// uses it tells when it can't be used.
func makeFor(dir string, uid, gid int) {
	if parent, err := os.Lstat(filepath.Dir(dir)); err == nil && rootsOwn(parent) && os.Mkdir(dir, 0o700) == nil {
		_ = os.Lchown(dir, uid, gid)
	}
}

// rootsOwn reports whether only root can put files into a directory.
func rootsOwn(dir fs.FileInfo) bool {
	st, ok := dir.Sys().(*syscall.Stat_t)
	return ok && dir.IsDir() && st.Uid == 0 && dir.Mode().Perm()&0o022 == 0
}

// dropRoot makes root the service user before any network I/O, where that user exists.
func (e *Env) dropRoot() error {
	if e.UID != 0 || os.Geteuid() != 0 {
		return nil
	}
	u, ok := host.UserByName(config.ServiceUser)
	if !ok || u.UID == 0 {
		return nil
	}
	for _, step := range [...]func() error{
		func() error { return syscall.Setgroups([]int{u.GID}) },
		func() error { return syscall.Setresgid(u.GID, u.GID, u.GID) },
		func() error { return syscall.Setresuid(u.UID, u.UID, u.UID) },
	} {
		if err := step(); err != nil {
			return sysexits.With(sysexits.OSErr, fmt.Errorf("root can't become the user %s: %w", config.ServiceUser, err))
		}
	}
	return nil
}

func (d *direct) MaxSize() int64 { return d.config.Delivery.MaxSize }

func (d *direct) MaxHeader() int64 { return d.config.Delivery.MaxHeader }

func (d *direct) Close() {
	assemble.Wait(d.account, refreshWait)
	if d.spool == nil {
		return
	}
	if d.reached && d.run != nil {
		d.run()
	}
	d.spool.Close()
}

// Send completes, aliases and rewrites, and delivers.
func (d *direct) Send(ctx context.Context, draft *route.Draft) (envelope.Receipt, error) {
	env := draft.Envelope
	env.Caller = envelope.Caller{UID: d.user.UID, User: d.user.Name, Via: "userid " + strconv.Itoa(d.user.UID)}
	env.Mode = d.opts.Delivery
	in := deliver.HandIn{Tag: d.opts.Tag}
	if draft.Message.Body().CutAtDot {
		in.Note = agentproto.DotCutText
	}
	in.Accept = func(note func(string)) (envelope.Message, []envelope.Refusal, error) {
		return d.intake.Prepare(env, draft.Message, intake.Caller{
			User: intake.User{Name: d.user.Name, UID: strconv.Itoa(d.user.UID)},
			Via:  env.Caller.Via, NoAliases: d.opts.NoAliases, Hops: d.opts.Hops, Note: note,
		})
	}
	receipt, err := d.queue.HandIn(ctx, env, draft.Message, in)
	d.reached = err == nil && (receipt.Reply != "" || d.queue.ModeOf(env) == deliver.ModeBackground)
	return receipt, err
}
