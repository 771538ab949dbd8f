package xoauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// defaultTimeout bounds a whole token request when the caller sets no time.
const defaultTimeout = 30 * time.Second

// HTTPOptions say how to reach a token endpoint. The zero value is usable.
type HTTPOptions struct {
	// RootCAs verify the server; nil means the system's, which take 10 ms to load.
	RootCAs *x509.CertPool
	// MinVersion is a crypto/tls version; 0, and anything below, means TLS 1.2.
	MinVersion uint16
	// Timeout bounds a whole request with its reply; 0 means 30 s.
	Timeout time.Duration
	// Proxy is a URL with scheme http, https (both CONNECT), socks5 or socks5h, and
	// user and password if need be. Either SOCKS scheme leaves names to the proxy.
	// Empty means none; the environment is never asked.
	Proxy string
}

// NewHTTPClient makes a client for token requests: HTTP/1.1 over TLS 1.2 or newer,
// one connection per request, no redirects, no proxy but the one given.
func NewHTTPClient(o HTTPOptions) (*http.Client, error) {
	proxy, err := parseProxy(o.Proxy)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: o.Timeout}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: max(o.MinVersion, tls.VersionTLS12)},
		TLSHandshakeTimeout:    o.Timeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		Protocols:              &protocols,
		OnProxyConnectResponse: checkConnect,
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return &http.Client{Transport: t, CheckRedirect: noRedirect, Timeout: o.Timeout}, nil
}

// noRedirect hands the 3xx reply itself to the caller: a followed 307 would post
// the secret to wherever it points.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// parseProxy never repeats its argument: a proxy URL may hold a password.
func parseProxy(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("the proxy is not a URL: write it as http://host:port or socks5://host:port")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, fmt.Errorf("the proxy's scheme %q is unknown: use http, https or socks5", clean(u.Scheme, 20))
}

// proxyError is a proxy's refusal to CONNECT.
type proxyError struct {
	host   string
	status int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy %s refused the connection with HTTP %d %s", e.host, e.status,
		http.StatusText(e.status))
}

func checkConnect(_ context.Context, proxy *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{host: proxy.Host, status: res.StatusCode}
}
