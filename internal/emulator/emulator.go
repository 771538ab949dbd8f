package emulator

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how an emulator starts. The zero value is good for a test.
type Options struct {
	// Now is Microsoft's clock for tokens, assertions, grants and quotas; nil is
	// time.Now. Delays and time-outs of connections follow the real clock.
	Now func() time.Time
	// SMTP, Token, Identity and Control are listen addresses for SMTP submission, the
	// HTTPS token endpoint, the managed identity endpoints and the control endpoint;
	// "" is a free port on 127.0.0.1. Control "-" opens none.
	SMTP, Token, Identity, Control string
	// IPv6 makes SMTP and Token listen on [::1] too, on the same ports. So does a server name that is both addresses on
	// this machine, as localhost is on most: each of a name's addresses answers.
	IPv6 bool
	// Dir gets one .eml and one .json file per message, and transcript.log; "" keeps
	// messages in memory only.
	Dir string
	// KeepBodies keeps every message in memory, however large. Without it messages
	// over 1 MiB are only hashed, and stored in Dir if there is one.
	KeepBodies bool
	// Transcript gets the transcript as it grows; may be nil.
	Transcript io.Writer
	// Tenant, ClientID, ClientSecret and Mailbox change the default ones; "" keeps them.
	Tenant, ClientID, ClientSecret, Mailbox string
	// ServerName is the name by which clients reach the emulator, "" is localhost. It
	// is in the certificates, whatever it is.
	ServerName string
	// CAFile is where the authority's certificate is written, "" is a temporary file.
	CAFile string
	// State changes the default state before anything starts; may be nil.
	State func(*State)
}

// Emulator is a running Microsoft 365.
type Emulator struct {
	// Tenant, ClientID, ClientSecret and Mailbox are what a client is configured with.
	Tenant, ClientID, ClientSecret, Mailbox string
	// RootTo is a mailbox for root's mail.
	RootTo string
	// SMTPHost is the name in the server certificates.
	SMTPHost string
	// Host is the front end's name in banner and EHLO.
	Host string

	opts Options
	now  func() time.Time
	ca   *authority
	// ticketKey lets TLS sessions be resumed on other connections.
	ticketKey [32]byte
	dir       string // temporary, for the CA file and Arc keys
	start     time.Time

	stateMu sync.Mutex
	base    *State
	active  []string // names of faults, in the order they were set
	state   atomic.Pointer[State]

	mu       sync.Mutex
	stats    Stats
	messages []Message
	number   int           // of the last message
	changed  chan struct{} // closed at each new message
	rules    []*Rule
	sessions map[*session]struct{}
	serial   int // of sessions
	memory   memory

	transcript transcript

	smtp     *service
	token    *service
	identity *service
	control  *service

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	closed sync.Once
}

// Start starts an emulator. Close ends it.
func Start(o Options) (*Emulator, error) {
	e := &Emulator{
		Tenant: o.Tenant, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Mailbox: o.Mailbox,
		RootTo: DefaultRootTo, SMTPHost: o.ServerName, Host: "AM0PR00CA0001.outlook.office365.com",
		opts: o, now: o.Now, start: time.Now(),
		changed: make(chan struct{}), sessions: map[*session]struct{}{}, memory: newMemory(),
	}
	e.stats.init()
	_, _ = rand.Read(e.ticketKey[:]) // never fails (crypto/rand)
	e.transcript.out = o.Transcript
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if e.now == nil {
		e.now = time.Now
	}
	if e.SMTPHost == "" {
		e.SMTPHost = "localhost"
	}
	e.opts.IPv6 = o.IPv6 || o.SMTP == "" && o.Token == "" && isIPv6Loopback(e.SMTPHost)
	if err := e.prepare(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// prepare makes state, certificates, directories and listeners.
func (e *Emulator) prepare() error {
	e.base = e.initialState()
	if e.opts.State != nil {
		e.opts.State(e.base)
	}
	var err error
	if e.ca, err = newAuthority(e.opts.ServerName); err != nil {
		return fmt.Errorf("emulator: making a certificate authority: %w", err)
	}
	if e.dir, err = os.MkdirTemp("", "m365-emulator-"); err != nil {
		return fmt.Errorf("emulator: %w", err)
	}
	// Clients of other users read the certificate there.
	if err := errors.Join(os.Chmod(e.dir, 0o711), os.WriteFile(e.CAFile(), e.ca.pem, 0o644)); err != nil {
		return fmt.Errorf("emulator: %w", err)
	}
	if err := e.openDir(); err != nil {
		return err
	}
	e.smtp = &service{e: e, name: "smtp", address: e.opts.SMTP, ipv6: e.opts.IPv6, serve: e.serveSMTP}
	e.token = e.webService("token", e.opts.Token, e.entraHandler(), true)
	e.identity = e.webService("identity", e.opts.Identity, e.identityHandler(), false)
	services := []*service{e.smtp, e.token, e.identity}
	if e.opts.Control != "-" {
		e.control = e.webService("control", e.opts.Control, e.controlHandler(), false)
		services = append(services, e.control)
	}
	for _, s := range services {
		if err := s.open(); err != nil {
			return err
		}
	}
	return e.apply()
}

// initialState is the default state under the names of Options.
func (e *Emulator) initialState() *State {
	set := func(field *string, otherwise string) {
		if *field == "" {
			*field = otherwise
		}
	}
	set(&e.Tenant, DefaultTenant)
	set(&e.ClientID, DefaultClientID)
	e.ClientID = strings.ToLower(e.ClientID)
	set(&e.ClientSecret, newSecretValue())
	set(&e.Mailbox, DefaultMailbox)
	s := defaultState(e.ClientSecret, e.now())
	t := s.Tenants[DefaultTenant]
	rename(t.Apps, DefaultClientID, e.ClientID)
	rename(t.ServicePrincipals, DefaultClientID, e.ClientID)
	rename(t.Mailboxes, DefaultMailbox, strings.ToLower(e.Mailbox))
	if s.Tenant(e.Tenant) == nil {
		if isGUID(e.Tenant) {
			rename(s.Tenants, DefaultTenant, e.Tenant)
		} else {
			t.Domains = append(t.Domains, e.Tenant)
		}
	}
	return s
}

func rename[V any](m map[string]V, from, to string) {
	if v, ok := m[from]; ok && from != to {
		delete(m, from)
		m[to] = v
	}
}

// TB is the part of testing.TB that New needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Failed() bool
}

// New starts an emulator for a test and ends it with the test, whose log gets the
// transcript if it failed.
func New(t TB, change ...func(*Options)) *Emulator {
	t.Helper()
	var o Options
	for _, f := range change {
		f(&o)
	}
	e, err := Start(o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Logf("%v", err)
		}
		if t.Failed() {
			t.Logf("emulator's transcript:\n%s", e.Transcript())
		}
	})
	return e
}

// Close ends everything at once: listeners, sessions, delays. It may be called twice.
func (e *Emulator) Close() error {
	var err error
	e.closed.Do(func() {
		e.cancel()
		for _, s := range []*service{e.smtp, e.token, e.identity, e.control} {
			if s != nil {
				s.close()
			}
		}
		e.mu.Lock()
		for s := range e.sessions {
			s.wire.Close()
		}
		e.mu.Unlock()
		e.wg.Wait()
		err = e.transcript.close()
		if e.dir != "" {
			err = errors.Join(err, os.RemoveAll(e.dir))
		}
	})
	return err
}

// SMTPAddr is the address of the submission service.
func (e *Emulator) SMTPAddr() (host string, port int) {
	a := e.smtp.addr()
	return a.IP.String(), a.Port
}

// SMTPPort is the port of the submission service.
func (e *Emulator) SMTPPort() int { return e.smtp.addr().Port }

// TokenURL is the v2.0 token endpoint of the tenant.
func (e *Emulator) TokenURL() string {
	return "https://" + e.LoginHost() + "/" + e.Tenant + "/oauth2/v2.0/token"
}

// LoginHost stands for login.microsoftonline.com: host and port.
func (e *Emulator) LoginHost() string {
	return net.JoinHostPort(e.SMTPHost, strconv.Itoa(e.token.addr().Port))
}

// IdentityURL is where the managed identity endpoints are: scheme, host and port.
func (e *Emulator) IdentityURL() string { return "http://" + e.identity.addr().String() }

// ControlURL is the control endpoint; "" if there is none.
func (e *Emulator) ControlURL() string {
	if e.control == nil {
		return ""
	}
	return "http://" + e.control.addr().String()
}

// CAFile is a PEM file with the authority of all the emulator's certificates.
func (e *Emulator) CAFile() string {
	if e.opts.CAFile != "" {
		return e.opts.CAFile
	}
	return filepath.Join(e.dir, "ca.pem")
}

// CAPEM is what CAFile holds.
func (e *Emulator) CAPEM() []byte { return e.ca.pem }

// CAPool holds the authority of all the emulator's certificates.
func (e *Emulator) CAPool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(e.ca.cert)
	return p
}

// State returns a copy of the state in force, faults included.
func (e *Emulator) State() *State { return e.current().clone() }

// current is the state in force. It is never changed, only replaced.
func (e *Emulator) current() *State { return e.state.Load() }

// Update changes the state while the emulator runs. Faults stay set on top of it.
// Sessions see the change with their next command.
func (e *Emulator) Update(change func(*State)) {
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	next := e.base.clone()
	change(next)
	e.base = next
	if err := e.applyLocked(); err != nil {
		e.transcript.note("update: " + err.Error())
	}
}

func (e *Emulator) apply() error {
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	return e.applyLocked()
}

// applyLocked puts base and faults in force.
func (e *Emulator) applyLocked() error {
	s := e.base.clone()
	for _, name := range e.active {
		if f := findFault(name); f.change != nil {
			f.change(e, s)
		}
	}
	e.state.Store(s)
	return errors.Join(e.smtp.setClosed(s.Network.SMTPClosed), e.token.setClosed(s.Network.TokenClosed))
}

// entraNow is Microsoft's clock.
func (e *Emulator) entraNow(s *State) time.Time { return e.now().Add(time.Duration(s.Entra.ClockSkew)) }

// sleep waits, or returns false when the emulator or ctx ends first.
func (e *Emulator) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-e.ctx.Done():
	}
	return false
}

// webService makes a service that serves h, with TLS if secure.
func (e *Emulator) webService(name, address string, h http.Handler, secure bool) *service {
	s := &service{e: e, name: name, address: address, ipv6: secure && e.opts.IPv6}
	s.serve = e.webServer(s, h, secure)
	return s
}
