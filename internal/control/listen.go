package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
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
		return nil, &net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"},
			Err: syscall.EADDRINUSE}
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

var errNotUnix = errors.New("not a Unix socket: nobody knows who asks")

// peerUID asks the kernel who connected (SO_PEERCRED, unix(7)).
func peerUID(c net.Conn) (uid int, err error) {
	err = withSocket(c, func(fd int) error {
		cred, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if err == nil {
			uid = int(cred.Uid)
		}
		return err
	})
	if err != nil {
		return -1, err
	}
	return uid, nil
}
