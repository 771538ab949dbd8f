package deliver

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// delayed returns a dialer whose connections have a round trip of twice the delay.
func delayed(t testing.TB, delay time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		far, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		near, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		other, err := l.Accept()
		if err != nil {
			return nil, err
		}
		go carry(far, other, delay)
		go carry(other, far, delay)
		return near, nil
	}
}

type packet struct {
	at   time.Time
	data []byte
}

// carry copies with a delay, whatever the rate.
func carry(to, from net.Conn, delay time.Duration) {
	packets := make(chan packet, 4096)
	go func() {
		defer close(packets)
		for {
			b := make([]byte, 32<<10)
			n, err := from.Read(b)
			if n > 0 {
				packets <- packet{time.Now().Add(delay), b[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range packets {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.data); err != nil {
			_, _ = io.Copy(io.Discard, from)
		}
	}
	_ = to.Close()
}
