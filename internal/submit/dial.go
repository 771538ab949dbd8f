package submit

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/smtpreply"
	"o365-sendmail/internal/sysexits"
)

// Dial connects, encrypts and signs in. The token and the roots are fetched meanwhile.
// Every error is an *Error.
func Dial(ctx context.Context, cfg Config) (*Session, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, cfg.misuse(err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	errands := startErrands(ctx, cancel, &cfg)
	defer func() { cancel(nil); errands.wait() }()
	conn, err := connect(ctx, &cfg)
	if err != nil {
		return nil, cfg.connectError(ctx, err)
	}
	s := newSession(cfg, conn)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err = s.open(errands)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, cfg.ioError(PhaseConnect, err)
	}
	return s, nil
}

// connect opens a TCP connection to the configured host.
func connect(ctx context.Context, cfg *Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	network := "tcp"
	if cfg.IPv4Only {
		network = "tcp4"
	}
	return cfg.DialContext(ctx, network, net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
}

func newSession(cfg Config, conn net.Conn) *Session {
	w := &wire{Conn: conn, timeout: cfg.CommandTimeout, lazy: true}
	return &Session{cfg: cfg, wire: w, conn: w, br: bufio.NewReaderSize(w, smtpreply.MaxLine)}
}

func (c *Config) misuse(err error) *Error {
	return &Error{Phase: PhaseConnect, Server: c.Host, Mailbox: c.User, Way: c.Way, Class: diagnose.Configuration,
		Diagnosis: diagnose.Diagnosis{Class: diagnose.Configuration, Key: "configuration"}, Err: err}
}

func (c *Config) connectError(ctx context.Context, err error) *Error {
	if cause := context.Cause(ctx); cause != nil {
		return c.ioError(PhaseConnect, cause)
	}
	f := diagnose.FaultConnect
	var dns *net.DNSError
	switch {
	case c.Proxied:
		f = diagnose.FaultProxy // a name that can't be resolved is the proxy's
	case errors.As(err, &dns):
		f = diagnose.FaultResolve
	}
	return c.fault(PhaseConnect, f, err)
}

// errands are what is fetched while packets travel.
type errands struct {
	token chan fetched[string]
	trust chan fetched[Trust]
	wg    sync.WaitGroup
}

type fetched[T any] struct {
	value T
	err   error
}

// startErrands fetches the token and, if need be, the roots. A failure ends the context,
// so that nobody waits for a connection that could not be used.
func startErrands(ctx context.Context, cancel context.CancelCauseFunc, cfg *Config) *errands {
	e := &errands{token: make(chan fetched[string], 1), trust: make(chan fetched[Trust], 1)}
	if cfg.Token == nil {
		e.token <- fetched[string]{}
	} else {
		e.wg.Go(func() { e.fetchToken(ctx, cancel, cfg) })
	}
	if cfg.RootCAs != nil || cfg.LoadTrust == nil {
		e.trust <- fetched[Trust]{value: pool{cfg.RootCAs}}
		return e
	}
	e.wg.Go(func() {
		defer sysexits.Catch()
		trust, err := cfg.LoadTrust()
		if err != nil {
			err = cfg.misuse(err)
			cancel(err)
		}
		e.trust <- fetched[Trust]{trust, err}
	})
	return e
}

func (e *errands) fetchToken(ctx context.Context, cancel context.CancelCauseFunc, cfg *Config) {
	defer sysexits.Catch()
	token, err := cfg.Token(ctx)
	if err == nil && (token == "" || strings.ContainsFunc(token,
		func(r rune) bool { return r <= ' ' || r >= 0x7f })) {
		err = errors.New("the token's source gave none that can be sent")
	}
	if err != nil {
		err = cfg.tokenError(err)
		cancel(err) // has no effect if it was the context's end that failed the source
	}
	e.token <- fetched[string]{token, err}
}

func (e *errands) wait() { e.wg.Wait() }

// tokenError keeps what the token's source knows about its own failure.
func (c *Config) tokenError(err error) *Error {
	e := &Error{Phase: PhaseToken, Server: c.Host, Mailbox: c.User, Way: c.Way, Err: err,
		Diagnosis: diagnose.Diagnosis{Class: diagnose.Temporary, Key: "token"}}
	var configuration interface{ Configuration() bool }
	if errors.As(err, &configuration) && configuration.Configuration() {
		e.Diagnosis.Class = diagnose.Configuration
	}
	e.Class = e.Diagnosis.Class
	return e
}

// open goes from the connection to the sign-in.
func (s *Session) open(e *errands) error {
	name := ehloName(s.cfg.EHLOName, s.wire.LocalAddr())
	if err := s.secure(e, name); err != nil {
		return err
	}
	if err := s.hello(name); err != nil {
		return err
	}
	if s.cfg.Token != nil {
		token := <-e.token
		if token.err != nil {
			return token.err
		}
		if err := s.signIn(token.value); err != nil {
			return err
		}
	}
	if err := s.wire.flush(); err != nil {
		return s.cfg.ioError(PhaseAuth, err)
	}
	s.wire.lazy = false
	s.lastUsed = time.Now()
	return nil
}

// secure goes to the begin of a session within TLS.
func (s *Session) secure(e *errands, name string) error {
	if s.cfg.Implicit {
		if err := s.encrypt(e); err != nil {
			return err
		}
		return s.greet()
	}
	if err := s.greet(); err != nil {
		return err
	}
	if err := s.hello(name); err != nil {
		return err
	}
	if err := s.startTLS(); err != nil {
		return err
	}
	return s.encrypt(e)
}

func (s *Session) greet() error {
	greeting, err := s.await(PhaseGreeting, "the connection", 220)
	if err == nil {
		s.greeting = greeting.Text()
	}
	return err
}

func (s *Session) encrypt(e *errands) error {
	trust := <-e.trust
	if trust.err != nil {
		return trust.err
	}
	return s.handshake(trust.value)
}

// hello says EHLO and notes what is offered.
func (s *Session) hello(name string) error {
	r, err := s.command(PhaseEHLO, "EHLO "+name, 250)
	if err != nil {
		return err
	}
	s.ext = parseExtensions(r.Lines[1:])
	s.ext.Chunking = s.ext.Chunking && s.cfg.Chunking != ChunkingOff
	return nil
}

// startTLS asks for TLS. Whatever has come in behind the answer was not encrypted and
// could be anybody's (RFC 3207 section 6), so it ends the session.
func (s *Session) startTLS() error {
	if !s.ext.StartTLS {
		return s.cfg.fault(PhaseStartTLS, diagnose.FaultNoStartTLS, nil)
	}
	if _, err := s.command(PhaseStartTLS, "STARTTLS", 220); err != nil {
		return err
	}
	if s.br.Buffered() > 0 {
		return s.cfg.fault(PhaseStartTLS, diagnose.FaultInjected, nil)
	}
	return nil
}

// handshake encrypts the connection and verifies the server's name and roots.
func (s *Session) handshake(trust Trust) error {
	if err := s.wire.SetReadDeadline(time.Now().Add(s.cfg.CommandTimeout)); err != nil {
		return s.cfg.ioError(PhaseTLS, err)
	}
	config := &tls.Config{
		ServerName: s.cfg.ServerName,
		// VerifyConnection does it instead, with the few roots that concern this server.
		InsecureSkipVerify: true,
		VerifyConnection:   func(cs tls.ConnectionState) error { return verify(cs, s.cfg.ServerName, trust) },
		MinVersion:         s.cfg.MinVersion,
		ClientSessionCache: s.cfg.SessionCache,
		// A flight is to leave as one record and so in one packet where it fits.
		DynamicRecordSizingDisabled: true,
	}
	if cert := s.cfg.Certificate; cert != nil {
		// Whatever authorities the server names: it says best what is wrong with another's.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	c := tls.Client(s.wire, config)
	if err := c.Handshake(); err != nil {
		_ = s.wire.flush() // the alert tells the server why
		return s.cfg.ioError(PhaseTLS, err)
	}
	s.conn = c
	s.br.Reset(c)
	s.ext = Extensions{}
	return nil
}
