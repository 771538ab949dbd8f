package agent

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

// watch reads the configuration again when it is told to, and, as long as mail is held
// for a fault of it, when its file or that of a secret changes; the certificates of the relay are read
// again whenever they change, since what renews them may not know how. With none of that it sleeps.
// Seen is what the files were when the agent began.
func (a *Agent) watch(ctx context.Context, seen []string) {
	for relay := a.relayState(); ; {
		var look <-chan time.Time
		if len(relayFiles(a.rules.Load().config)) > 0 || a.held() {
			look = time.After(a.o.Look)
		}
		select {
		case <-ctx.Done():
			return
		case <-a.news:
			a.lookAtAliases()
			continue
		case <-a.retry:
			a.retryKept(ctx)
			continue
		case done := <-a.asked:
			seen = a.signature()
			done <- a.reload(ctx)
			continue
		case <-a.o.Reload:
		case <-look:
			a.lookAtAliases()
			if now := a.relayState(); !slices.Equal(now, relay) {
				relay = now
				a.rereadRelay()
			}
			if slices.Equal(a.signature(), seen) || !a.held() {
				continue
			}
		}
		// Taken before the reading: what changes meanwhile is seen at the next look.
		seen = a.signature()
		_ = a.reload(ctx) // what is wrong with it is in the log
	}
}

// aliasFile is what the alias file was when it was read. Who puts other rules in force has its lock.
type aliasFile struct {
	sync.Mutex
	state  string
	looked time.Time
}

// poke has the one who waits at c look again.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it will look in any case
	}
}

// lookAtAliases reads the alias file again if it has changed, since newaliases(1) can tell nobody. It looks
// before a message is taken, but not more often than every few seconds.
func (a *Agent) lookAtAliases() {
	f := &a.aliases
	f.Lock()
	defer f.Unlock()
	now := a.o.Now()
	if gone := now.Sub(f.looked); 0 <= gone && gone < a.o.Look {
		return
	}
	f.looked = now
	if state := a.aliasState(); state != f.state {
		f.state = state
		if a.rereadAliases() {
			poke(a.retry)
		}
	}
}

// hooks are what the control socket asks for.
func (a *Agent) hooks() control.Hooks {
	h := control.EngineHooks(a.engine, a.mailbox, a.o.Version)
	status := h.Status
	h.Status = func() queueview.Status {
		st := status()
		st.Config, st.ConfigRead = a.path(), a.rules.Load().read
		return st
	}
	h.Note = func(id, text string) { a.log.Log(maillog.Notice, id, "", text) }
	h.Reload, h.History = a.askReload, a.history
	if a.o.Fleet != nil {
		h.Fleet, h.Ask = a.fleetView, a.askHost
	}
	return h
}

// history is the folder of the history, "" where none is kept.
func (a *Agent) history() string {
	if o := assemble.History(a.rules.Load().config); o.Days > 0 {
		return o.Dir
	}
	return ""
}

// askReload has the configuration read again, and waits until that is done.
func (a *Agent) askReload(ctx context.Context) (path string, err error) {
	done := make(chan error, 1)
	select {
	case a.asked <- done:
	case <-ctx.Done():
		return "", sysexits.With(sysexits.TempFail, ctx.Err())
	}
	select {
	case err := <-done:
		return a.path(), err
	case <-ctx.Done():
		return "", sysexits.With(sysexits.TempFail, ctx.Err())
	}
}

// held reports whether mail waits for an administrator.
func (a *Agent) held() bool {
	if a.kept.Load() || a.rules.Load().fault != nil {
		return true
	}
	return slices.ContainsFunc(a.engine.State().Stops, func(s queue.Stop) bool { return s.Held })
}

// signature changes with the configuration's files.
func (a *Agent) signature() []string {
	c := a.rules.Load().config
	var all []string
	for _, path := range append([]string{a.path()}, secretFiles(c)...) {
		if path != "" {
			all = append(all, path+" "+fileState(path))
		}
	}
	return all
}

func (a *Agent) relayState() []string {
	var all []string
	for _, path := range relayFiles(a.rules.Load().config) {
		all = append(all, path+" "+fileState(path))
	}
	return all
}

func (a *Agent) aliasState() string {
	path := a.rules.Load().config.AliasesFile
	if path == "" {
		return ""
	}
	return path + " " + fileState(path)
}

func secretFiles(c *config.Config) []string {
	return []string{
		c.ClientSecretFile, c.SecondSecretFile, c.Credential.CertificateFile, c.Credential.KeyFile,
		c.Credential.PFXFile, c.Credential.PassphraseFile, c.TLS.CAFile,
	}
}

func fileState(path string) string {
	fi, err := os.Stat(path)
	if err != nil {
		return "missing"
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fi.ModTime().String()
	}
	// The time of change also shows a changed owner or mode.
	return fmt.Sprint(st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano())
}
