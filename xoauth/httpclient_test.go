package xoauth

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// tlsPeer is a token endpoint over TLS whose CA the pool knows.
func tlsPeer(t *testing.T, change func(*httptest.Server)) (s *httptest.Server, pool *x509.CertPool) {
	t.Helper()
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 || !r.Close {
			t.Errorf("request over %s, close %v; want HTTP/1.1 and close", r.Proto, r.Close)
		}
		saying(200, "application/json", goodReply)(w, nil)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes
	if change != nil {
		change(s)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	pool = x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

// ask gets a token from tokenURL with a client of these options.
func ask(t *testing.T, tokenURL string, o HTTPOptions) (Token, error) {
	t.Helper()
	client, err := NewHTTPClient(o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{
		Tenant: testTenant, ClientID: testClient, Scope: testScope, TokenURL: tokenURL, HTTPClient: client,
		Credential: ClientSecret(NewSecret(testSecret)), Now: func() time.Time { return testNow },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.Token(context.Background())
}

func TestHTTPClientOverTLS(t *testing.T) {
	t.Parallel()
	s, pool := tlsPeer(t, nil)
	if _, err := ask(t, s.URL, HTTPOptions{RootCAs: pool}); err != nil {
		t.Error(err)
	}
}

func TestHTTPClientRefusesOldTLS(t *testing.T) {
	t.Parallel()
	s, pool := tlsPeer(t, func(s *httptest.Server) {
		s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	})
	for _, v := range []uint16{0, tls.VersionTLS10} {
		if _, err := ask(t, s.URL, HTTPOptions{RootCAs: pool, MinVersion: v}); err == nil {
			t.Errorf("MinVersion %x: TLS 1.1 is accepted", v)
		}
	}
	s, pool = tlsPeer(t, func(s *httptest.Server) { s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12} })
	if _, err := ask(t, s.URL, HTTPOptions{RootCAs: pool, MinVersion: tls.VersionTLS13}); err == nil {
		t.Error("MinVersion TLS 1.3: TLS 1.2 is accepted")
	}
}

// TestTransportErrors has what can go wrong before a reply comes.
func TestTransportErrors(t *testing.T) {
	t.Parallel()
	trusted, pool := tlsPeer(t, nil)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	hangUp := listen(t, func(c net.Conn) {})
	stalled := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	halfway := listen(t, func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_token\":")
	})
	trickling := listen(t, func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
		_, _ = io.Copy(io.Discard, c)
	})
	tests := []struct {
		name, url string
		o         HTTPOptions
		temporary bool
		want      string
	}{
		{"unknown CA", trusted.URL, HTTPOptions{RootCAs: x509.NewCertPool()}, false, "a CA that is not trusted here: "},
		{"advice on the CA", trusted.URL, HTTPOptions{RootCAs: x509.NewCertPool()}, false, "ca-certificates"},
		{"another name", strings.Replace(trusted.URL, "127.0.0.1", "localhost", 1), HTTPOptions{RootCAs: pool}, false,
			"for another host"},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), HTTPOptions{RootCAs: pool}, true,
			"check the token URL and the proxy"},
		{"refused", closed.URL, HTTPOptions{}, true, "no connection: "},
		{"advice on the network", closed.URL, HTTPOptions{}, true, "allow outgoing HTTPS (443/tcp) to 127.0.0.1:"},
		{"hang-up", "http://" + hangUp, HTTPOptions{}, true, "no connection"},
		{"stalled", "http://" + stalled, HTTPOptions{Timeout: 50 * time.Millisecond}, true, "no answer in time"},
		{"stalled in the body", "http://" + trickling, HTTPOptions{Timeout: 50 * time.Millisecond}, true,
			"the reply was cut off"},
		{"cut off", "http://" + halfway, HTTPOptions{}, true, "the reply was cut off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ask(t, tt.url, tt.o)
			var e *Error
			if !errors.As(err, &e) || e.Temporary() != tt.temporary || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q, temporary %v", err, tt.want, tt.temporary)
			}
			checkLine(t, tt.name, err)
		})
	}
}

// listen serves each connection with serve, which gets a deadline.
func listen(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				serve(c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

// TestTransportErrorsInWords has those that can't be made on loopback.
func TestTransportErrorsInWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		err       error
		temporary bool
		want      string
	}{
		{"DNS", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "login.microsoftonline.com",
			IsNotFound: true}}, true, "can't be resolved: dial: lookup login.microsoftonline.com: no such host; " +
			"check /etc/resolv.conf"},
		{"expired", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, false,
			"not valid at the local time"},
		{"not a server's", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}}, false, "can't be verified"},
		{"no roots", x509.SystemRootsError{Err: errors.New("none")}, false, "ca-certificates"},
		{"proxy 407", &proxyError{"proxy:3128", 407}, false,
			"the proxy proxy:3128 refused the connection with HTTP 407 Proxy Authentication Required; check the proxy"},
		{"proxy 503", &proxyError{"proxy:3128", 503}, true, "HTTP 503"},
		{"escape", errors.New("x\x1b[2J\r\ny"), true, "no connection: x [2J y"},
		{"secret", errors.New("bad header " + testSecret), true, "bad header [redacted]"},
	}
	for _, tt := range tests {
		s, err := New(Options{
			Tenant: testTenant, ClientID: testClient, Scope: testScope, TokenURL: "https://login.example.com/token",
			Credential: ClientSecret(NewSecret(testSecret)), HTTPClient: &http.Client{Transport: failing{tt.err}},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Token(context.Background())
		var e *Error
		if !errors.As(err, &e) || e.Temporary() != tt.temporary || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q, temporary %v", tt.name, err, tt.want, tt.temporary)
			continue
		}
		if !strings.HasPrefix(err.Error(), "token request to login.example.com: ") {
			t.Errorf("%s: error %q does not begin with what and where", tt.name, err)
		}
		checkLine(t, tt.name, err)
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// TestEnvironmentProxyIsIgnored can't run in parallel, for it sets the environment.
func TestEnvironmentProxyIsIgnored(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	client := testHTTPClient(t)
	transport := client.Transport.(*http.Transport)
	if transport.Proxy != nil {
		t.Error("a proxy function is set")
	}
	s, pool := tlsPeer(t, nil)
	if _, err := ask(t, s.URL, HTTPOptions{RootCAs: pool}); err != nil {
		t.Error(err)
	}
}

func TestConnectProxy(t *testing.T) {
	t.Parallel()
	s, pool := tlsPeer(t, nil)
	var mu sync.Mutex
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
		mu.Unlock()
		if r.Header.Get("Proxy-Authorization") == "" {
			w.WriteHeader(407)
			return
		}
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(502)
			return
		}
		down, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		splice(down, up)
	}))
	t.Cleanup(proxy.Close)
	host := strings.TrimPrefix(proxy.URL, "http://")
	if _, err := ask(t, s.URL, HTTPOptions{RootCAs: pool, Proxy: "http://user:hunter22@" + host}); err != nil {
		t.Error(err)
	}
	target := strings.TrimPrefix(s.URL, "https://")
	if want := "[CONNECT " + target + " Basic dXNlcjpodW50ZXIyMg==]"; fmt.Sprint(asked) != want {
		t.Errorf("the proxy was asked %q, want %q", asked, want)
	}
	for _, tt := range []struct {
		proxy, url string
		temporary  bool
		want       string
	}{
		{"http://" + host, s.URL, false, "refused the connection with HTTP 407"},
		{"http://user:hunter22@" + host, "https://127.0.0.1:1/", true, "refused the connection with HTTP 502"},
		{"http://user:hunter22@127.0.0.1:1", s.URL, true, "no connection"},
	} {
		_, err := ask(t, tt.url, HTTPOptions{RootCAs: pool, Proxy: tt.proxy})
		var e *Error
		if !errors.As(err, &e) || e.Temporary() != tt.temporary || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q, temporary %v", tt.proxy, err, tt.want, tt.temporary)
			continue
		}
		checkLine(t, tt.want, err)
	}
}

// splice copies both ways until either side ends.
func splice(a, b net.Conn) {
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		wg.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		})
	}
	wg.Wait()
}

// TestSOCKSProxy checks that the name, not an address, goes to the proxy.
func TestSOCKSProxy(t *testing.T) {
	t.Parallel()
	s, pool := tlsPeer(t, nil)
	target := strings.TrimPrefix(s.URL, "https://")
	names := make(chan string, 2)
	addr := listen(t, func(c net.Conn) {
		name, err := serveSOCKS(c, "user", "hunter22")
		if err != nil {
			t.Error(err)
			return
		}
		names <- name
		up, err := net.Dial("tcp", target)
		if err != nil {
			t.Error(err)
			return
		}
		splice(c, up)
	})
	for _, scheme := range []string{"socks5", "socks5h"} {
		// httptest's certificate is good for example.com, which no resolver is asked for.
		if _, err := ask(t, "https://example.com/token",
			HTTPOptions{RootCAs: pool, Proxy: scheme + "://user:hunter22@" + addr}); err != nil {
			t.Fatal(err)
		}
		if name := <-names; name != "example.com:443" {
			t.Errorf("%s: the proxy was asked for %q, want example.com:443", scheme, name)
		}
	}
}

// serveSOCKS plays the server's part of RFC 1928 and RFC 1929.
func serveSOCKS(c net.Conn, user, password string) (target string, err error) {
	read := func(n byte) []byte {
		b := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(c, b)
		}
		return b
	}
	head := read(2)
	methods := read(head[1])
	if err != nil || head[0] != 5 || !strings.Contains(string(methods), "\x02") {
		return "", fmt.Errorf("greeting %v %v, %v", head, methods, err)
	}
	_, _ = c.Write([]byte{5, 2})
	gotUser := string(read(read(2)[1]))
	gotPassword := string(read(read(1)[0]))
	if err != nil || gotUser != user || gotPassword != password {
		return "", fmt.Errorf("user %q, password %q, %v", gotUser, gotPassword, err)
	}
	_, _ = c.Write([]byte{1, 0})
	request := read(5)
	name := string(read(request[4]))
	port := read(2)
	if err != nil || request[1] != 1 || request[3] != 3 {
		return "", fmt.Errorf("request %v, %v; want CONNECT to a name", request, err)
	}
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return fmt.Sprintf("%s:%d", name, int(port[0])<<8|int(port[1])), nil
}

func TestNewHTTPClientRefuses(t *testing.T) {
	t.Parallel()
	for _, proxy := range []string{"proxy:3128", "ftp://user:hunter22@proxy", "http://", "http://user:hunter22@%zz",
		"://hunter22", "hunter22"} {
		_, err := NewHTTPClient(HTTPOptions{Proxy: proxy})
		if err == nil {
			t.Errorf("proxy %q is accepted", proxy)
			continue
		}
		checkLine(t, proxy, err)
	}
}

func TestHTTPClientTimeouts(t *testing.T) {
	t.Parallel()
	if c := testHTTPClient(t); c.Timeout != defaultTimeout {
		t.Errorf("timeout %v, want %v", c.Timeout, defaultTimeout)
	}
	// A foreign client without a timeout gets one, and follows no redirect.
	var lent *http.Client
	_, err := record(&http.Client{Transport: failing{io.EOF}}, func(c *http.Client) error {
		lent = c
		_, err := c.PostForm("http://127.0.0.1:1", url.Values{})
		return err
	})
	if !errors.Is(err, io.EOF) || lent.Timeout != defaultTimeout ||
		lent.CheckRedirect(nil, nil) != http.ErrUseLastResponse {
		t.Errorf("error %v, timeout %v", err, lent.Timeout)
	}
	if _, err := record(&http.Client{}, func(*http.Client) error { return nil }); err == nil {
		t.Error("no request was sent, and no error came")
	}
}
