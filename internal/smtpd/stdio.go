package smtpd

import (
	"io"
	"net"
	"sync"
	"time"
)

// Stdio makes a connection of standard input and output, for sendmail -bs. Whoever
// started the program waits at the other end, so there are no deadlines.
func Stdio(in io.Reader, out io.Writer) *Conn {
	const never = 100 * 365 * 24 * time.Hour
	return NewConn(&stdio{in: in, out: out, closed: make(chan struct{})}, Timeouts{Command: never, Data: never, Transaction: never})
}

type stdio struct {
	in     io.Reader
	out    io.Writer
	once   sync.Once
	closed chan struct{}
}

func (s *stdio) Read(p []byte) (int, error) {
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
		return s.in.Read(p)
	}
}

func (s *stdio) Write(p []byte) (int, error) { return s.out.Write(p) }

func (s *stdio) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *stdio) LocalAddr() net.Addr              { return stdioAddr{} }
func (s *stdio) RemoteAddr() net.Addr             { return stdioAddr{} }
func (s *stdio) SetDeadline(time.Time) error      { return nil }
func (s *stdio) SetReadDeadline(time.Time) error  { return nil }
func (s *stdio) SetWriteDeadline(time.Time) error { return nil }

type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "stdio" }
