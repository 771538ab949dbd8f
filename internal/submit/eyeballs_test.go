package submit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// network is a world of addresses: how long each takes to answer and whether it does.
type network struct {
	mu      sync.Mutex
	start   time.Time
	dialed  []string // "250ms 192.0.2.1"
	open    int      // connections handed out and not closed
	answers map[string]reachability
}

type reachability struct {
	after time.Duration
	err   error
}

type counted struct {
	net.Conn
	n *network
}

func (c *counted) Close() error {
	c.n.mu.Lock()
	c.n.open--
	c.n.mu.Unlock()
	return c.Conn.Close()
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, _ := net.SplitHostPort(address)
	n.mu.Lock()
	n.dialed = append(n.dialed, fmt.Sprintf("%v %s", time.Since(n.start), host))
	n.mu.Unlock()
	if port != "587" {
		return nil, errors.New("wrong port")
	}
	a, ok := n.answers[host]
	if !ok {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(a.after) // does not look at the context, so that it may come too late
	if a.err != nil {
		return nil, a.err
	}
	n.mu.Lock()
	n.open++
	n.mu.Unlock()
	c, _ := net.Pipe()
	return &counted{c, n}, nil
}

func TestHappyEyeballs(t *testing.T) {
	t.Parallel()
	refused := errors.New("connection refused")
	type lookup struct {
		after time.Duration
		addrs string
		err   error
	}
	notFound := &net.DNSError{Err: "no such host", Name: testHost, IsNotFound: true}
	now := func(d time.Duration) reachability { return reachability{after: d} }
	tests := []struct {
		name   string
		v6, v4 lookup
		only4  bool
		net    map[string]reachability
		dialed string // attempts and their times
		took   time.Duration
		err    error
	}{
		{"IPv6 first", lookup{addrs: "2001:db8::1"}, lookup{addrs: "192.0.2.1"}, false, map[string]reachability{"2001:db8::1": now(100 * time.Millisecond), "192.0.2.1": now(0)},
			"0s 2001:db8::1", 100 * time.Millisecond, nil},
		{"IPv6 is silent", lookup{addrs: "2001:db8::1 2001:db8::2"}, lookup{addrs: "192.0.2.1"}, false, map[string]reachability{"192.0.2.1": now(10 * time.Millisecond)},
			"0s 2001:db8::1,250ms 192.0.2.1", 260 * time.Millisecond, nil},
		{"refused at once", lookup{addrs: "2001:db8::1"}, lookup{addrs: "192.0.2.1"}, false, map[string]reachability{"2001:db8::1": {err: refused}, "192.0.2.1": now(0)},
			"0s 2001:db8::1,0s 192.0.2.1", 0, nil},
		{"in turn", lookup{addrs: "2001:db8::1 2001:db8::2 2001:db8::3"}, lookup{addrs: "192.0.2.1 192.0.2.2"}, false, map[string]reachability{"2001:db8::3": now(0)},
			"0s 2001:db8::1,250ms 192.0.2.1,500ms 2001:db8::2,750ms 192.0.2.2,1s 2001:db8::3", time.Second, nil},
		{"the first answers after all", lookup{addrs: "2001:db8::1"}, lookup{addrs: "192.0.2.1"}, false, map[string]reachability{"2001:db8::1": now(300 * time.Millisecond), "192.0.2.1": now(time.Second)},
			"0s 2001:db8::1,250ms 192.0.2.1", 300 * time.Millisecond, nil},
		{"AAAA a little late", lookup{after: 30 * time.Millisecond, addrs: "2001:db8::1"}, lookup{addrs: "192.0.2.1"}, false, map[string]reachability{"2001:db8::1": now(0), "192.0.2.1": now(0)},
			"30ms 2001:db8::1", 30 * time.Millisecond, nil},
		{"AAAA too late", lookup{after: 5 * time.Second, addrs: "2001:db8::1"}, lookup{addrs: "192.0.2.1"}, false, map[string]reachability{"192.0.2.1": now(0)},
			"50ms 192.0.2.1", 50 * time.Millisecond, nil},
		{"A late", lookup{addrs: "2001:db8::1"}, lookup{after: time.Second, addrs: "192.0.2.1"}, false, map[string]reachability{"2001:db8::1": {err: refused}, "192.0.2.1": now(0)},
			"0s 2001:db8::1,1s 192.0.2.1", time.Second, nil},
		{"no AAAA", lookup{err: notFound}, lookup{addrs: "192.0.2.1"}, false, map[string]reachability{"192.0.2.1": now(0)}, "0s 192.0.2.1", 0, nil},
		{"IPv4 only", lookup{addrs: "2001:db8::1"}, lookup{addrs: "192.0.2.1"}, true, map[string]reachability{"192.0.2.1": now(0)}, "0s 192.0.2.1", 0, nil},
		{"nothing", lookup{err: notFound}, lookup{err: notFound}, false, nil, "", 0, notFound},
		{"empty", lookup{}, lookup{}, false, nil, "", 0, notFound},
		{"all refuse", lookup{addrs: "2001:db8::1"}, lookup{addrs: "192.0.2.1"}, false, map[string]reachability{"2001:db8::1": {err: refused}, "192.0.2.1": {err: refused}},
			"0s 2001:db8::1,0s 192.0.2.1", 0, refused},
		{"all silent", lookup{addrs: "2001:db8::1"}, lookup{addrs: "192.0.2.1"}, false, nil, "0s 2001:db8::1,250ms 192.0.2.1", 30 * time.Second, context.DeadlineExceeded},
		{"resolver silent", lookup{after: time.Hour}, lookup{after: time.Hour}, false, nil, "", 30 * time.Second, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{start: time.Now(), answers: tt.net}
				cfg := Config{Host: testHost, Port: 587, IPv4Only: tt.only4, ConnectTimeout: defaultConnectTimeout, DialContext: n.dial,
					LookupNetIP: func(ctx context.Context, network, _ string) ([]netip.Addr, error) {
						l := tt.v4
						if network == "ip6" {
							l = tt.v6
						}
						select {
						case <-time.After(l.after):
						case <-ctx.Done():
							return nil, ctx.Err()
						}
						var addrs []netip.Addr
						for _, a := range strings.Fields(l.addrs) {
							addrs = append(addrs, netip.MustParseAddr(a))
						}
						return addrs, l.err
					}}
				conn, err := connect(t.Context(), &cfg)
				if took := time.Since(n.start); took != tt.took || (tt.err == nil) != (err == nil) {
					t.Errorf("after %v: %v", took, err)
				}
				if tt.err != nil && !errors.Is(err, tt.err) && !strings.Contains(fmt.Sprint(err), "no addresses") {
					t.Errorf("got %v, want %v", err, tt.err)
				}
				if conn != nil {
					conn.Close()
				}
				time.Sleep(time.Minute) // those that come too late
				n.mu.Lock()
				defer n.mu.Unlock()
				if got := strings.Join(n.dialed, ","); got != tt.dialed {
					t.Errorf("dialed %s, want %s", got, tt.dialed)
				}
				if n.open != 0 {
					t.Errorf("%d connections left open", n.open)
				}
			})
		})
	}
}

func TestConnectWithoutNames(t *testing.T) {
	t.Parallel()
	var dialed []string
	cfg := Config{Port: 587, ConnectTimeout: time.Second, DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
		dialed = append(dialed, network+" "+address)
		return nil, errors.New("no")
	}}
	for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
		cfg.Host = host
		connect(t.Context(), &cfg)
	}
	cfg.Host, cfg.DialHost = "smtp.office365.com", true
	connect(t.Context(), &cfg)
	if want := []string{"tcp 192.0.2.1:587", "tcp [2001:db8::1]:587", "tcp smtp.office365.com:587"}; !slices.Equal(dialed, want) {
		t.Errorf("dialed %q", dialed)
	}
}

func TestConnectErrors(t *testing.T) {
	t.Parallel()
	noName, refused := error(&net.DNSError{Err: "no such host", Name: testHost}), errors.New("connection refused")
	for _, c := range []struct {
		lookup, dial error
		proxy        bool
		want         string
	}{
		{noName, nil, false, "dns"},
		{nil, refused, false, "connect"},
		{nil, refused, true, "proxy"},
		{nil, noName, true, "proxy"}, // the proxy's own name
	} {
		p := newPeer(t)
		cfg := p.config()
		cfg.DialHost = c.proxy
		cfg.LookupNetIP = func(context.Context, string, string) ([]netip.Addr, error) {
			if c.lookup != nil {
				return nil, c.lookup
			}
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		}
		cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, c.dial }
		_, err := Dial(t.Context(), cfg)
		var e *Error
		if !errors.As(err, &e) || e.Phase != PhaseConnect || e.Diagnosis.Key != c.want || !e.Temporary() || strings.Contains(e.Advice(), "smtp.proxy") != c.proxy || e.Advice() == "" {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}
