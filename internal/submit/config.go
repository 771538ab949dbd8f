package submit

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"
)

// Trust knows the trusted roots.
type Trust interface {
	// Roots returns those that may have a part in the verification of what a server sent.
	Roots(chain []*x509.Certificate) *x509.CertPool
}

// Config says where a Session goes and as whom. Host and User are required, and Token or Certificate.
type Config struct {
	// Host is the server's DNS name (or IP address); its certificate must be valid for it.
	Host string
	// Port is 587 when zero.
	Port int
	// Implicit begins with TLS, in place of STARTTLS (RFC 8314 3.3).
	Implicit bool
	// ServerName is what the server's certificate must be valid for; "" is Host.
	ServerName string
	// Certificate is what this host shows to a relay that wants no sign-in; Token is then nil.
	Certificate *tls.Certificate
	// IPv4Only keeps from asking for and connecting to IPv6 addresses.
	IPv4Only bool
	// EHLOName is what EHLO says. When it is empty or no valid domain, the host's
	// own full name is taken, else the connection's local address as a literal.
	EHLOName string

	// RootCAs are the trusted roots. When nil, LoadTrust is asked for them while the
	// connection is being made; when that is nil, too, the system's roots are used.
	RootCAs   *x509.CertPool
	LoadTrust func() (Trust, error)
	// MinVersion is the least TLS version; never below TLS 1.2.
	MinVersion uint16
	// SessionCache keeps TLS session tickets; nil means none.
	SessionCache tls.ClientSessionCache

	// User is the mailbox that signs in.
	User string
	// Way is how the application may send (diagnose.WayScoped, diagnose.WayAPI), for the advice in errors;
	// "" when that is not known.
	Way string
	// Token gets the access token. It is called once, at once, beside the connection's
	// set-up, and has to return soon after its context ends.
	Token func(context.Context) (string, error)
	// InitialResponseLimit is the longest AUTH line in bytes, CRLF included, that carries
	// the token; a longer one is sent after the server's 334, one round trip later.
	// Default 12288, the length RFC 4954 section 4 calls sufficient for authentication
	// exchanges. By the letter of that section the AUTH command itself stays within 512
	// bytes, which no token of Entra's fits; Microsoft's own page shows the one-line form,
	// and all common clients send it. Set 512 for a server that insists; one that
	// answers 500 to the long line is asked again in two steps.
	InitialResponseLimit int
	// PipelineAuth sends AUTH in one flight with the first message instead of waiting for
	// its reply, which saves a round trip. RFC 4954 section 4 allows it to mechanisms that
	// end in one round trip. Then Dial returns before the sign-in, and a refused
	// sign-in is the error of the first message. Used only if the server offers PIPELINING and CHUNKING.
	PipelineAuth bool

	// Chunking says whether the content goes by BDAT (RFC 3030) where the server offers it.
	Chunking Chunking
	// ConnectTimeout bounds name resolution and TCP together. Default 30 s.
	ConnectTimeout time.Duration
	// CommandTimeout bounds a whole reply and each step of a write. Default 60 s.
	// RFC 5321 4.5.3.2 asks for 5 min of patience; Exchange Online's slowest
	// known reply, that to a failed AUTH, takes 7 s.
	CommandTimeout time.Duration
	// DataTimeout bounds the reply to the end of the data. Default 10 min (RFC 5321 4.5.3.2.6).
	DataTimeout time.Duration
	// MaxRecipients is how many recipients one transaction names; the rest is reported as
	// put off. 0 means as many as the server takes.
	MaxRecipients int

	// DialContext resolves the host's name and opens a TCP connection; the network is "tcp", or "tcp4" with
	// IPv4Only. The default is a net.Dialer's, which tries IPv6 and IPv4 side by side (RFC 6555).
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxied says that DialContext goes through a proxy, whose faults its errors are.
	Proxied bool
	// Trace gets every line of the dialogue, without line end and with credentials
	// replaced; direction is '>' for what we say and '<' for what the server says. It may
	// be called from two goroutines, never at once.
	Trace func(direction byte, line string)
}

const (
	defaultConnectTimeout = 30 * time.Second
	defaultCommandTimeout = 60 * time.Second
	defaultDataTimeout    = 10 * time.Minute
	defaultResponseLimit  = 12288
	submissionPort        = 587
)

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Host == "":
		return c, errors.New("no server named")
	case c.Token == nil && c.Certificate == nil:
		return c, errors.New("no source of tokens")
	case c.User == "" || strings.ContainsFunc(c.User, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return c, errors.New("no valid mailbox to sign in as")
	}
	if c.Port == 0 {
		c.Port = submissionPort
	}
	c.ServerName = cmp.Or(c.ServerName, c.Host)
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	setDefault(&c.InitialResponseLimit, defaultResponseLimit)
	setDefault(&c.ConnectTimeout, defaultConnectTimeout)
	setDefault(&c.CommandTimeout, defaultCommandTimeout)
	setDefault(&c.DataTimeout, defaultDataTimeout)
	if c.DialContext == nil {
		c.DialContext = new(net.Dialer).DialContext
	}
	return c, nil
}

func setDefault[T int | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}
