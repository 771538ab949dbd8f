package cli

import (
	"context"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/route"
)

// deliver is the mode -bm: a message from standard input.
func (e *Env) deliver(ctx context.Context, name string, o *cmdline.Options) int {
	p := e.process(name)
	r, err := p.OpenRoute(ctx, o)
	if err != nil {
		return e.fail(name, err)
	}
	defer r.Close()
	c := route.Call{
		Name: name, Options: o, User: host.UserByID(e.UID), Stdin: e.Stdin, Stderr: e.Stderr,
		ExitCode: deliver.ExitCode,
		MailBack: func(d *route.Draft, refused []envelope.Refusal) []envelope.Refusal {
			return p.MailBack(ctx, o, d, refused)
		},
	}
	return c.Deliver(ctx, r)
}
