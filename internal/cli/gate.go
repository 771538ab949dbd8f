package cli

import (
	"errors"
	"fmt"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/sysexits"
)

// admit is the gate before every mode of sendmail, mailq and newaliases. What a web application
// passes on (PHP's fifth argument of mail(), CVE-2016-10033) is somebody else's words with
// the application's rights: it starts no agent, and a configuration that it names is taken only when root
// or the service user wrote it, and as a whole. The caller's own file has other ways, which a
// command line doesn't reach.
func (e *Env) admit(o *cmdline.Options) error {
	if o.Config == "" && !serves(o) {
		return nil
	}
	byService := installed(e.UID)
	if o.Config != "" {
		cfg, err := config.Loader{Getenv: e.Getenv, Trusted: !byService}.Load(o.Config)
		if errors.Is(err, config.ErrUntrusted) {
			return sysexits.With(sysexits.NoPerm,
				fmt.Errorf("-C %w; this user's own configuration is ~/.config/o365-sendmail.toml or what $%s names",
					err, config.EnvPath))
		}
		if err != nil {
			return sysexits.With(sysexits.Code(err, sysexits.Config), err)
		}
		e.named = cfg
	}
	if serves(o) && !byService {
		return sysexits.With(sysexits.NoPerm,
			fmt.Errorf("only root and the user %s start the agent in this way; others run o365-sendmail serve",
				config.ServiceUser))
	}
	return nil
}

// serves reports whether a call asks for the agent.
func serves(o *cmdline.Options) bool {
	return o.Mode == cmdline.ModeServe || o.Mode == cmdline.ModeServeFront || o.Mode == cmdline.ModeQueueRun &&
		o.Queue.Interval > 0
}

// installed reports whether the caller is root or the service user.
func installed(uid int) bool {
	if uid == 0 {
		return true
	}
	service, ok := config.ServiceUID()
	return ok && uid == service
}
