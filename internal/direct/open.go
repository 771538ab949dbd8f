package direct

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/sysexits"
)

// OpenRoute picks the way: the agent's socket if something answers there, else the
// configuration, if the caller can read one. A caller who names a configuration means
// that one, and its agent only if it names the socket.
func (p *Process) OpenRoute(ctx context.Context, o *cmdline.Options) (route.Route, error) {
	conn, err := p.agentFor(ctx, o)
	if conn != nil {
		return &route.AgentRoute{Conn: conn, Options: o}, nil
	}
	var gone *route.UnreachableError
	if err != nil && !errors.As(err, &gone) {
		return nil, err
	}
	d, err := p.open(o)
	switch {
	case err != nil:
		return nil, bothFailed(gone, err)
	case p.namesConfig(o) || d.config.Agent.Socket == p.AgentSocket():
		return d, nil
	}
	// The caller's own configuration knows an agent elsewhere.
	if conn, err := route.DialAgent(ctx, o, route.AgentOptions{Path: d.config.Agent.Socket, HostName: host.Name()},
		p.Stderr); err == nil {
		d.Close()
		return &route.AgentRoute{Conn: conn, Options: o}, nil
	}
	return d, nil
}

// agentFor connects to the agent that the caller means. No connection and no error mean
// that the caller means none.
func (p *Process) agentFor(ctx context.Context, o *cmdline.Options) (*route.Conn, error) {
	path := p.AgentSocket()
	if p.namesConfig(o) {
		cfg, err := p.loadOnce(o)
		if err != nil || !cfg.IsSet("agent.socket") {
			return nil, nil // open says what is wrong
		}
		path = cfg.Agent.Socket
	} else if route.Waited(p.Getenv) {
		return nil, &route.UnreachableError{Path: path, Err: errors.New("it did not answer in time")}
	}
	return route.DialAgent(ctx, o, route.AgentOptions{Path: path, HostName: host.Name()}, p.Stderr)
}

// namesConfig reports whether the caller chose a configuration.
func (p *Process) namesConfig(o *cmdline.Options) bool {
	return o.Config != "" || p.Getenv(config.EnvPath) != ""
}

// bothFailed tells in one line why there is no way. A socket at which nobody answers, or the folder of one
// beside a configuration that is not this user's to read, means that the service is down: that passes.
func bothFailed(gone *route.UnreachableError, err error) error {
	if gone == nil {
		return err
	}
	if !gone.Absent || errors.Is(err, fs.ErrPermission) && isDir(filepath.Dir(gone.Path)) {
		return sysexits.With(sysexits.TempFail, fmt.Errorf("%w; start it: %s (and directly: %v)", gone,
			host.StartAgent, err))
	}
	return sysexits.With(sysexits.Code(err, sysexits.Config), fmt.Errorf("%w (%v)", err, gone))
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
