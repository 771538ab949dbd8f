package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/sysexits"
)

// deliver is the mode -bm: a message from standard input.
func (e *Env) deliver(ctx context.Context, name string, o *cmdline.Options) int {
	user, hostName := host.UserByID(e.UID), host.Name()
	r, err := e.openRoute(ctx, name, o, user, hostName)
	if err != nil {
		return e.fail(name, err)
	}
	defer r.Close()
	c := route.Call{
		Name: name, Options: o, User: user, Stdin: e.Stdin, Stderr: e.Stderr, ExitCode: deliver.ExitCode,
		MailBack: func(d *route.Draft, refused []envelope.Refusal) []envelope.Refusal {
			return e.mailBack(ctx, name, o, user, d, refused)
		},
	}
	return c.Deliver(ctx, r)
}

// refreshWait bounds how long a process waits for its own token refresh after its
// message is delivered.
const refreshWait = 5 * time.Second

var errNoConfig = errors.New("no configuration")

// explainNoConfig says where was looked, and what to do.
func explainNoConfig(tried []string) error {
	return sysexits.With(sysexits.Config, fmt.Errorf("%w: looked for %s; copy the sample o365-sendmail.toml there or run o365-sendmail setup",
		errNoConfig, strings.Join(tried, ", ")))
}
