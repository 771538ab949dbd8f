// Package delay is a TCP proxy on loopback that lets bytes take time, so that a
// benchmark sees what a distant relay costs. It delays and never limits, loses or
// reorders; and it needs no rights, unlike a delay in the kernel.
package delay

import (
	"io"
	"net"
	"sync"
	"time"
)

// Proxy forwards connections to one address.
type Proxy struct {
	listener net.Listener
	target   string
	rtt      time.Duration

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once closed
	wg    sync.WaitGroup
}

// Listen starts a proxy to target that adds rtt to each exchange.
func Listen(target string, rtt time.Duration) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, target: target, rtt: rtt, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Port is where the proxy listens on 127.0.0.1.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// Close ends the proxy and what it carries.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.wg.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

// keep notes a connection for Close; false means that the proxy is closed.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		_ = c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	if !p.keep(client) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(server) {
		return
	}
	var wg sync.WaitGroup
	// The kernel's handshake with the client took no time, so what the server says first
	// comes later by the round trip of the handshake and half of another.
	wg.Go(func() { forward(client, server, p.rtt/2, p.rtt*3/2) })
	wg.Go(func() { forward(server, client, p.rtt/2, 0) })
	wg.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

// packet is what was read at once, and when it is to arrive. The end of the stream is a nil.
type packet struct {
	data []byte
	due  time.Time
}

// forward copies a direction, each byte late by way, the first ones by extra more.
func forward(to, from net.Conn, way, extra time.Duration) {
	packets := make(chan packet, 1024)
	go func() {
		defer close(packets)
		for buf := make([]byte, 64<<10); ; {
			n, err := from.Read(buf)
			due := time.Now().Add(way + extra)
			if n > 0 {
				packets <- packet{append([]byte(nil), buf[:n]...), due}
				extra = 0
			}
			if err != nil {
				packets <- packet{nil, due}
				return
			}
		}
	}()
	broken := false
	for p := range packets {
		if broken {
			continue // the reader must not wait for us
		}
		time.Sleep(time.Until(p.due))
		if p.data == nil {
			_ = to.(*net.TCPConn).CloseWrite()
			continue
		}
		if _, err := to.Write(p.data); err != nil {
			broken = true
			_ = from.Close()
		}
	}
}

var _ io.Closer = (*Proxy)(nil)
