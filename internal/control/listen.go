package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// SocketName is the name of the control socket, which lies beside the agent's other one.
const SocketName = "control.sock"

// SocketPath returns the control socket that belongs to the agent's submission socket.
func SocketPath(submitSocket string) string {
	return filepath.Join(filepath.Dir(submitSocket), SocketName)
}

// Listen makes the socket, in place of one that a dead agent left. Any user may connect.
func Listen(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return nil, &net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: syscall.EADDRINUSE}
	}
	if fi, err := os.Lstat(path); err == nil && fi.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// The limits on connections. Root and the service user are not counted, so that others
// can't keep an administrator out.
const (
	maxConns        = 64
	maxConnsPerUser = 6
)

// guard is a listener that knows who connects, and bounds how many each user has.
type guard struct {
	net.Listener
	peer func(net.Conn) (uid int, err error)
	all  func(uid int) bool

	mu    sync.Mutex
	total int
	users map[int]int
}

// guarded is a connection whose peer is known.
type guarded struct {
	net.Conn
	uid  int
	once sync.Once
	done func()
}

const busyReply = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

func (g *guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := g.peer(c)
		if err == nil && g.enter(uid) {
			return &guarded{Conn: c, uid: uid, done: func() { g.leave(uid) }}, nil
		}
		// A few octets always fit into the socket: this does not wait for the peer.
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = c.Write([]byte(busyReply))
		_ = c.Close()
	}
}

func (g *guard) enter(uid int) bool {
	if g.all(uid) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= maxConns || g.users[uid] >= maxConnsPerUser {
		return false
	}
	if g.users == nil {
		g.users = map[int]int{}
	}
	g.total++
	g.users[uid]++
	return true
}

func (g *guard) leave(uid int) {
	if g.all(uid) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.users[uid]--; g.users[uid] == 0 {
		delete(g.users, uid)
	}
}

func (c *guarded) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.done)
	return err
}

var errNotUnix = errors.New("not a Unix socket: nobody knows who asks")

// peerUID asks the kernel who connected (SO_PEERCRED, unix(7)).
func peerUID(c net.Conn) (int, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return -1, errNotUnix
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return -1, err
	}
	var cred *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}
