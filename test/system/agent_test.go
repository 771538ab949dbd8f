//go:build system

package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// An agentProcess is `o365-sendmail serve` as the package runs it: as a user of
// its own, with the only configuration, at the socket that sendmail looks for.
// Only calls that ask for it see that socket: the others have to go direct.
type agentProcess struct {
	run      string // holds what is below /run/o365-sendmail
	emulator *emulatorProcess
	daemon   *daemon
}

func startAgent(dir, program string, e *emulatorProcess) (*agentProcess, error) {
	return startAgentWith(dir, program, e, "[delivery]\nmessages_per_minute = 100000\n", "")
}

// startAgentWith starts an agent with more of a configuration, and with shell commands before it that root
// runs where the agent will.
func startAgentWith(dir, program string, e *emulatorProcess, more, before string) (*agentProcess, error) {
	a := &agentProcess{run: filepath.Join(dir, "run"), emulator: e}
	state, config := filepath.Join(dir, "state"), filepath.Join(dir, "o365-sendmail.toml")
	for _, d := range []string{a.run, state} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
		if err := chown(d, agentUser, agentUser); err != nil {
			return nil, err
		}
	}
	text := e.settings(filepath.Join(state, "cache")) + fmt.Sprintf("\n[spool]\ndir = %q\n\n%s",
		filepath.Join(state, "spool"), more)
	if err := os.WriteFile(config, []byte(text), 0o640); err != nil {
		return nil, err
	}
	if err := chown(config, "root", agentUser); err != nil {
		return nil, err
	}
	verbs := filepath.Join(filepath.Dir(program), "o365-sendmail")
	if err := os.Symlink("sendmail", verbs); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	var err error
	a.daemon, err = startDaemon(filepath.Join(dir, "out"), "/usr/bin/unshare", "-m", "--", "sh", "-c",
		"set -e; "+a.reach()+"; "+before+`exec "$@"`, "sh",
		"setpriv", "--reuid", agentUser, "--regid", agentUser, "--init-groups", "--", verbs, "serve", "-C", config)
	if err != nil {
		return nil, err
	}
	return a, a.daemon.until(10*time.Second, func() error {
		c, err := net.Dial("unix", filepath.Join(a.run, "submit.sock"))
		if err == nil {
			c.Close()
		}
		return err
	})
}

// reach is the shell command that brings the agent's socket to its place.
func (a *agentProcess) reach() string {
	return "mkdir -p /run/o365-sendmail; mount --bind '" + a.run + "' /run/o365-sendmail"
}

func (a *agentProcess) name() string { return "agent" }

func (a *agentProcess) mailbox() string { return a.emulator.mailbox() }

// config is none: the agent alone knows the secret.
func (a *agentProcess) config(string) string { return "" }

func (a *agentProcess) arrived(ctx context.Context, text string, n int) ([]delivery, error) {
	return a.emulator.arrived(ctx, text, n)
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
