package agent

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
)

// TestTCPUser: on a loopback address the kernel tells whose a connection is, as long as it is somebody's.
func TestTCPUser(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: not tried: %v", address, err)
			continue
		}
		defer l.Close()
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		look := func() (int, bool) { return tcpUID(addrPort(server.RemoteAddr()), addrPort(server.LocalAddr())) }
		if uid, ok := look(); !ok || uid != os.Getuid() {
			t.Errorf("%s: uid %d, %t", address, uid, ok)
		}
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		// A process that another test starts has the descriptor, too, until it executes its program.
		uid, open := look()
		for end := time.Now().Add(5 * time.Second); open && time.Now().Before(end); uid, open = look() {
			time.Sleep(time.Millisecond)
		}
		if open {
			t.Errorf("%s: a closed connection is uid %d's", address, uid)
		}
	}
}

func TestSocketTable(t *testing.T) {
	t.Parallel()
	const table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 7001 1 0 100 " +
		"0 0 10 0\n" +
		"   1: 0100007F:C000 0100007F:0019 01 00000000:00000000 00:00000000 00000000    33        0 7002 1 0 20 4 " +
		"30 10 -1\n" +
		"   2: 0100007F:C001 0100007F:0019 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 " +
		"30 10 -1\n" +
		"   3: 0100007F:C002 0100007F:0019 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0\n"
	for port, want := range map[uint16]int{0xC000: 33, 0xC001: -1, 0xC002: -1, 0xC003: -1} {
		uid, ok := socketUID(strings.NewReader(table), false, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"),
			port), netip.MustParseAddrPort("127.0.0.1:25"))
		if uid != want || ok != (want >= 0) {
			t.Errorf("port %x: uid %d, %t", port, uid, ok)
		}
	}
}

// remote is a connection with another host.
type remote struct {
	net.Conn
	addr string
}

func (r remote) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(r.addr))
}

func TestSharers(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"192.0.2.1:1000": "192.0.2.1", "[::ffff:192.0.2.1]:1000": "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1000": "2001:db8:1:2::/64",
	} {
		if got := sharer(envelope.Caller{UID: -1}, remote{addr: addr}).String(); got != want {
			t.Errorf("%s counts to %s, want %s", addr, got, want)
		}
	}
	if got := sharer(envelope.Caller{UID: 33}, remote{addr: "127.0.0.1:1000"}).String(); got != "uid 33" {
		t.Errorf("got %s", got)
	}
}
