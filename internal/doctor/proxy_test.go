package doctor

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// relayProxy is a SOCKS5 proxy (RFC 1928) that takes every request for one to target.
func relayProxy(t *testing.T, target string) string {
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
			go relayThrough(c, target)
		}
	}()
	return l.Addr().String()
}

func relayThrough(c net.Conn, target string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	var b [3 + 4 + 1 + 255 + 2]byte
	if _, err := io.ReadFull(c, b[:3]); err != nil { // one method: no authentication
		return
	}
	_, _ = c.Write([]byte{5, 0})
	if _, err := io.ReadFull(c, b[:5]); err != nil || b[3] != 3 { // a name, and its length
		return
	}
	if _, err := io.ReadFull(c, b[:int(b[4])+2]); err != nil {
		return
	}
	to, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer to.Close()
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() {
		_, _ = io.Copy(to, c)
		to.Close()
	}()
	_, _ = io.Copy(c, to)
}

func (s *site) behind(proxy string) {
	s.text = strings.Replace(s.text, "[smtp]\n", "[smtp]\nproxy = \"socks5://"+proxy+"\"\n", 1)
}

func TestRelayBehindProxy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	host, port := s.SMTPAddr()
	proxy := relayProxy(t, net.JoinHostPort(host, strconv.Itoa(port)))
	s.behind(proxy)
	r := s.run()
	for _, name := range []string{"smtp-proxy", "smtp-greeting", "smtp-tls", "sign-in"} {
		if c := r.Find(name, ""); c == nil || c.Status != OK {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c := r.Find("smtp-proxy", ""); c != nil && !strings.Contains(c.Seen, proxy) {
		t.Errorf("%q does not name the proxy", c.Seen)
	}
}

func TestProxyIsGone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := newSite(t)
	s.behind(l.Addr().String())
	r := s.run()
	if c := r.Find("smtp-proxy", ""); c == nil || c.Status != Failed || c.Key != "proxy" || !strings.Contains(c.Hint, "smtp.proxy") {
		t.Errorf("smtp-proxy: %+v", c)
	}
	if c := r.Find("sign-in", ""); c == nil || c.Status == OK {
		t.Errorf("sign-in went around the proxy: %+v", c)
	}
}
