package submit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
)

// authority is a CA made for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true,
		BasicConstraintsValid: true,
		NotBefore:             time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
}

// issue makes a server certificate that ends after the given time.
func (a *authority) issue(t testing.TB, name string, life time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		DNSNames:  []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const testHost = "smtp.test"

// exchangeLines are Exchange Online's EHLO lines.
var exchangeLines = []string{"SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "8BITMIME", "BINARYMIME",
	"CHUNKING", "SMTPUTF8"}

// peer is a scripted server. Its fields are set before it serves.
type peer struct {
	ca      *authority
	tls     *tls.Config
	lines   []string // EHLO lines but STARTTLS and AUTH
	noTLS   bool     // does not offer STARTTLS
	noAuth  bool     // does not offer XOAUTH2
	inject  string   // sent in plain text right behind the reply to STARTTLS
	token   string   // the one that is good
	user    string
	answers map[string]string // step or "step n" -> reply instead of the usual one; "drop", "stall"
	sink    *sinkServer       // takes BDAT chunks instead of keeping them
	hold    bool              // keep replies until the end of the data, as RFC 2920 allows

	mu       sync.Mutex
	log      []string // commands
	messages []received
	counts   map[string]int
	turns    int // writes after reads, below TLS
	conns    int
	open     []net.Conn
	wg       sync.WaitGroup
	stalled  chan struct{} // closed at the end of the test
}

type received struct {
	mail, data string
	rcpts      []string
}

func newPeer(t testing.TB) *peer {
	ca := newAuthority(t)
	p := &peer{ca: ca, tls: &tls.Config{Certificates: []tls.Certificate{ca.issue(t, testHost, time.Hour)}},
		lines: exchangeLines,
		token: "good-token", user: "noreply@contoso.com", answers: map[string]string{}, counts: map[string]int{},
		stalled: make(chan struct{})}
	t.Cleanup(p.end)
	return p
}

// end waits until every connection is over; a test in a bubble calls it itself.
func (p *peer) end() {
	p.mu.Lock()
	select {
	case <-p.stalled:
	default:
		close(p.stalled)
	}
	for _, c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// said is the commands that came so far.
func (p *peer) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

// config is one that reaches the peer through a pipe.
func (p *peer) config() Config {
	return Config{Host: testHost, EHLOName: "client.test", RootCAs: p.ca.pool, User: p.user,
		Token: func(context.Context) (string, error) { return p.token, nil },
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			p.serve(server)
			return client, nil
		}}
}

// tcpConfig is one that reaches the peer over loopback.
func (p *peer) tcpConfig(t testing.TB) Config {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(c)
		}
	}()
	c := p.config()
	c.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
	}
	return c
}

func (p *peer) serve(c net.Conn) {
	p.mu.Lock()
	p.conns++
	p.open = append(p.open, c)
	p.mu.Unlock()
	p.wg.Go(func() {
		defer c.Close()
		w := &turnConn{Conn: c, p: p}
		s := &peerSession{p: p, raw: w, conn: w, r: bufio.NewReader(w)}
		s.run()
	})
}

// turnConn counts how often the peer has had to wait for us.
type turnConn struct {
	net.Conn
	p    *peer
	read atomic.Bool // a peer may read and write at once
}

func (c *turnConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.read.Store(true)
	}
	return n, err
}

func (c *turnConn) Write(b []byte) (int, error) {
	if c.read.Swap(false) {
		c.p.mu.Lock()
		c.p.turns++
		c.p.mu.Unlock()
	}
	return c.Conn.Write(b)
}

type peerSession struct {
	p    *peer
	raw  net.Conn
	conn net.Conn
	r    *bufio.Reader
	w    bytes.Buffer // replies not yet sent
	tls  bool

	mail  string
	rcpts []string
	body  []byte
	open  bool // MAIL has been taken
}

func (s *peerSession) count(key string) int {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.counts[key]++
	return s.p.counts[key]
}

// scripted gives the reply that the test wants at a step; the key "step 2" is for its second time.
func (s *peerSession) scripted(step string) (string, bool) {
	n := s.count(step)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if a, ok := s.p.answers[step+" "+strconv.Itoa(n)]; ok {
		return a, true
	}
	a, ok := s.p.answers[step]
	return a, ok
}

// answer replies to a step and reports whether it was the usual reply; false for ok means
// that the session is over.
func (s *peerSession) answer(step, usual string) (asUsual, ok bool) {
	a, scripted := s.scripted(step)
	switch {
	case !scripted:
		a = usual
	case a == "drop":
		s.flush()
		return false, false
	case a == "stall":
		s.flush()
		<-s.p.stalled
		return false, false
	}
	s.w.WriteString(strings.ReplaceAll(a, "\n", "\r\n") + "\r\n")
	return !scripted || a[0] == '2' || a[0] == '3', true
}

func (s *peerSession) flush() bool {
	if s.w.Len() == 0 {
		return true
	}
	_, err := s.conn.Write(s.w.Bytes())
	s.w.Reset()
	return err == nil
}

func (s *peerSession) readLine() (string, bool) {
	if s.r.Buffered() == 0 && !(s.p.hold && s.open) && !s.flush() {
		return "", false
	}
	l, err := s.r.ReadString('\n')
	if err != nil {
		return "", false
	}
	if !strings.HasSuffix(l, "\r\n") {
		panic(fmt.Sprintf("a line that ends in a bare LF: %q", l))
	}
	return strings.TrimSuffix(l, "\r\n"), true
}

func (s *peerSession) run() {
	if _, ok := s.answer("greeting", "220 AM0PR02CA0134.outlook.office365.com Microsoft ESMTP MAIL Service ready at "+
		"Thu, 11 Jul 2024 11:46:42 +0000"); !ok {
		return
	}
	for {
		line, ok := s.readLine()
		if !ok {
			return
		}
		s.p.mu.Lock()
		s.p.log = append(s.p.log, line)
		s.p.mu.Unlock()
		verb, arg, _ := strings.Cut(line, " ")
		if !s.command(verb, arg) {
			s.flush()
			return
		}
	}
}

func (s *peerSession) command(verb, arg string) bool {
	switch verb {
	case "EHLO":
		return s.ehlo()
	case "STARTTLS":
		return s.startTLS()
	case "AUTH":
		return s.auth(arg)
	case "RSET":
		usual, ok := s.answer("rset", "250 2.0.0 Resetting")
		if usual {
			s.reset()
		}
		return ok
	case "MAIL":
		usual, ok := s.answer("mail", "250 2.1.0 Sender OK")
		if usual {
			s.open, s.mail = true, arg
		}
		return ok
	case "RCPT":
		reply := "250 2.1.5 Recipient OK"
		if !s.open {
			reply = "503 5.5.2 Need mail command"
		}
		usual, ok := s.answer("rcpt", reply)
		if usual && s.open {
			s.rcpts = append(s.rcpts, arg)
		}
		return ok
	case "DATA":
		return s.data()
	case "BDAT":
		return s.bdat(arg)
	case "QUIT":
		return false
	}
	_, ok := s.answer("unknown", "500 5.3.3 Unrecognized command 'unknown'")
	return ok
}

func (s *peerSession) reset() { s.open, s.mail, s.rcpts, s.body = false, "", nil, nil }

func (s *peerSession) ehlo() bool {
	lines := []string{"AM0PR02CA0134.outlook.office365.com Hello [203.0.113.5]"}
	lines = append(lines, s.p.lines...)
	step := "ehlo2"
	if !s.tls {
		step = "ehlo1"
		if !s.p.noTLS {
			lines = append(lines, "STARTTLS")
		}
	} else if !s.p.noAuth {
		lines = append(lines, "AUTH LOGIN XOAUTH2")
	} else {
		lines = append(lines, "AUTH LOGIN")
	}
	text := "250-" + strings.Join(lines[:len(lines)-1], "\n250-") + "\n250 " + lines[len(lines)-1]
	_, ok := s.answer(step, text)
	return ok
}

func (s *peerSession) startTLS() bool {
	usual, ok := s.answer("starttls", "220 2.0.0 SMTP server ready")
	if !usual || !ok {
		return ok
	}
	s.w.WriteString(s.p.inject)
	if !s.flush() {
		return false
	}
	if a, ok := s.scripted("tls"); ok {
		if a == "stall" {
			<-s.p.stalled
		} else if a != "drop" {
			go io.Copy(io.Discard, s.conn)
			io.WriteString(s.conn, a)
		}
		return false
	}
	c := tls.Server(s.raw, s.p.tls)
	if c.Handshake() != nil {
		return false
	}
	s.conn, s.r, s.tls = c, bufio.NewReaderSize(c, 64<<10), true
	return true
}

func (s *peerSession) auth(arg string) bool {
	mech, blob, inline := strings.Cut(arg, " ")
	if mech != "XOAUTH2" {
		_, ok := s.answer("mechanism", "504 5.7.4 Unrecognized authentication type")
		return ok
	}
	if inline {
		if _, scripted := s.p.answers["auth-inline"]; scripted {
			_, ok := s.answer("auth-inline", "")
			return ok
		}
	} else {
		if usual, ok := s.answer("auth-bare", "334 "); !usual || !ok {
			return ok
		}
		var ok bool
		if blob, ok = s.readLine(); !ok {
			return false
		}
	}
	return s.authResult(blob)
}

func (s *peerSession) authResult(blob string) bool {
	reply := "235 2.7.0 Authentication successful"
	want := "user=" + s.p.user + "\x01auth=Bearer " + s.p.token + "\x01\x01"
	if got, err := base64.StdEncoding.DecodeString(blob); err != nil || string(got) != want {
		reply = "535 5.7.3 Authentication unsuccessful [AM0PR02CA0134.eurprd02.prod.outlook.com " +
			"2024-07-11T11:46:49.042Z 08DCA18218166FB4]"
	}
	if challenge, ok := s.p.answers["challenge"]; ok {
		s.w.WriteString("334 " + challenge + "\r\n")
		if l, ok := s.readLine(); !ok || l != "" {
			s.w.WriteString(fmt.Sprintf("501 5.5.2 wanted an empty line, got %q\r\n", l))
			return ok
		}
		reply = "535 5.7.3 Authentication unsuccessful"
	}
	_, ok := s.answer("auth", reply)
	return ok
}

func (s *peerSession) deliver() {
	s.p.mu.Lock()
	s.p.messages = append(s.p.messages, received{s.mail, string(s.body), s.rcpts})
	s.p.mu.Unlock()
	s.reset()
}

func (s *peerSession) data() bool {
	reply := "354 Start mail input; end with <CRLF>.<CRLF>"
	if len(s.rcpts) == 0 {
		reply = "503 5.5.2 Need rcpt command"
	}
	_, ok := s.answer("data", reply)
	if !ok || s.w.Bytes()[bytes.LastIndexByte(bytes.TrimSpace(s.w.Bytes()), '\n')+1] != '3' {
		return ok
	}
	if !s.flush() {
		return false
	}
	for {
		l, ok := s.readLine()
		if !ok {
			return false
		}
		if l == "." {
			break
		}
		s.body = append(s.body, strings.TrimPrefix(l, ".")+"\r\n"...)
	}
	reply = "250 2.0.0 OK <1@client.test> [Hostname=X]"
	if len(s.rcpts) == 0 {
		reply = "554 5.5.1 no valid recipients"
	}
	usual, ok := s.answer("dot", reply)
	if usual && len(s.rcpts) > 0 {
		s.deliver()
	}
	return ok
}

func (s *peerSession) bdat(arg string) bool {
	size, last, _ := strings.Cut(arg, " ")
	n, err := strconv.Atoi(size)
	if err != nil {
		return false
	}
	if a, ok := s.p.answers["bdat-early"]; ok { // answers before it reads, and reads no more
		s.w.WriteString(a + "\r\n")
		s.flush()
		<-s.p.stalled
		return false
	}
	if s.p.sink != nil {
		n, s.body = 0, nil
		size, _ := strconv.Atoi(size)
		if !s.flush() || s.p.sink.take(s, size) != nil {
			return false
		}
	}
	chunk := make([]byte, n)
	if s.r.Buffered() < n && !(s.p.hold && s.open) && !s.flush() {
		return false
	}
	if _, err := io.ReadFull(s.r, chunk); err != nil {
		return false
	}
	s.body = append(s.body, chunk...)
	reply := fmt.Sprintf("250 2.0.0 CHUNK received OK, %d octets", n)
	switch {
	case len(s.rcpts) == 0:
		reply = "503 5.5.2 Need rcpt command"
	case last == "LAST":
		reply = "250 2.0.0 OK <1@client.test> [Hostname=X]"
	}
	step := "bdat"
	if last == "LAST" {
		step = "last"
	}
	usual, ok := s.answer(step, reply)
	if usual && last == "LAST" && len(s.rcpts) > 0 {
		s.deliver()
	}
	return ok
}

// text is a message in memory.
type text string

func (t text) Size() int64                  { return int64(len(t)) }
func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(t))), nil }

const hello = text("Subject: hi\r\n\r\n.hello\r\n..\r\n.\r\nworld\r\n")

func to(addresses ...string) *envelope.Envelope {
	e := &envelope.Envelope{Sender: "noreply@contoso.com"}
	for _, a := range addresses {
		e.Recipients = append(e.Recipients, envelope.Recipient{Address: a})
	}
	return e
}

func dial(t testing.TB, cfg Config) *Session {
	t.Helper()
	s, err := Dial(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
