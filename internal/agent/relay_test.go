package agent

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/smtpd"
	"o365-sendmail/internal/spool"
	"o365-sendmail/test/ready"
)

// relaySite is an agent that takes other hosts by certificate.
type relaySite struct {
	*site
	ca   *ca
	addr string
}

// newRelaySite makes one, which is not started. extra is added to [agent].
func newRelaySite(t *testing.T, extra string) *relaySite {
	t.Helper()
	port := strconv.Itoa(ready.Port())
	s := &relaySite{site: newSite(t, ""), ca: newCA(t, "Clients"), addr: "127.0.0.1:" + port}
	server := s.ca.client(forServers("relay.example.org"))
	s.put("relay.pem", pemOf("CERTIFICATE", server.Certificate[0]))
	s.put("relay.key", keyPEM(t, server))
	s.put("clients.pem", s.ca.pem())
	s.put("clients.crl", s.ca.list(time.Now().Add(time.Hour)))
	in := func(name string) string { return fmt.Sprintf("%q\n", filepath.Join(s.dir, name)) }
	s.write(s.toml("listen = \"0.0.0.0:" + port + "\"\nallow_remote = true\ntls_cert_file = " + in("relay.pem") +
		"tls_key_file = " + in("relay.key") + "client_ca_file = " + in("clients.pem") + "client_crl_file = " +
		in("clients.crl") + extra))
	return s
}

// otherHost is another host's end of a connection.
type otherHost struct {
	net.Conn
	t *testing.T
	*bufio.Reader
}

func (s *relaySite) connect(t *testing.T) *otherHost {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &otherHost{c, t, bufio.NewReader(c)}
}

// say sends a line and returns the reply; "" only reads.
func (r *otherHost) say(line string) string {
	r.t.Helper()
	if line != "" {
		_, _ = io.WriteString(r.Conn, line+"\r\n")
	}
	var all strings.Builder
	for {
		text, err := r.ReadString('\n')
		all.WriteString(text)
		if err != nil {
			all.WriteString("[" + err.Error() + "]")
		}
		if err != nil || len(text) < 4 || text[3] != '-' {
			return all.String()
		}
	}
}

// encrypt makes the handshake with a certificate, none for nil.
func (r *otherHost) encrypt(s *relaySite, cert *tls.Certificate) error {
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.cert)
	config := &tls.Config{RootCAs: roots, ServerName: "relay.example.org"}
	if cert != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	c := tls.Client(r.Conn, config)
	err := c.Handshake()
	r.Conn, r.Reader = c, bufio.NewReader(c)
	return err
}

// startTLS goes from the greeting to TLS.
func (s *relaySite) startTLS(t *testing.T, cert *tls.Certificate) *otherHost {
	t.Helper()
	r := s.connect(t)
	if got := r.say("") + r.say("EHLO x"); !strings.Contains(got, "250-STARTTLS") {
		t.Fatalf("%s", got)
	}
	if got := r.say("STARTTLS"); !strings.HasPrefix(got, "220 ") {
		t.Fatalf("STARTTLS: %s", got)
	}
	if err := r.encrypt(s, cert); err != nil {
		t.Fatal(err)
	}
	return r
}

const fromShop = "From: shop@contoso.com\r\nSubject: x\r\n\r\n.\r\n"

// TestRelayTakes: a host with a certificate sends, and is known by its name.
func TestRelayTakes(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"starttls", "implicit"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := newRelaySite(t, "tls = \""+way+"\"\n")
			s.start()
			cert := s.ca.client(nil)
			var r *otherHost
			if way == "starttls" {
				r = s.startTLS(t, &cert)
			} else {
				r = s.connect(t)
				if err := r.encrypt(s, &cert); err != nil {
					t.Fatal(err)
				}
				if got := r.say(""); !strings.HasPrefix(got, "220 ") {
					t.Fatal(got)
				}
			}
			if got := r.say("EHLO web1"); strings.Contains(got, "STARTTLS") || !strings.Contains(got, "CHUNKING") {
				t.Errorf("EHLO: %s", got)
			}
			for _, line := range []string{"MAIL FROM:<shop@contoso.com>", "RCPT TO:<a@example.org>", "DATA"} {
				if got := r.say(line); got[0] != '2' && got[0] != '3' {
					t.Fatalf("%s: %s", line, got)
				}
			}
			if got := r.say(fromShop[:len(fromShop)-2]); !strings.HasPrefix(got, "250 ") {
				t.Fatal(got)
			}
			m := s.arrived(1)[0]
			if got := m.Header("Received"); !strings.Contains(got, "smtp cert:web1.example.org 127.0.0.1:") {
				t.Errorf("Received: %s", got)
			}
			if !strings.Contains(s.log(), "user=cert:web1.example.org,") {
				t.Errorf("log\n%s", s.log())
			}
		})
	}
}

// TestRelayRefuses: who has no good certificate is told why, and the log has one line.
func TestRelayRefuses(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	foreign := newCA(t, "Clients")
	revoked := s.ca.client(nil)
	s.put("clients.crl", s.ca.list(time.Now().Add(time.Hour), revoked))
	s.start()
	named := func(names ...string) tls.Certificate {
		return s.ca.client(func(c *x509.Certificate) { c.DNSNames = names })
	}
	for name, tt := range map[string]struct {
		cert *tls.Certificate
		want string
	}{
		"none":    {nil, "no client certificate was sent"},
		"foreign": {ptr(foreign.client(nil)), "web1.example.org is of no authority that this relay takes"},
		"expired": {ptr(s.ca.client(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })), "expired on "},
		"early":   {ptr(s.ca.client(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })), "is valid from "},
		"server's": {ptr(s.ca.client(forServers("web1.example.org"))),
			"is not for clients (extended key usage clientAuth)"},
		"for nothing": {ptr(s.ca.client(func(c *x509.Certificate) { c.ExtKeyUsage = nil })), "is not for clients"},
		"revoked":     {&revoked, "web1.example.org was revoked on "},
		"line end": {ptr(s.ca.client(func(c *x509.Certificate) {
			c.DNSNames, c.Subject.CommonName = nil, "web1\r\n250 ok\nuser=root"
		})), "characters other than"},
		"NUL":   {ptr(named("web1.example.org\x00.contoso.com")), "characters other than"},
		"blank": {ptr(named("web1 uid=0")), "characters other than"},
		"comment": {ptr(s.ca.client(func(c *x509.Certificate) {
			c.DNSNames, c.Subject.CommonName = nil, "web1) (root"
		})), "characters other than"},
		"long": {ptr(s.ca.client(func(c *x509.Certificate) {
			c.DNSNames, c.Subject.CommonName = nil, strings.Repeat("a", 60000)
		})), "a name of more than 255 bytes"},
		"nameless": {ptr(s.ca.client(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, "" })),
			"has no name"},
	} {
		t.Run(name, func(t *testing.T) {
			before := strings.Count(s.log(), "status=refused")
			r := s.startTLS(t, tt.cert)
			if got := r.say("EHLO x"); !strings.HasPrefix(got, "421 4.7.0 ") || !strings.Contains(got, tt.want) ||
				len(got) > 500 || strings.Count(got, "\n") != 1 {
				t.Errorf("%q", got)
			}
			if n := strings.Count(s.log(), "status=refused") - before; n != 1 {
				t.Errorf("%d lines\n%s", n, s.log())
			}
			log := strings.Split(strings.TrimSpace(s.log()), "\n")
			if last := log[len(log)-1]; !strings.Contains(last, tt.want) || !strings.Contains(last, "client=127.0.0.1,") {
				t.Errorf("log %q", last)
			}
		})
	}
	if n := len(s.Messages()); n > 0 {
		t.Errorf("%d messages came through", n)
	}
}

func ptr[T any](v T) *T { return &v }

// TestRelayPlain: mail in the clear is refused before it is named, by each way of TLS.
func TestRelayPlain(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	s.start()
	r := s.connect(t)
	r.say("")
	r.say("EHLO x")
	for range 2 {
		if got := r.say("MAIL FROM:<a@example.org>"); !strings.HasPrefix(got, "530 5.7.0 ") {
			t.Error(got)
		}
	}
	if got := r.say("RCPT TO:<a@example.org>"); !strings.HasPrefix(got, "503 ") {
		t.Error(got)
	}
	if n := strings.Count(s.log(), "without TLS"); n != 1 {
		t.Errorf("%d lines\n%s", n, s.log())
	}

	s = newRelaySite(t, "tls = \"implicit\"\n")
	s.timeouts = smtpd.Timeouts{Command: time.Second, Data: 300 * time.Millisecond, Transaction: time.Second}
	s.start()
	for _, first := range []string{"EHLO x", ""} { // a client that waits for the greeting says nothing
		if got := s.connect(t).say(first); !strings.HasPrefix(got, "421 4.7.0 TLS must begin here") {
			t.Errorf("%q", got)
		}
	}
	s.connect(t).Close() // somebody looks whether the port is open
	if n := strings.Count(s.log(), "does not speak TLS"); n != 2 || strings.Contains(s.log(), "handshake failed") {
		t.Errorf("log\n%s", s.log())
	}
}

// TestRelayInjected: what came in the clear behind STARTTLS is never a command (RFC 3207 6).
func TestRelayInjected(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	s.start()
	cert := s.ca.client(nil)
	r := s.connect(t)
	r.say("")
	r.say("EHLO x")
	got := r.say("STARTTLS\r\nRSET\r\nMAIL FROM:<injected@example.org>")
	if !strings.HasPrefix(got, "421 4.7.0 nothing may follow STARTTLS") {
		t.Errorf("%q", got)
	}
	if rest, _ := io.ReadAll(r.Reader); len(rest) > 0 {
		t.Errorf("and then %q", rest)
	}
	// What comes between the answer and the handshake is read as TLS.
	r = s.connect(t)
	r.say("")
	r.say("EHLO x")
	if got = r.say("STARTTLS"); !strings.HasPrefix(got, "220 ") {
		t.Fatal(got)
	}
	_, _ = io.WriteString(r.Conn, "MAIL FROM:<injected@example.org>\r\n")
	if err := r.encrypt(s, &cert); err == nil {
		t.Error("the handshake passed over a command in the clear")
	}
	// A second STARTTLS has nothing to do.
	r = s.startTLS(t, &cert)
	r.say("EHLO x")
	if got = r.say("STARTTLS"); !strings.HasPrefix(got, "503 ") {
		t.Error(got)
	}
}

// TestRelayReload: certificates and revocations are read again, and a broken file leaves the one before in force.
func TestRelayReload(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	s.start()
	cert := s.ca.client(nil)
	taken := func() bool {
		r := s.startTLS(t, &cert)
		defer r.Close()
		return strings.HasPrefix(r.say("EHLO x"), "250")
	}
	if !taken() {
		t.Fatal(s.log())
	}
	s.put("clients.crl", []byte("none"))
	s.reload <- syscall.SIGHUP
	s.until("the fault", func() bool {
		return strings.Contains(s.log(), "clients.crl: x509") && strings.Contains(s.log(), "stay in force")
	})
	if !taken() {
		t.Error("a broken list counts")
	}
	s.put("clients.crl", s.ca.list(time.Now().Add(time.Hour), cert))
	s.reload <- syscall.SIGHUP
	s.until("the list", func() bool { return !taken() })
	s.put("clients.crl", s.ca.list(time.Now().Add(time.Hour))) // nobody tells the agent
	s.until("the next list", taken)
	s.put("clients.crl", s.ca.list(time.Now().Add(-time.Minute)))
	s.until("the old list", func() bool { return !taken() })
	if !strings.Contains(s.log(), "is out of date since") {
		t.Error(s.log())
	}
	other := newCA(t, "Others")
	s.put("clients.crl", other.list(time.Now().Add(time.Hour)))
	s.put("clients.pem", other.pem())
	cert = other.client(nil)
	s.until("the next authority", taken)
}

// TestRelayRevokedMeanwhile: a host that keeps its connection is judged again before each message.
func TestRelayRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	s.start()
	cert := s.ca.client(nil)
	r := s.startTLS(t, &cert)
	r.say("EHLO x")
	if got := r.say("MAIL FROM:<>"); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	s.put("clients.crl", s.ca.list(time.Now().Add(time.Hour), cert))
	s.reload <- syscall.SIGHUP
	s.until("the list", func() bool { return strings.Contains(s.log(), "read again") })
	if got := r.say("RCPT TO:<a@example.org>"); !strings.HasPrefix(got, "250 ") {
		t.Error("a message that has begun is broken off: " + got)
	}
	r.say("RSET")
	if got := r.say("MAIL FROM:<>"); !strings.HasPrefix(got, "421 4.7.0 ") || !strings.Contains(got, "was revoked on") {
		t.Error(got)
	}
	if got := r.say("NOOP"); !strings.HasPrefix(got, "[") {
		t.Error("the connection is still there: " + got)
	}
	if !strings.Contains(s.log(), "status=refused (the client certificate web1.example.org was revoked on") {
		t.Error(s.log())
	}
}

// TestRelayWithoutFiles: an agent whose certificate is broken from the start takes local mail, puts others off, and
// goes on when the file is there.
func TestRelayWithoutFiles(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	server := s.ca.client(forServers("relay.example.org"))
	s.put("relay.pem", []byte("none"))
	s.start()
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "Subject: x\r\n\r\n"); err != nil {
		t.Error(err)
	}
	if got := s.connect(t).say(""); !strings.HasPrefix(got, "421 4.3.5 ") {
		t.Error(got)
	}
	if !strings.Contains(s.log(), "no other host can send mail until this is fixed") {
		t.Error(s.log())
	}
	s.put("relay.pem", pemOf("CERTIFICATE", server.Certificate[0]))
	s.put("relay.key", keyPEM(t, server))
	s.until("the certificate", func() bool { return strings.HasPrefix(s.connect(t).say(""), "220 ") })
}

// TestRelaySenders: from.allow knows a host by its certificate; one that it does not name is held to the mailbox.
func TestRelaySenders(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "[from]\npolicy = \"keep\"\n[from.allow]\n\"cert:web1.example.org\" = [\"shop@contoso.test\"]\n")
	s.start()
	s.Update(func(st *emulatorState) {
		st.Tenants[emulator.DefaultTenant].Mailboxes["shop@contoso.test"] = &emulator.Mailbox{
			SendAs: map[string]*emulator.Grant{s.Mailbox: {}}}
	})
	for i, tt := range []struct{ host, from, want string }{
		{"web1.example.org", "shop@contoso.test", "shop@contoso.test"},
		{"WEB1.example.org", "ceo@contoso.test", s.Mailbox},
		{"web2.example.org", "shop@contoso.test", s.Mailbox},
	} {
		cert := s.ca.client(func(c *x509.Certificate) { c.DNSNames = []string{tt.host} })
		r := s.startTLS(t, &cert)
		for _, line := range []string{"EHLO x", "MAIL FROM:<" + tt.from + ">", "RCPT TO:<a@example.org>", "DATA",
			"From: " + tt.from + "\r\nSubject: " + tt.host + "\r\n\r\n."} {
			if got := r.say(line); got[0] != '2' && got[0] != '3' {
				t.Fatalf("%s: %s", line, got)
			}
		}
		m := s.arrived(i + 1)[i]
		if from := m.Header("From"); !strings.Contains(from, tt.want) || strings.Contains(from, "<ceo") {
			t.Errorf("%+v: %s", tt, from)
		}
	}
}

// TestRelayNetwork: the two ways that look at addresses.
func TestRelayNetwork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ auth, from, want string }{
		{"both", "192.0.2.1", "554 5.7.1"}, {"both", "127.0.0.1", "530 5.7.0"},
		{"network", "192.0.2.1", "554 5.7.1"}, {"network", "127.0.0.1", "250 2.1.0"},
		{"certificate", "192.0.2.1", "530 5.7.0"},
	} {
		t.Run(tt.auth+" "+tt.from, func(t *testing.T) {
			t.Parallel()
			s := newRelaySite(t, "remote_auth = \""+tt.auth+"\"\nallow_from = [\""+tt.from+"\"]\n")
			s.start()
			r := s.connect(t)
			got := r.say("")
			if strings.HasPrefix(got, "220 ") {
				r.say("EHLO x")
				got = r.say("MAIL FROM:<a@example.org>")
			}
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestCertificateName is the rule for names.
func TestCertificateName(t *testing.T) {
	t.Parallel()
	uri := func(s string) []*url.URL { u, _ := url.Parse(s); return []*url.URL{u} }
	for want, c := range map[string]x509.Certificate{
		"a.example.org": {DNSNames: []string{"A.example.org", "b"}, URIs: uri("spiffe://x/y"), EmailAddresses: []string{"m@x"}},
		"spiffe://x/NS": {URIs: uri("spiffe://x/NS"), EmailAddresses: []string{"m@x"}},
		"m@example.org": {EmailAddresses: []string{"M@example.org"}},
	} {
		if got, err := certificateName(&c); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	for _, name := range []string{"*.example.org", "a,b", "a\tb", "ä", "a\\b", `a"b`, "a;b"} {
		if got, err := certificateName(&x509.Certificate{DNSNames: []string{name}}); err == nil {
			t.Errorf("%q is the name %q", name, got)
		}
	}
}

// TestRelayFlood: a thousand connections of another host that never end their handshakes are bounded, and local users
// do not notice.
func TestRelayFlood(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "tls = \"implicit\"\nmax_connections = 64\nrefusals_per_minute = 5\n")
	s.start()
	for i := range 1000 {
		c, err := net.DialTimeout("tcp", s.addr, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 1 {
			_, _ = c.Write([]byte{22, 3, 1, 2, 0, 1}) // the begin of a ClientHello
		}
	}
	s.agent.mu.Lock()
	n := len(s.agent.conns)
	s.agent.mu.Unlock()
	if n > 64 {
		t.Errorf("%d connections are served", n)
	}
	began := time.Now()
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "Subject: x\r\n\r\n"); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a local user waited %v", took)
	}
	if n := strings.Count(s.log(), "status="); n > 100 {
		t.Errorf("%d lines of the log", n)
	}
}

// TestRelaySlow: a handshake has an end, however steadily bytes come.
func TestRelaySlow(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "tls = \"implicit\"\n")
	s.timeouts = smtpd.Timeouts{Command: time.Minute, Data: 300 * time.Millisecond, Transaction: time.Minute}
	s.start()
	r := s.connect(t)
	_, _ = r.Conn.Write([]byte{22, 3, 1, 2, 0})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, r.Conn)
	}()
	began := time.Now()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-tick.C:
			_, _ = r.Conn.Write([]byte{1})
			continue
		case <-ended:
		}
		tick.Stop()
		break
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it lasted %v", took)
	}
	s.until("the log", func() bool { return strings.Contains(s.log(), "the TLS handshake failed") })
}

// TestRelayWhileBroken: what a host sends while the relay's configuration is broken is kept, and then has the sender
// that from.allow gives this host.
func TestRelayWhileBroken(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "[from]\npolicy = \"keep\"\n[from.allow]\n\"cert:web1.example.org\" = [\"shop@contoso.test\"]\n"+
		"\"*\" = [\"ceo@contoso.test\"]\n")
	s.Update(func(st *emulatorState) {
		st.Tenants[emulator.DefaultTenant].Mailboxes["shop@contoso.test"] = &emulator.Mailbox{
			SendAs: map[string]*emulator.Grant{s.Mailbox: {}}}
	})
	good, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write(strings.Replace(string(good), "tenant ", "tenants ", 1))
	s.start()
	cert := s.ca.client(nil)
	for i, from := range []string{"shop@contoso.test", "ceo@contoso.test"} {
		r := s.startTLS(t, &cert)
		for _, line := range []string{"EHLO x", "MAIL FROM:<" + from + ">", "RCPT TO:<a@example.org>", "DATA",
			"From: " + from + "\r\nSubject: " + strconv.Itoa(i) + "\r\n\r\n."} {
			if got := r.say(line); got[0] != '2' && got[0] != '3' {
				t.Fatalf("%s: %s", line, got)
			}
		}
	}
	s.write(string(good))
	s.arrived(2)
	for _, m := range s.Messages() {
		want := map[string]string{"0": "shop@contoso.test", "1": s.Mailbox}[m.Header("Subject")]
		if from := m.Header("From"); !strings.Contains(from, want) || !strings.Contains(m.Header("Received"),
			"cert:web1.example.org") {
			t.Errorf("from %s, want %s: %s", from, want, m.Header("Received"))
		}
	}
}

// TestRelayShares: hosts count by their certificates, and not by the address that they share.
func TestRelayShares(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "max_connections_per_user = 1\n")
	s.start()
	one := s.ca.client(nil)
	two := s.ca.client(func(c *x509.Certificate) { c.DNSNames = []string{"web2.example.org"} })
	first := s.startTLS(t, &one)
	if got := first.say("EHLO x"); !strings.HasPrefix(got, "250") {
		t.Fatal(got)
	}
	if got := s.startTLS(t, &two).say("EHLO x"); !strings.HasPrefix(got, "250") {
		t.Errorf("another host: %s", got)
	}
	if got := s.startTLS(t, &one).say("EHLO x"); !strings.HasPrefix(got, "421 4.7.0 too many connections of "+
		"cert:web1.example.org") {
		t.Errorf("the same again: %s", got)
	}
	first.Close()
	s.until("the place", func() bool { return strings.HasPrefix(s.startTLS(t, &one).say("EHLO x"), "250") })
	a := spool.Meta{UID: -1, Origin: "smtp cert:web1.example.org 192.0.2.1:1"}
	b := spool.Meta{UID: -1, Origin: "smtp cert:web2.example.org 192.0.2.1:1"}
	again := spool.Meta{UID: -1, Origin: spool.Unprocessed + "smtp cert:web1.example.org 192.0.2.9:2"}
	if a.Sharer() == b.Sharer() || a.Sharer() != again.Sharer() || a.Sharer() >= 0 || b.Host() != "cert:web2.example.org" {
		t.Errorf("%d %d %d %s", a.Sharer(), b.Sharer(), again.Sharer(), b.Host())
	}
	for _, origin := range []string{"smtp 192.0.2.1:1", "userid 33", "smtp cert: 1", "cert:x 192.0.2.1:1"} {
		if h := (spool.Meta{UID: -1, Origin: origin}).Host(); h != "" {
			t.Errorf("%q is %q", origin, h)
		}
	}
	if h := (spool.Meta{UID: 33, Origin: a.Origin}).Host(); h != "" {
		t.Errorf("a local user is %q", h)
	}
}

// TestRelayEnds: when the agent ends, a host in TLS is told so, and one in its handshake is let go.
func TestRelayEnds(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	s.start()
	cert := s.ca.client(nil)
	idle := s.startTLS(t, &cert)
	if got := idle.say("EHLO x"); !strings.HasPrefix(got, "250") {
		t.Fatal(got)
	}
	half := s.connect(t)
	half.say("")
	half.say("EHLO x")
	half.say("STARTTLS")
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if got := idle.say(""); !strings.HasPrefix(got, "421 4.3.2 the mail service is stopping") {
		t.Errorf("%q", got)
	}
	if got := half.say(""); !strings.HasPrefix(got, "421 4.3.2") && !strings.Contains(got, "EOF") {
		t.Errorf("%q", got)
	}
}
