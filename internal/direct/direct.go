package direct

import (
	"context"
	"strconv"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/spool"
)

// Direct is the way by which this process delivers: it reads the configuration, takes the token from the
// cache and speaks to Exchange Online itself.
type Direct struct {
	opts    *cmdline.Options
	user    host.User
	config  *config.Config
	account *deliver.Account
	intake  *intake.Intake
	spool   *spool.Spool // nil when none can be written
	engine  *deliver.Engine
	run     func() bool // starts a run of the queue; nil when that can't be
	// reached is set when a queue run may have something to do: a message just went out, or was
	// left for the background.
	reached bool
}

// open reads the configuration and gives up root's rights.
func (p *Process) open(o *cmdline.Options) (*Direct, error) {
	cfg, err := p.loadOnce(o)
	if err != nil {
		return nil, err
	}
	account, err := p.account(cfg, o)
	if err != nil {
		return nil, err
	}
	if err := p.DropRootFor(cfg.Cache.Dir); err != nil {
		return nil, err
	}
	d := &Direct{
		opts: o, user: host.UserByID(p.UID), config: cfg, account: account,
		intake: intake.New(cfg, host.Name(), p.Now, p.warnText),
	}
	if d.spool, err = assemble.Spool(cfg, p.Warn); err != nil {
		return nil, err
	}
	log := assemble.Logger(cfg, o.Tag, p.Stderr)
	account.Warn = func(err error) { log.Log(maillog.Warning, "", "", err) } // the caller's message went
	for _, fault := range cfg.Ignored {
		log.Log(maillog.Warning, "", "", fault)
	}
	if p.Own && d.spool != nil {
		d.run = func() bool { return startRun(d.spool, cfg.Spool.Dir, cfg.Path) }
	}
	d.engine = deliver.NewEngine(deliver.EngineOptions{
		Config: deliver.Config{
			Account: account, Mode: cfg.Delivery.Mode, Wait: cfg.Delivery.Wait, ProbeInterval: cfg.Agent.ProbeInterval,
		},
		StateFile: d.stateFile(), Spool: d.spool, Log: log, History: keepHistory(cfg, log),
		Alone: &deliver.Alone{Run: d.run},
	})
	return d, nil
}

// stateFile is where the last run of the queue says what it waits for, "" without a queue.
func (d *Direct) stateFile() string {
	if d.spool == nil {
		return ""
	}
	return assemble.StateFile(d.config)
}

// MaxSize is delivery.max_size.
func (d *Direct) MaxSize() int64 { return d.config.Delivery.MaxSize }

// MaxHeader is delivery.max_header.
func (d *Direct) MaxHeader() int64 { return d.config.Delivery.MaxHeader }

// ReadsBody is false: nobody reads the message after this process.
func (d *Direct) ReadsBody() bool { return false }

// MaxRecipients is how many recipients one message may have that comes by SMTP.
func (d *Direct) MaxRecipients() int {
	return min(d.config.Delivery.MaxRecipients, d.config.Delivery.MaxRecipientsPerCall)
}

// Recipient returns why there is no way to an address, or nil.
func (d *Direct) Recipient(addr string) error {
	_, err := d.intake.Resolve(addr, d.opts.NoAliases)
	return err
}

// Close waits for a token refresh under way and starts a run of the queue if there may be something for it to do.
func (d *Direct) Close() {
	assemble.Wait(d.account, RefreshWait)
	if d.spool == nil {
		return
	}
	if d.reached && d.run != nil {
		d.run()
	}
	d.spool.Close()
}

// Send completes, aliases and rewrites, and delivers.
func (d *Direct) Send(ctx context.Context, draft *route.Draft) (envelope.Receipt, error) {
	env := draft.Envelope
	env.Caller = envelope.Caller{UID: d.user.UID, User: d.user.Name, Via: "userid " + strconv.Itoa(d.user.UID)}
	env.Mode = d.opts.Delivery
	in := deliver.HandIn{Tag: d.opts.Tag}
	if draft.Message.Body().CutAtDot {
		in.Note = envelope.DotCutText
	}
	in.Accept = func(note func(string)) (envelope.Message, []envelope.Refusal, error) {
		return d.intake.Prepare(env, draft.Message, intake.Caller{
			User: intake.User{Name: d.user.Name, UID: strconv.Itoa(d.user.UID)},
			Via:  env.Caller.Via, NoAliases: d.opts.NoAliases, Hops: d.opts.Hops, Note: note,
		})
	}
	receipt, err := d.engine.HandIn(ctx, env, draft.Message, in)
	d.reached = err == nil && (receipt.Reply != "" || d.engine.ModeOf(env) == deliver.ModeBackground)
	return receipt, err
}
