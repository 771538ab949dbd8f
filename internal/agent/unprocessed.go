package agent

import (
	"context"
	"errors"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/internal/unprocessed"
)

var errNoRules = errors.New("the configuration can't be used yet")

// processKept is the engine's Process: by the rules that are in force now.
func (a *Agent) processKept(ctx context.Context, it *spool.Item) (*spool.Item, error) {
	r := a.rules.Load()
	if r.fault != nil {
		return nil, sysexits.With(sysexits.TempFail, errNoRules)
	}
	p := unprocessed.Rules{Intake: r.intake, User: a.users.name, Memory: memory, TempDir: r.config.Spool.Dir,
		Note: func(id, text string) { a.log.Log(maillog.Notice, id, "", text) }}
	it, err := p.Process(ctx, it)
	if err != nil {
		a.kept.Store(true)
		poke(a.news)
	}
	return it, err
}

// retryKept has what could not be processed by the rules before tried by the new ones.
func (a *Agent) retryKept(ctx context.Context) {
	a.kept.Store(false)
	if _, err := a.engine.Flush(ctx, deliver.Selection{Unprocessed: true, Force: true}); err != nil &&
		ctx.Err() == nil {
		a.warn(err)
	}
}
