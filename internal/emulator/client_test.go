package emulator_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// ctx ends with the test, and after a time that no test needs.
func ctx(t testing.TB) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return c
}

func httpClient(t testing.TB, e *emulator.Emulator) *http.Client {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: e.CAPool()}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// answer is whatever the token endpoint said.
type answer struct {
	Status      int
	Header      http.Header
	Raw         string
	Access      string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
	ExpiresIn   int    `json:"expires_in"`
	RefreshIn   int    `json:"refresh_in"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
	TraceID     string `json:"trace_id"`
	SubError    string `json:"suberror"`
	DeviceCode  string `json:"device_code"`
	UserCode    string `json:"user_code"`
	Interval    int    `json:"interval"`
}

func post(t testing.TB, e *emulator.Emulator, target string, form url.Values) answer {
	t.Helper()
	res, err := httpClient(t, e).PostForm(target, form)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, res)
}

func readAnswer(t testing.TB, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Status: res.StatusCode, Header: res.Header, Raw: string(b)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(b, &a); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
	}
	return a
}

func secretForm(e *emulator.Emulator) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {e.ClientID}, "client_secret": {e.ClientSecret},
		"scope": {"https://outlook.office365.com/.default"},
	}
}

func token(t testing.TB, e *emulator.Emulator) string {
	t.Helper()
	a := post(t, e, e.TokenURL(), secretForm(e))
	if a.Access == "" {
		t.Fatalf("no token: %s", a.Raw)
	}
	return a.Access
}

// client is an SMTP client that says only what a test tells it to.
type client struct {
	t    testing.TB
	e    *emulator.Emulator
	conn net.Conn
	r    *bufio.Reader
}

func dial(t testing.TB, e *emulator.Emulator) *client {
	t.Helper()
	host, _ := e.SMTPAddr()
	return dialAt(t, e, host)
}

func dialAt(t testing.TB, e *emulator.Emulator, host string) *client {
	t.Helper()
	_, port := e.SMTPAddr()
	conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return &client{t, e, conn, bufio.NewReader(conn)}
}

// read returns one reply, its lines separated by LF.
func (c *client) read() string {
	c.t.Helper()
	s, err := c.tryRead()
	if err != nil {
		c.t.Fatalf("reading a reply: %v (%q)", err, s)
	}
	return s
}

func (c *client) tryRead() (string, error) {
	var lines []string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return line, err
		}
		if !strings.HasSuffix(line, "\r\n") {
			return line, fmt.Errorf("line without CRLF: %q", line)
		}
		line = strings.TrimSuffix(line, "\r\n")
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "\n"), nil
		}
	}
}

func (c *client) write(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatal(err)
	}
}

// cmd sends a line and returns the reply.
func (c *client) cmd(format string, args ...any) string {
	c.t.Helper()
	c.write(fmt.Sprintf(format, args...) + "\r\n")
	return c.read()
}

// want sends a line and checks how the reply begins.
func (c *client) want(prefix, format string, args ...any) string {
	c.t.Helper()
	s := c.cmd(format, args...)
	if !strings.HasPrefix(s, prefix) {
		c.t.Fatalf("%.80s: reply %q, want %q", fmt.Sprintf(format, args...), s, prefix)
	}
	return s
}

func (c *client) startTLS(config *tls.Config) {
	c.t.Helper()
	c.want("220 2.0.0 SMTP server ready", "STARTTLS")
	if err := c.handshake(config); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) handshake(config *tls.Config) error {
	if config == nil {
		config = &tls.Config{RootCAs: c.e.CAPool(), ServerName: c.e.SMTPHost}
	}
	tc := tls.Client(c.conn, config)
	if err := tc.Handshake(); err != nil {
		return err
	}
	c.conn, c.r = tc, bufio.NewReader(tc)
	return nil
}

// secure goes as far as EHLO after TLS.
func secure(t testing.TB, e *emulator.Emulator) *client {
	t.Helper()
	c := dial(t, e)
	c.read()
	c.want("250-", "EHLO client.example.test")
	c.startTLS(nil)
	c.want("250-", "EHLO client.example.test")
	return c
}

func blob(user, token string) string {
	return base64.StdEncoding.EncodeToString([]byte("user=" + user + "\x01auth=Bearer " + token + "\x01\x01"))
}

// auth signs in and returns the reply.
func (c *client) auth(user, token string) string {
	c.t.Helper()
	c.want("334 ", "AUTH XOAUTH2")
	return c.cmd("%s", blob(user, token))
}

// signedIn goes as far as a good AUTH.
func signedIn(t testing.TB, e *emulator.Emulator) *client {
	t.Helper()
	c := secure(t, e)
	if s := c.auth(e.Mailbox, token(t, e)); s != "235 2.7.0 Authentication successful" {
		t.Fatalf("AUTH: %q", s)
	}
	return c
}

func message(e *emulator.Emulator) string {
	return "From: <" + e.Mailbox + ">\r\nTo: <a@example.test>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n" +
		"Message-ID: <1@example.test>\r\nSubject: hello\r\n\r\nhello\r\n"
}

// send sends by DATA and returns the last reply. text is dot-stuffed already.
func (c *client) send(text string) string {
	c.t.Helper()
	c.want("250 2.1.0 Sender OK", "MAIL FROM:<%s>", c.e.Mailbox)
	c.want("250 2.1.5 Recipient OK", "RCPT TO:<a@example.test>")
	c.want("354 Start mail input; end with <CRLF>.<CRLF>", "DATA")
	c.write(text + ".\r\n")
	return c.read()
}
