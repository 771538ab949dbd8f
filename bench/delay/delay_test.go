package delay

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// The first line comes after two round trips, as from a server that greets, and each
// further exchange takes one.
func TestDelays(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "hello\n")
		_, _ = io.Copy(c, c)
	}()
	const rtt = 40 * time.Millisecond
	p, err := Listen(l.Addr().String(), rtt)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	begun := time.Now()
	c, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for i, want := range []time.Duration{2 * rtt, 3 * rtt, 4 * rtt} {
		line, err := r.ReadString('\n')
		if err != nil || line != "hello\n" {
			t.Fatal(line, err)
		}
		if took := time.Since(begun); took < want {
			t.Errorf("line %d after %v, want at least %v", i, took, want)
		}
		if _, err := io.WriteString(c, line); err != nil {
			t.Fatal(err)
		}
	}
}
