package route

import (
	"context"
	"errors"
	"fmt"
	"io"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// AgentRoute hands messages to the agent. It needs neither the configuration nor its secret.
type AgentRoute struct {
	Conn    *Conn
	Options *cmdline.Options
}

// MaxSize is what the agent takes.
func (r *AgentRoute) MaxSize() int64 { return r.Conn.MaxSize() }

// MaxHeader is 0: the agent does not announce its limit.
func (r *AgentRoute) MaxHeader() int64 { return 0 }

// ReadsBody is true.
func (r *AgentRoute) ReadsBody() bool { return true }

// Close ends the connection.
func (r *AgentRoute) Close() { r.Conn.Close() }

// Send hands the message over as it came; the agent applies the aliases and the sender rule.
func (r *AgentRoute) Send(ctx context.Context, d *Draft) (envelope.Receipt, error) {
	wire, err := d.Message.Wire(rfc822.WireOptions{AllowEightBit: true, AsIs: true})
	switch {
	case errors.Is(err, rfc822.ErrSignature):
		return envelope.Receipt{}, sysexits.With(sysexits.DataErr, err)
	case err != nil:
		return envelope.Receipt{}, sysexits.With(sysexits.IOErr, err)
	}
	env := *d.Envelope
	env.EightBit, env.SMTPUTF8 = wire.EightBit(), wire.SMTPUTF8()
	return r.Conn.Send(ctx, &env, envelope.Options{
		Mode: r.Options.Delivery, NoAliases: r.Options.NoAliases, Hops: r.Options.Hops, Tag: r.Options.Tag,
		DotCut: d.Message.Body().CutAtDot, Altered: d.Message.Body().Altered, Unread: d.Message.Body().Unread,
	}, wire)
}

// DialAgent connects to the agent at a socket. When nobody answers there the error is a
// *UnreachableError.
func DialAgent(ctx context.Context, o *cmdline.Options, opts AgentOptions, stderr io.Writer) (*Conn, error) {
	if o.Verbose && o.Mode == cmdline.ModeDeliver {
		opts.Trace = func(direction byte, line string) {
			fmt.Fprintf(stderr, "%c %s\n", direction, printable.Line(line))
		}
	}
	return Dial(ctx, opts)
}
