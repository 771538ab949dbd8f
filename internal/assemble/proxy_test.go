package assemble

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/submit"
)

// socksServer is a SOCKS5 proxy without authentication (RFC 1928). It answers each
// request with reply and connects when that is 0. asked gets each address asked for.
func socksServer(t *testing.T, reply byte) (address string, asked <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	addresses := make(chan string, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveSOCKS(c, reply, addresses)
		}
	}()
	return l.Addr().String(), addresses
}

func serveSOCKS(c net.Conn, reply byte, asked chan<- string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(c, b); err != nil {
			return make([]byte, n)
		}
		return b
	}
	read(int(read(2)[1])) // version, and the methods that the client knows
	_, _ = c.Write([]byte{5, 0})
	var host string
	switch head := read(4); head[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	}
	address := net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(read(2)))))
	asked <- address
	_, _ = c.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
	if reply != 0 {
		return
	}
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(to, c)
		to.Close()
	}()
	_, _ = io.Copy(c, to)
}

// behind is an account of the emulator's that goes through a proxy, and may look up
// no name by itself.
func behind(t *testing.T, e *emulator.Emulator, proxy string) *deliver.Account {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	text := strings.Replace(e.ConfigTOML(dir), "[smtp]\n", "[smtp]\nproxy = \"socks5://"+proxy+"\"\n", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Loader{}.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Account(cfg, Options{HostName: "web1", Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type text string

func (m text) Size() int64                  { return int64(len(m)) }
func (m text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(m))), nil }

func deliverOne(ctx context.Context, a *deliver.Account) error {
	env := &envelope.Envelope{Sender: a.Mailbox, Recipients: []envelope.Recipient{{Address: "jane@example.com"}}}
	_, err := a.Deliver(ctx, env, text("From: "+a.Mailbox+"\r\nSubject: through a proxy\r\n\r\nHello.\r\n"))
	return err
}

func TestMailGoesThroughProxy(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	proxy, asked := socksServer(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := deliverOne(ctx, behind(t, e, proxy)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.WaitMessages(ctx, 1); err != nil {
		t.Fatal(err)
	}
	_, port := e.SMTPAddr()
	if want := net.JoinHostPort(e.SMTPHost, strconv.Itoa(port)); len(asked) != 1 || <-asked != want {
		t.Errorf("the proxy was not asked once for %s", want)
	}
}

// TestProxyThatDoesNotHelp: no failure of the proxy is a reason to go around it.
func TestProxyThatDoesNotHelp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	refusing, _ := socksServer(t, 2)
	unreachable, _ := socksServer(t, 4)
	for _, c := range []struct{ name, proxy, want string }{
		{"refuses by its rules", refusing, "connection not allowed by ruleset"},
		{"can't reach the relay", unreachable, "host unreachable"},
		{"never answers", silent.Addr().String(), ""},
		{"is not there", gone.Addr().String(), "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := emulator.New(t)
			a := behind(t, e, c.proxy)
			a.Submit.ConnectTimeout = 500 * time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := deliverOne(ctx, a)
			var failed *submit.Error
			if !errors.As(err, &failed) || !failed.Temporary() || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.proxy) {
				t.Errorf("got %v, want a temporary error that names the proxy and says %q", err, c.want)
			}
			if failed != nil && (!strings.Contains(failed.Advice(), "smtp.proxy") || strings.Contains(failed.Advice(), "firewall")) {
				t.Errorf("the remedy is %q", failed.Advice())
			}
			if len(e.Messages()) != 0 {
				t.Error("the message went around the proxy")
			}
		})
	}
}
