package submit

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// TestRefusedConnectionIsNamed: a host without an IPv6 address and with a closed port is
// told as refused, whichever lookup answers first.
func TestRefusedConnectionIsNamed(t *testing.T) {
	t.Parallel()
	cfg, err := Config{
		Host: "mail.example.org", User: "u@example.org", Token: func(context.Context) (string, error) { return "", nil },
		LookupNetIP: func(_ context.Context, network, _ string) ([]netip.Addr, error) {
			if network == "ip6" {
				return nil, &net.AddrError{Err: "no suitable address found", Addr: "mail.example.org"}
			}
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED },
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t.Context(), &cfg); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, want the refusal", err)
	}
}
