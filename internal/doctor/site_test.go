package doctor

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/intake"
	"o365-sendmail/rfc822"
)

// site is a tenant with a machine that is set up for it in every respect.
type site struct {
	*emulator.Emulator
	t    *testing.T
	dir  string
	o    Options
	text string
}

const otherMailbox = "alerts@contoso.test"

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{Emulator: emulator.New(t), t: t, dir: t.TempDir()}
	s.text = "secret_expires = 2099-01-31\n" + s.ConfigTOML(s.dir) +
		"\n[from]\npolicy = \"keep\"\nsign_in = \"sender\"\nsend_as = [\"" + otherMailbox + "\"]\n" +
		"\n[spool]\ndir = \"" + s.dir + "\"\n\n[agent]\nsocket = \"" + filepath.Join(s.dir, "submit.sock") + "\"\n"
	s.o = Options{
		Config: filepath.Join(s.dir, "config.toml"), HostName: "web1.contoso.test", Version: "test",
		User: host.User{Name: "root"}, Now: time.Now, Timeout: 20 * time.Second, Send: s.send, SendTo: emulator.DefaultRootTo,
		LookupNetIP: func(context.Context, string, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	}
	s.replace("aliases_file", "")
	return s
}

// replace sets a key at the top of the configuration.
func (s *site) replace(key, value string) {
	var out strings.Builder
	out.WriteString(key + " = \"" + value + "\"\n")
	for line := range strings.Lines(s.text) {
		if name, _, _ := strings.Cut(line, "="); strings.TrimSpace(name) != key {
			out.WriteString(line)
		}
	}
	s.text = out.String()
}

func (s *site) without(key string) {
	var out strings.Builder
	for line := range strings.Lines(s.text) {
		if name, _, _ := strings.Cut(line, "="); strings.TrimSpace(name) != key {
			out.WriteString(line)
		}
	}
	s.text = out.String()
}

func (s *site) write() {
	s.t.Helper()
	if s.text == "" {
		return
	}
	if err := os.WriteFile(s.o.Config, []byte(s.text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run writes the configuration, lets an agent answer, and looks.
func (s *site) run() *Report {
	s.t.Helper()
	s.write()
	return Run(s.t.Context(), s.o)
}

// agent answers at the socket as the real one does.
func (s *site) agent() {
	s.t.Helper()
	l, err := net.Listen("unix", filepath.Join(s.dir, "submit.sock"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d := newDialogue(conn, 10*time.Second)
			_, _ = conn.Write([]byte("220 web1.contoso.test ESMTP o365-sendmail\r\n"))
			for {
				line, err := d.br.ReadString('\n')
				if err != nil || strings.HasPrefix(line, "QUIT") {
					conn.Close()
					break
				}
				_, _ = conn.Write([]byte("250 web1.contoso.test\r\n"))
			}
		}
	}()
}

// send is the normal way of a message, without the agent.
func (s *site) send(ctx context.Context, from, to string) (string, error) {
	cfg, err := config.Loader{}.Load(s.o.Config)
	if err != nil {
		return "", err
	}
	a, err := assemble.Account(cfg, assemble.Options{HostName: "web1", Getenv: func(string) string { return "" }})
	if err != nil {
		return "", err
	}
	m, err := rfc822.Read(strings.NewReader("From: "+from+"\nSubject: test\n\nHello.\n"), rfc822.ReadOptions{})
	if err != nil {
		return "", err
	}
	defer m.Close()
	env := &envelope.Envelope{Sender: from, Recipients: []envelope.Recipient{{Address: to}}}
	in := intake.New(cfg, "web1.contoso.test", time.Now, nil)
	if _, err := in.Accept(env, m, intake.Caller{}); err != nil {
		return "", err
	}
	w, err := m.Wire(rfc822.WireOptions{AllowEightBit: true})
	if err != nil {
		return "", err
	}
	res, err := a.Deliver(ctx, env, w)
	if err != nil {
		return "", err
	}
	for _, r := range res.Recipients {
		if r.Err != nil {
			return "", r.Err
		}
	}
	return res.Reply.String(), nil
}

// named lists what the report says is wrong.
func named(rep *Report) []Check {
	var list []Check
	for _, c := range rep.Checks {
		if c.Status == Failed || c.Status == Warning {
			list = append(list, c)
		}
	}
	return list
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.agent()
	rep := s.run()
	if rep.Status != OK || rep.Exit != 0 || rep.Next != "nothing to do" {
		t.Errorf("status %s, exit %d, next %q\n%s", rep.Status, rep.Exit, rep.Next, rep.Text())
	}
	for _, c := range rep.Checks {
		if c.Status != OK && c.Name != "queue" { // the agent here has no queue
			t.Errorf("%s", c.Line())
		}
	}
	if n := len(s.Messages()); n != 2 {
		t.Errorf("%d messages arrived, want one from each sender", n)
	}
	t.Log("\n" + rep.Text())
}

func TestNothingIsSent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.agent()
	s.o.SendTo = ""
	if rep := s.run(); rep.Status != OK || rep.Exit != 0 {
		t.Errorf("%s", rep.Text())
	}
	if n := len(s.Messages()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

// TestConsentJustGranted: the message of a second look signs in with the token that the look
// has fetched, not with the one that the first look left in the cache.
func TestConsentJustGranted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.SetFault("consent-missing"); err != nil {
		t.Fatal(err)
	}
	s.run()
	if err := s.ClearFault("consent-missing"); err != nil {
		t.Fatal(err)
	}
	r := s.run()
	if c := r.Find("message", ""); c == nil || c.Status != OK {
		t.Errorf("message: %+v", c)
	}
}

// TestNoIPv6: a machine that has no IPv6 at all, as many virtual machines and containers, has no fault.
func TestNoIPv6(t *testing.T) {
	t.Parallel()
	for _, refusal := range []syscall.Errno{syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT} {
		s := newSite(t)
		s.o.LookupNetIP = func(context.Context, string, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.IPv6Loopback(), netip.MustParseAddr("127.0.0.1")}, nil
		}
		s.o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "[") {
				return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", refusal)}
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		s.write()
		rep := Run(context.Background(), s.o)
		for _, name := range []string{"login-ipv6", "smtp-ipv6"} {
			if c := rep.Find(name, ""); c == nil || c.Status != OK || !strings.Contains(c.Seen, "has no IPv6") {
				t.Errorf("%v: %s: %+v", refusal, name, c)
			}
		}
	}
}
