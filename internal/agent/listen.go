package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/smtpd"
	"o365-sendmail/internal/sysexits"
)

// listener is a socket that the agent serves.
type listener struct {
	net.Listener
	local   bool // a Unix socket: the kernel names the caller
	control bool // for looking at the queue, not for mail
}

// remote reports whether other hosts reach it.
func (l listener) remote() bool { return !l.local && !loopback(l.Addr()) }

// listen takes the sockets that were handed over, and makes those that are missing.
func (a *Agent) listen(c *config.Config) ([]listener, error) {
	given, err := a.manager.Listeners()
	if err != nil {
		return nil, sysexits.With(sysexits.OSErr, err)
	}
	var all []listener
	var unix, tcp, queue bool
	for _, l := range given {
		_, local := l.Listener.(*net.UnixListener)
		if local && filepath.Base(l.Addr().String()) == control.SocketName {
			queue = true
			all = append(all, listener{l.Listener, true, true})
			continue
		}
		if !local {
			if err := unserved(c, l.Addr()); err != nil {
				a.warn(fmt.Errorf("the socket that was handed over (%s): %w", l.Name, err))
				_ = l.Close()
				continue
			}
		}
		unix, tcp = unix || local, tcp || !local
		all = append(all, listener{l.Listener, local, false})
	}
	if !unix {
		l, err := listenUnix(c.Agent.Socket)
		if err != nil {
			return nil, sysexits.With(sysexits.OSErr, err)
		}
		all = append(all, listener{l, true, false})
	}
	// Mail by the Unix socket must not wait for what follows.
	if c.Agent.Listen != "" && !tcp {
		if l, err := listenTCP(c); err == nil {
			all = append(all, listener{l, false, false})
		} else {
			a.warn(err)
		}
	}
	if !queue {
		if l, err := control.Listen(control.SocketPath(c.Agent.Socket)); err == nil {
			all = append(all, listener{l, true, true})
		} else {
			a.warn(fmt.Errorf("mailq can't ask this agent: %w", err))
		}
	}
	return all, nil
}

func loopback(addr net.Addr) bool {
	t, ok := addr.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

func listenTCP(c *config.Config) (net.Listener, error) {
	l, err := net.Listen("tcp", c.Agent.Listen)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("agent.listen: %w; enable o365-sendmail-smtp.socket, which systemd opens, or choose a "+
			"port above 1023", err)
	case err != nil:
		return nil, fmt.Errorf("agent.listen: %w", err)
	}
	if err := unserved(c, l.Addr()); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("agent.listen: %w", err)
	}
	return l, nil
}

// The modes of a socket that the agent makes: everybody may connect, nobody may put
// another one in its place.
const (
	socketMask = 0o111 // of 0777, which bind(2) begins with
	dirMode    = 0o755
)

// listenUnix makes the socket. It replaces one that no process listens on any more, and
// nothing else.
func listenUnix(path string) (net.Listener, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// Only the mask makes the mode right from the first moment.
	old := syscall.Umask(socketMask)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	return l, err
}

func makeDir(dir string) error {
	err := os.Mkdir(dir, dirMode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return fmt.Errorf("the directory of agent.socket can't be made: %w", err)
	}
	return os.Chmod(dir, dirMode) // whatever the umask is
}

func removeStale(path string) error {
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case fi.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is not a socket: it is left alone; choose another agent.socket or remove it", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = c.Close()
		return fmt.Errorf("another agent answers at %s", path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("the socket %s is in use: %w", path, err)
	}
	return os.Remove(path)
}

// accept takes connections until the listener is closed.
func (a *Agent) accept(talk, stop context.Context, l listener) error {
	const most = time.Second
	for pause := time.Duration(0); ; {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			if l.remote() && !a.admits(c.RemoteAddr()) {
				a.turnAway(c)
				continue
			}
			a.admit(talk, c, l)
			continue
		case closed(err), stop.Err() != nil:
			return nil
		case !passing(err):
			return sysexits.With(sysexits.OSErr, fmt.Errorf("no more connections can be taken at %s: %w", l.Addr(),
				err))
		}
		// Descriptors or memory are short: what is open will give some back.
		if pause = min(max(2*pause, 5*time.Millisecond), most); pause == most {
			a.warn(fmt.Errorf("no connection can be taken now: %w", err))
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-stop.Done():
			t.Stop()
		}
	}
}

// passing reports whether a failed accept(2) says nothing about the listener.
func passing(err error) bool {
	for _, e := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED,
		syscall.EINTR, syscall.EAGAIN, syscall.EPERM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// admit serves a connection in a goroutine of its own, or says why not. It never waits.
func (a *Agent) admit(talk context.Context, raw net.Conn, l listener) {
	who, err := a.peer(raw, l.local)
	if err != nil {
		_ = raw.Close()
		return
	}
	r := a.rules.Load()
	if l.remote() && r.config.Agent.RemoteAuth != config.AuthNetwork {
		who = stranger(raw) // the certificate says who it is, also of a process of this host
	}
	c := smtpd.NewConn(raw, a.o.Timeouts)
	g := a.guest(a.sharer(who, raw), c)
	g.trusted = a.trusted(who.UID)
	if err := a.limits.enter(g, r.config); err != nil {
		a.logRefused(g.who, "refused", err)
		hangUp(raw, "4.3.2", err)
		return
	}
	h := &handler{a, who, l.local, g}
	encryption, err := a.encryption(l, h, c, raw.RemoteAddr())
	if err != nil {
		a.limits.leave(g)
		a.logRefused(g.who, "refused", err)
		hangUp(raw, "4.3.5", err)
		return
	}
	a.mu.Lock()
	a.conns[c] = struct{}{}
	if a.draining {
		c.Drain()
	}
	a.mu.Unlock()
	a.serving.Go(func() {
		defer a.leave(c, h)
		smtpd.Serve(talk, c, smtpd.Options{
			Host: r.host, Handler: h, ExitCode: a.exitCode, MaxSize: r.config.Delivery.MaxSize,
			MaxRecipients: r.maxRecipients(), MaxOwnRecipients: r.maxOwn(l.local), MaxHeader: r.config.Delivery.MaxHeader,
			Memory: memory, TempDir: r.config.Spool.Dir, Local: l.local, Log: a.fault, Turns: myTurns{&a.talking, g},
			Envelope: &recipients{a, h}, TLS: encryption, Tail: h.tail,
			Meter: func(in io.Reader) (io.Reader, func()) {
				m := &meter{r: in, l: &a.limits, g: h.guest, c: a.rules.Load().config}
				return m, m.done
			},
		})
	})
}

// guest makes one of a connection.
func (a *Agent) guest(name who, c *smtpd.Conn) *guest {
	return &guest{who: name, evict: func() {
		c.Evict("others wait")
		a.logRefused(name, "evicted", errors.New("its connection had made no progress for longest when others waited"))
	}}
}

// hangUp refuses a connection before it is served.
func hangUp(raw net.Conn, enhanced string, why error) {
	_ = raw.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(raw, "421 %s %s\r\n", enhanced, why)
	_ = raw.Close()
}

func (a *Agent) leave(c *smtpd.Conn, h *handler) {
	a.mu.Lock()
	delete(a.conns, c)
	a.mu.Unlock()
	a.limits.leave(h.guest)
}

// logRefused writes that a user was refused something, unless too many such lines were written lately.
func (a *Agent) logRefused(name who, status string, why error) {
	ok, left := a.limits.mayLog(name, a.rules.Load().config)
	if !ok {
		return
	}
	fields := []any{"uid", name.uid}
	if name.uid < 0 {
		fields = []any{"client", name}
	}
	if left > 0 {
		fields = append(fields, "left-out", left)
	}
	a.log.Log(maillog.Warning, "", append(fields, "status", status, "", why)...)
}

func (a *Agent) fault(err error) {
	if f := (*smtpd.FaultError)(nil); errors.As(err, &f) {
		err = errors.New(f.Trace())
	}
	a.log.Log(maillog.Err, "", "", err)
}
