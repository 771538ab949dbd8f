package submit

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/envelope"
)

// backend takes mail with go-smtp, which knows nothing of this package.
type backend struct {
	mu   sync.Mutex
	got  []received
	mail []smtp.MailOptions
	rcpt []smtp.RcptOptions
}

func (b *backend) NewSession(*smtp.Conn) (smtp.Session, error) { return &backendSession{b: b}, nil }

type backendSession struct {
	b     *backend
	user  string
	mail  string
	rcpts []string
}

func (s *backendSession) AuthMechanisms() []string { return []string{"XOAUTH2"} }

func (s *backendSession) Auth(string) (sasl.Server, error) { return xoauth2Server{s}, nil }

// xoauth2Server takes one token.
type xoauth2Server struct{ s *backendSession }

func (x xoauth2Server) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil {
		return []byte{}, false, nil
	}
	if string(response) != "user=noreply@contoso.com\x01auth=Bearer "+gosmtpToken+"\x01\x01" {
		return nil, true, &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 3},
			Message: "Authentication unsuccessful"}
	}
	x.s.user = "noreply@contoso.com"
	return nil, true, nil
}

func (s *backendSession) Mail(from string, o *smtp.MailOptions) error {
	if s.user == "" {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 57},
			Message: "Client not authenticated to send mail."}
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.mail, s.b.mail = from, append(s.b.mail, *o)
	return nil
}

func (s *backendSession) Rcpt(to string, o *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "unknown") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 10}, Message: "not found"}
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.rcpts, s.b.rcpt = append(s.rcpts, to), append(s.b.rcpt, *o)
	return nil
}

func (s *backendSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.got = append(s.b.got, received{s.mail, string(data), s.rcpts})
	return nil
}

func (s *backendSession) Reset()        { s.mail, s.rcpts = "", nil }
func (s *backendSession) Logout() error { return nil }

var gosmtpToken = strings.Repeat("t0k3n", 400)

// TestGoSMTP sends to an independent server.
func TestGoSMTP(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	b := &backend{}
	server := smtp.NewServer(b)
	server.Domain, server.TLSConfig = testHost, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, testHost,
		time.Hour)}}
	server.MaxLineLength, server.MaxMessageBytes = 12288, 10<<20
	server.EnableDSN, server.EnableSMTPUTF8 = true, true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	s := dial(t, Config{Host: testHost, RootCAs: ca.pool, User: "noreply@contoso.com",
		Token: func(context.Context) (string, error) { return gosmtpToken, nil },
		DialContext: func(ctx context.Context, n, _ string) (net.Conn,
			error) {
			return net.Dial(n, l.Addr().String())
		}})
	defer s.Close()
	if x := s.Extensions(); !x.Chunking || !x.Pipelining || x.Size != 10<<20 || s.MaxSize() != x.Size || !x.DSN ||
		!x.SMTPUTF8 || !x.EightBitMIME {
		t.Fatalf("extensions %+v", x)
	}
	env := &envelope.Envelope{Sender: "noreply@contoso.com", Ret: "HDRS", EnvID: "a=b+c",
		Recipients: []envelope.Recipient{
			{Address: "a@x.org", Notify: envelope.NotifyFailure | envelope.NotifyDelay, ORcpt: "rfc822;A+b@x.org"},
			{Address: "unknown@x.org"}, {Address: `"john doe"@x.org`}}}
	sizes := []text{hello, lines(20 << 10), lines(3 << 20)}
	for i, msg := range sizes {
		res, err := s.Send(t.Context(), env, msg)
		if err != nil || res.Accepted() != 2 || res.Recipients[1].Err.Enhanced != "5.1.10" {
			t.Fatalf("%+v, %v", res, err)
		}
		if len(b.got) != i+1 || b.got[i].data != string(msg) || len(b.got[i].rcpts) != 2 {
			t.Fatalf("message %d did not arrive as it was", i)
		}
	}
	if m, r := b.mail[0], b.rcpt[0]; m.Size != hello.Size() || m.EnvelopeID != "a=b+c" ||
		m.Return != smtp.DSNReturnHeaders || len(r.Notify) != 2 || r.OriginalRecipient != "A+b@x.org" {
		t.Errorf("options %+v %+v", m, r)
	}
	if _, err := s.Send(t.Context(), env, lines(11<<20)); err == nil || !strings.Contains(err.Error(), "10485760") {
		t.Errorf("too large: %v", err)
	}
	var waits []func() (*Result, error)
	for range 10 {
		waits = append(waits, s.Begin(t.Context(), env, hello))
	}
	for _, wait := range waits {
		if res, err := wait(); err != nil || res.Accepted() != 2 {
			t.Errorf("pipelined: %+v, %v", res, err)
		}
	}
	if !s.Usable() || len(b.got) != len(sizes)+10 {
		t.Errorf("usable %v, %d messages", s.Usable(), len(b.got))
	}
}
