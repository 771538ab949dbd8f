package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/host"
)

// reloadTime is how long an agent may take to read its configuration.
const reloadTime = 30 * time.Second

// reloadAgent has the agent read the configuration at path again, waits until it has, and returns a line that says
// so; "" where no agent runs, or it reads another file.
func (e *Env) reloadAgent(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, reloadTime)
	defer cancel()
	q, err := control.Connect(ctx, control.SocketPath(e.agentSocket(path)))
	if err != nil {
		return ""
	}
	defer q.Close()
	read, err := q.Reload(ctx)
	switch {
	case err != nil:
		return host.Hint(fmt.Sprintf("the agent has not read it (%v): sudo systemctl reload o365-sendmail", err), e.UID)
	case !sameFile(read, path):
		return ""
	}
	return "the agent has read it"
}

// agentSocket is where the agent of a configuration listens.
func (e *Env) agentSocket(path string) string {
	if e.Socket != "" {
		return e.Socket
	}
	if cfg, err := (config.Loader{Getenv: e.Getenv}).Load(path); err == nil && cfg.Agent.Socket != "" {
		return cfg.Agent.Socket
	}
	return config.DefaultSocket
}

// sameFile reports whether two names are those of one file.
func sameFile(a, b string) bool {
	fa, err := os.Stat(a)
	fb, bad := os.Stat(b)
	return err == nil && bad == nil && os.SameFile(fa, fb)
}
