package cli

import (
	"context"
	"errors"
	"fmt"

	"o365-sendmail/internal/agent/client"
	"o365-sendmail/internal/agent/protocol"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// agentRoute hands messages to the agent. It needs neither the configuration nor its secret.
type agentRoute struct {
	conn *client.Conn
	opts *options
}

func (r *agentRoute) MaxSize() int64 { return r.conn.MaxSize() }

func (r *agentRoute) Close() { r.conn.Close() }

// Send hands the message over as it came; the agent applies the aliases and the sender rule.
func (r *agentRoute) Send(ctx context.Context, d *draft) (envelope.Receipt, error) {
	wire, err := d.msg.Wire(rfc822.WireOptions{AllowEightBit: true})
	if err != nil {
		return envelope.Receipt{}, sysexits.With(sysexits.IOErr, err)
	}
	env := *d.env
	env.EightBit, env.SMTPUTF8 = wire.EightBit(), wire.SMTPUTF8()
	return r.conn.Send(ctx, &env, protocol.Options{
		Mode: r.opts.delivery, NoAliases: r.opts.noAliases, Hops: r.opts.hops, Tag: r.opts.tag,
	}, wire)
}

// dialAgent connects to the agent at a socket.
func (e *Env) dialAgent(ctx context.Context, o *options, path, hostName string) (*client.Conn, error) {
	opts := client.Options{Path: path, HostName: hostName}
	if o.verbose && o.mode == modeDeliver {
		opts.Trace = func(direction byte, line string) {
			fmt.Fprintf(e.Stderr, "%c %s\n", direction, oneLine(line))
		}
	}
	return client.Dial(ctx, opts)
}

// openRoute picks the way: the agent's socket if something answers there, else the
// configuration, if the caller can read one. A caller who names a configuration means
// that one, and its agent only if it names the socket.
func (e *Env) openRoute(ctx context.Context, name string, o *options, user host.User, hostName string) (route, error) {
	conn, err := e.agentFor(ctx, o, user, hostName)
	if conn != nil {
		return &agentRoute{conn, o}, nil
	}
	var gone *client.UnreachableError
	if err != nil && !errors.As(err, &gone) {
		return nil, err
	}
	d, err := e.openDirect(name, o, user, hostName)
	switch {
	case err != nil:
		return nil, bothFailed(gone, err)
	case e.namesConfig(o) || d.config.Agent.Socket == e.socket():
		return d, nil
	}
	// The caller's own configuration knows an agent elsewhere.
	if conn, err := e.dialAgent(ctx, o, d.config.Agent.Socket, hostName); err == nil {
		d.Close()
		return &agentRoute{conn, o}, nil
	}
	return d, nil
}

// agentFor connects to the agent that the caller means. No connection and no error mean
// that he means none.
func (e *Env) agentFor(ctx context.Context, o *options, user host.User, hostName string) (*client.Conn, error) {
	path := e.socket()
	if e.namesConfig(o) {
		cfg, err := e.loadOnce(o, user)
		if err != nil || !cfg.IsSet("agent.socket") {
			return nil, nil // openDirect tells what is wrong
		}
		path = cfg.Agent.Socket
	}
	return e.dialAgent(ctx, o, path, hostName)
}

// namesConfig tells whether the caller chose a configuration.
func (e *Env) namesConfig(o *options) bool {
	return o.config != "" || e.Getenv(config.EnvPath) != ""
}

// socket is where the agent listens. No variable of the environment moves it: whoever
// answers there gets the mail.
func (e *Env) socket() string {
	if e.Socket != "" {
		return e.Socket
	}
	return config.DefaultSocket
}

// bothFailed tells in one line why there is no way. A socket at which nobody answers
// means that the service is down, whatever else is wrong.
func bothFailed(gone *client.UnreachableError, err error) error {
	if gone == nil {
		return err
	}
	if !gone.Absent {
		return sysexits.With(sysexits.Unavailable, fmt.Errorf("%w; start it with systemctl start o365-sendmail (and directly: %v)", gone, err))
	}
	return sysexits.With(sysexits.Code(err, sysexits.Config), fmt.Errorf("%w (%v)", err, gone))
}
