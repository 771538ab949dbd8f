package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// trialTime bounds the request for one token.
const trialTime = 30 * time.Second

// trial asks Entra for a token with a configuration's credential, past the cache. Files are read with the rights of
// who calls; the network is root's only where there is no service user.
func (f configFile) trial(ctx context.Context, cfg *config.Config) (token xoauth.Token, err error) {
	a, err := assemble.Account(cfg, assemble.Options{HostName: host.Name(), Getenv: f.Getenv, Now: f.Now})
	if err != nil {
		return xoauth.Token{}, err
	}
	if a.Source == nil {
		return xoauth.Token{}, deliver.NoToken()
	}
	source, err := a.Source()
	if err != nil {
		return xoauth.Token{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	err = f.process("o365-sendmail").LendRoot(func() (err error) {
		token, err = source.Token(ctx)
		return err
	})
	return token, err
}

// accountKeys are what a token request depends on.
var accountKeys = []string{"tenant", "client_id", "client_secret", "client_secret_file", "cloud"}

// touchesAccount reports whether a change may keep the application from signing in.
func touchesAccount(changes []setup.KeyChange) bool {
	return slices.ContainsFunc(changes, func(c setup.KeyChange) bool {
		return slices.Contains(accountKeys, c.Key) || strings.HasPrefix(c.Key, "credential.") ||
			strings.HasPrefix(c.Key, "token.")
	})
}

// refusal reports whether Entra answered and said no, which waiting does not change.
func refusal(err error) bool {
	var e *xoauth.Error
	return errors.As(err, &e) && !e.Temporary() && (e.AADSTS != 0 || e.Code != "")
}

// tryFirst asks Entra for a token with the new configuration, before that takes the place of one that works.
// What can't be tried, as without a network, is no obstacle.
func (s *setupRun) tryFirst(ctx context.Context, cfg *config.Config) error {
	present, err := config.Loader{Getenv: s.Getenv}.Load(s.path)
	if err != nil || cfg.Kind == account.Relay || cfg.Credential.Type == config.TypeDeviceCode || cfg.Credential.Type == config.TypeManagedIdentity {
		return nil
	}
	for {
		_, err := s.account().trial(ctx, cfg)
		if err == nil {
			return nil
		}
		if !refusal(err) {
			s.warnf("o365-sendmail", "the new configuration can't be tried: %v", err)
			return nil
		}
		if _, old := s.account().trial(ctx, present); old != nil {
			return nil // there is nothing to lose, and the doctor says what is wrong
		}
		err = sysexits.With(sysexits.Config, fmt.Errorf("the present account works and the new one is refused: %w",
			err))
		if s.term == nil || s.yes {
			return err
		}
		fmt.Fprintf(s.Stdout, "%v\n", err)
		again, stop := s.term.Confirm(ctx, "Try again?")
		if stop != nil || !again {
			return err
		}
	}
}
