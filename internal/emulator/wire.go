package emulator

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

var errCut = errors.New("connection ended by a rule")

// wireConn is a connection below TLS. It counts bytes and turnarounds (a write that
// follows a read, which is what a peer waits a round trip for), and breaks the
// connection where a rule says so.
type wireConn struct {
	net.Conn
	e *Emulator

	in, out, turns atomic.Int64
	lastWasRead    atomic.Bool

	cutIn, cutOut int64 // bytes; 0 is no limit
	then          string
	drip          atomic.Int64 // nanoseconds between bytes
}

func (c *wireConn) Read(p []byte) (int, error) {
	if c.cutIn > 0 {
		left := c.cutIn - c.in.Load()
		if left <= 0 {
			return 0, c.cut(c.then)
		}
		p = p[:min(int64(len(p)), left)]
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.lastWasRead.Store(true)
		if c.in.Add(int64(n)) == c.cutIn {
			return 0, c.cut(c.then)
		}
	}
	return n, err
}

func (c *wireConn) Write(p []byte) (int, error) {
	if c.lastWasRead.Swap(false) {
		c.turns.Add(1)
	}
	cut := false
	if c.cutOut > 0 {
		left := c.cutOut - c.out.Load()
		if cut = left <= int64(len(p)); cut {
			p = p[:max(left, 0)]
		}
	}
	n, err := c.write(p)
	c.out.Add(int64(n))
	if err == nil && cut {
		err = c.cut(c.then)
	}
	return n, err
}

func (c *wireConn) write(p []byte) (n int, err error) {
	drip := time.Duration(c.drip.Load())
	if drip <= 0 {
		return c.Conn.Write(p)
	}
	for i := range p {
		if !c.e.sleep(c.e.ctx, drip) {
			return n, errCut
		}
		m, err := c.Conn.Write(p[i : i+1])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// cut ends the connection in the way of a Rule's Then.
func (c *wireConn) cut(then string) error {
	switch then {
	case Stall:
		c.stall()
		c.Conn.Close()
	case Reset:
		resetConn(c.Conn)
	default:
		c.Conn.Close()
	}
	return errCut
}

// stall reads and writes nothing until the peer or the emulator ends the connection.
func (c *wireConn) stall() {
	for !c.peerGone() && c.e.sleep(c.e.ctx, 20*time.Millisecond) {
	}
}
