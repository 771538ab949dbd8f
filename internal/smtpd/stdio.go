package smtpd

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// Stdio makes a connection of standard input and output, for sendmail -bs. Whoever
// started the program waits at the other end, so there are no deadlines.
func Stdio(in io.Reader, out io.Writer) *Conn {
	const never = 100 * 365 * 24 * time.Hour
	return NewConn(&stdio{in: in, out: out}, Timeouts{Command: never, Data: never, Transaction: never})
}

type stdio struct {
	net.Conn // nil: what is not below is not asked for
	in       io.Reader
	out      io.Writer
	closed   atomic.Bool
}

func (s *stdio) Read(p []byte) (int, error) {
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	return s.in.Read(p)
}

func (s *stdio) Close() error {
	s.closed.Store(true)
	return nil
}

func (s *stdio) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *stdio) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "standard input", Net: "stdio"} }
func (s *stdio) SetReadDeadline(time.Time) error  { return nil }
func (s *stdio) SetWriteDeadline(time.Time) error { return nil }
