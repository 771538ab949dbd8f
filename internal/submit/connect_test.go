package submit

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestConnectNamesTheServer: the dialer gets the server as it is configured, and resolves it.
func TestConnectNamesTheServer(t *testing.T) {
	t.Parallel()
	var dialed []string
	cfg := Config{Port: 587, ConnectTimeout: time.Second, DialContext: func(_ context.Context, network,
		address string) (net.Conn, error) {
		dialed = append(dialed, network+" "+address)
		return nil, errors.New("no")
	}}
	for _, host := range []string{"192.0.2.1", "2001:db8::1", "smtp.office365.com"} {
		cfg.Host = host
		connect(t.Context(), &cfg)
	}
	cfg.IPv4Only = true
	connect(t.Context(), &cfg)
	want := []string{"tcp 192.0.2.1:587", "tcp [2001:db8::1]:587", "tcp smtp.office365.com:587",
		"tcp4 smtp.office365.com:587"}
	if !slices.Equal(dialed, want) {
		t.Errorf("dialed %q, want %q", dialed, want)
	}
}

func TestConnectErrors(t *testing.T) {
	t.Parallel()
	noName, refused := error(&net.DNSError{Err: "no such host", Name: testHost}), errors.New("connection refused")
	for _, c := range []struct {
		dial  error
		proxy bool
		want  string
	}{
		{noName, false, "dns"},
		{refused, false, "connect"},
		{refused, true, "proxy"},
		{noName, true, "proxy"}, // the proxy's own name
	} {
		p := newPeer(t)
		cfg := p.config()
		cfg.Proxied = c.proxy
		cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, c.dial }
		_, err := Dial(t.Context(), cfg)
		var e *Error
		if !errors.As(err, &e) || e.Phase != PhaseConnect || e.Diagnosis.Key != c.want || !e.Temporary() ||
			strings.Contains(e.Advice(), "smtp.proxy") != c.proxy || e.Advice() == "" {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}
