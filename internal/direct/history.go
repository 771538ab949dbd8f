package direct

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/history"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/sysexits"
)

// OpenHistory reaches the agent, else the history itself if this user may read it.
func (p *Process) OpenHistory(ctx context.Context, o *cmdline.Options) (control.History, error) {
	agent, cfg, fault, absent, err := p.findAgent(ctx, o)
	if err != nil {
		return nil, err
	}
	if agent != nil {
		return agent, nil
	}
	if fault != nil {
		p.Warn(fault)
	}
	if cfg.History.Days == 0 {
		return nil, control.NoHistory()
	}
	if err := p.DropRoot(); err != nil {
		return nil, err
	}
	dir := assemble.History(cfg).Dir
	if _, err := os.ReadDir(dir); errors.Is(err, fs.ErrPermission) {
		return nil, sysexits.With(sysexits.NoPerm, fmt.Errorf("%w, and this user may not read the history %s", absent, dir))
	}
	return control.NewPast(dir, p.Now), nil
}

// keepHistory is the history that this process keeps, as far as it has the right to.
func keepHistory(cfg *config.Config, log *maillog.Logger) *history.Writer {
	w := &history.Writer{Warn: func(err error) {
		if !errors.Is(err, fs.ErrPermission) {
			log.Log(maillog.Warning, "", "", err)
		}
	}}
	w.Configure(assemble.History(cfg))
	return w
}
