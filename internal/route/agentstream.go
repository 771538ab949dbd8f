package route

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stream is a connection to a Unix socket by blocking system calls. Package net would start a
// poller and threads for it, which takes as long as all the rest that the caller of a
// short-lived program waits for. Timeouts are the kernel's (SO_RCVTIMEO, SO_SNDTIMEO).
type stream struct {
	fd       int
	deadline time.Time
	aborted  atomic.Bool
	mu       sync.Mutex // for abort and close
}

// dialStream connects without waiting. EAGAIN means that the listener's queue is full.
func dialStream(path string) (*stream, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err == nil {
		err = syscall.SetNonblock(fd, false)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	return &stream{fd: fd}, nil
}

// setDeadline bounds the calls that begin from now on. No call may be under way.
func (s *stream) setDeadline(t time.Time) { s.deadline = t }

// limit tells the kernel how long the next call may take.
func (s *stream) limit(option int) error {
	if s.aborted.Load() {
		return net.ErrClosed
	}
	left := time.Until(s.deadline)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	tv := syscall.NsecToTimeval(int64(max(left, time.Microsecond)))
	return os.NewSyscallError("setsockopt", syscall.SetsockoptTimeval(s.fd, syscall.SOL_SOCKET, option, &tv))
}

// failure translates the error of a call.
func (s *stream) failure(call string, err error) error {
	switch {
	case s.aborted.Load():
		return net.ErrClosed
	case err == syscall.EAGAIN:
		return os.ErrDeadlineExceeded
	}
	return os.NewSyscallError(call, err)
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		if err := s.limit(syscall.SO_RCVTIMEO); err != nil {
			return 0, err
		}
		n, err := syscall.Read(s.fd, p)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, s.failure("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (s *stream) Write(p []byte) (int, error) {
	for sent := 0; ; {
		if err := s.limit(syscall.SO_SNDTIMEO); err != nil {
			return sent, err
		}
		n, err := syscall.Write(s.fd, p[sent:])
		sent += max(n, 0)
		switch {
		case sent == len(p):
			return sent, nil
		case err != nil && err != syscall.EINTR:
			return sent, s.failure("write", err)
		}
	}
}

// abort ends calls under way, and any later ones. It may be called beside them.
func (s *stream) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aborted.Store(true)
	if s.fd >= 0 {
		_ = syscall.Shutdown(s.fd, syscall.SHUT_RDWR)
	}
}

// close gives the descriptor back. No call may be under way.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd >= 0 {
		_ = syscall.Close(s.fd)
		s.fd = -1
	}
}

// conn hands the connection to package net.
func (s *stream) conn() (*net.UnixConn, error) {
	s.mu.Lock()
	f := os.NewFile(uintptr(s.fd), "socket")
	s.fd = -1
	s.mu.Unlock()
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}
