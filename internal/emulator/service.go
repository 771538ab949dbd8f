package emulator

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// service is one listening port, on one or two addresses, that can be closed and
// opened again while the emulator runs.
type service struct {
	e       *Emulator
	name    string
	address string
	ipv6    bool
	serve   func(net.Listener)
	stop    []func() // run by close

	mu        sync.Mutex
	first     *net.TCPAddr
	listeners []net.Listener
	ended     bool
}

// open listens; after a close it takes the same ports again.
func (s *service) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) > 0 || s.ended {
		return nil
	}
	address := s.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	if s.first != nil {
		address = s.first.String()
	}
	for try := 0; ; try++ {
		err := s.listen(address)
		if err == nil {
			return nil
		}
		if s.first != nil && try < 40 { // a client of another program may have the port for a moment
			time.Sleep(50 * time.Millisecond)
			continue
		}
		// The port that is free on 127.0.0.1 may be taken on ::1.
		if s.first != nil || !s.ipv6 || s.address != "" || try == 10 {
			return fmt.Errorf("emulator: %s: %w", s.name, err)
		}
	}
}

func (s *service) listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	ls := []net.Listener{l}
	addr := l.Addr().(*net.TCPAddr)
	if s.ipv6 {
		l6, err := net.Listen("tcp", net.JoinHostPort("::1", strconv.Itoa(addr.Port)))
		if err != nil {
			l.Close()
			return err
		}
		ls = append(ls, l6)
	}
	s.first, s.listeners = addr, ls
	for _, l := range ls {
		s.e.wg.Go(func() { s.serve(l) })
	}
	return nil
}

// isIPv6Loopback reports whether a name is [::1], too, on a machine that has that address.
func isIPv6Loopback(name string) bool {
	addrs, err := net.LookupIP(name)
	if err != nil || !slices.ContainsFunc(addrs, net.IPv6loopback.Equal) {
		return false
	}
	l, err := net.Listen("tcp", "[::1]:0")
	return err == nil && l.Close() == nil
}

func (s *service) addr() *net.TCPAddr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// setClosed makes the port refuse connections, or listen again.
func (s *service) setClosed(closed bool) error {
	if !closed {
		return s.open()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut()
	return nil
}

func (s *service) shut() {
	for _, l := range s.listeners {
		l.Close()
	}
	s.listeners = nil
}

func (s *service) close() {
	s.mu.Lock()
	s.ended = true
	s.shut()
	s.mu.Unlock()
	for _, f := range s.stop {
		f()
	}
}

// webServer returns the serve function of an HTTP service.
func (e *Emulator) webServer(s *service, h http.Handler, secure bool) func(net.Listener) {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: time.Minute, IdleTimeout: 5 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // handshakes that faults break
	}
	s.stop = append(s.stop, func() { srv.Close() })
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: e.tokenCertificate}
	return func(l net.Listener) {
		if secure {
			l = tls.NewListener(l, config)
		}
		err := srv.Serve(l)
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			e.transcript.note(s.name + ": " + err.Error())
		}
	}
}

func (e *Emulator) tokenCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return e.ca.server(e.current().Network.TokenCert)
}

func (e *Emulator) smtpCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return e.ca.server(e.current().Network.SMTPCert)
}
