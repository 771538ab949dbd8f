package agent

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
)

// host makes a host that hands its mail to the relay and shows it a certificate. extra is added to [smtp].
func (s *relaySite) host(t *testing.T, cert tls.Certificate, extra string) *site {
	t.Helper()
	dir := t.TempDir()
	h := &site{t: t, dir: dir, Emulator: s.Emulator, config: filepath.Join(dir, "config.toml"),
		socket: filepath.Join(dir, "run", "submit.sock"), reload: make(chan os.Signal, 1)}
	h.put("host.pem", pemOf("CERTIFICATE", cert.Certificate[0]))
	h.put("host.key", keyPEM(t, cert))
	h.put("ca.pem", s.ca.pem())
	addr, port, _ := net.SplitHostPort(s.addr)
	h.write(fmt.Sprintf("kind = \"relay\"\nmailbox = %q\naliases_file = \"\"\n[smtp]\nhost = %q\nport = %s\n"+
		"server_name = \"relay.example.org\"\n%s[tls]\nca_file = %q\n[credential]\ncertificate_file = %q\nkey_file = %q\n"+
		"[cache]\ndir = %q\n[log]\nto = %q\n[spool]\ndir = %q\nkeep_free = \"0B\"\n[agent]\nsocket = %q\n"+
		"drain_timeout = \"5s\"\nprobe_interval = \"1s\"\n", s.Mailbox, addr, port, extra, h.dir+"/ca.pem", h.dir+"/host.pem",
		h.dir+"/host.key", h.dir+"/cache", h.dir+"/log", h.dir+"/spool", h.socket))
	return h
}

// TestRelayed: mail of a host arrives by the relay as it does from the relay's own host, and no token is asked for.
func TestRelayed(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"starttls", "implicit"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := newRelaySite(t, "tls = \""+way+"\"\n")
			s.start()
			h := s.host(t, s.ca.client(nil), "tls = \""+way+"\"\n")
			h.start()
			body := "From: " + s.Mailbox + "\r\nTo: a@example.org\r\nMessage-ID: <1@example.org>\r\n" +
				"Date: Mon, 30 Nov 2026 10:00:00 +0000\r\nSubject: caf\xc3\xa9\r\nMIME-Version: 1.0\r\n" +
				"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
				"caf\xc3\xa9\r\n.dot\r\n" + strings.Repeat("0123456789abcdef\r\n", 20000)
			env := func() *envelope.Envelope {
				e := to("a@example.org", "hidden@example.org", "ren\u00e9@example.org")
				e.Sender, e.Ret, e.EnvID = s.Mailbox, "HDRS", "id+1"
				e.Recipients[0].Notify, e.Recipients[0].ORcpt = envelope.NotifyFailure, "rfc822;first@example.org"
				return e
			}
			for i, from := range []*site{s.site, h} {
				if _, err := from.send(env(), envelope.Options{}, body); err != nil {
					t.Fatal(err)
				}
				s.arrived(i + 1)
			}
			all := s.Messages()
			local, relayed := all[0], all[1]
			if got, want := withoutTrace(relayed.Data), withoutTrace(local.Data); got != want {
				t.Errorf("it came as\n%.600q\nand not as\n%.600q", got, want)
			}
			if got, want := asked(relayed), asked(local); got != want {
				t.Errorf("envelope %s, want %s", got, want)
			}
			if tokens := strings.Count(h.log(), "token"); tokens > 0 {
				t.Errorf("the host speaks of tokens\n%s", h.log())
			}
			if _, err := os.Stat(h.dir + "/cache/token"); err == nil {
				t.Error("there is a token")
			}
		})
	}
}

// asked is what the envelope asks for.
func asked(m emulator.Message) string {
	return fmt.Sprintf("%s %+v body=%s ret=%s envid=%s utf8=%v", m.From, m.Recipients, m.Body, m.Ret, m.EnvID, m.SMTPUTF8)
}

// withoutTrace is a message without the fields that name its way.
func withoutTrace(data []byte) string {
	head, body, _ := strings.Cut(string(data), "\r\n\r\n")
	head = strings.ReplaceAll(strings.ReplaceAll(head, "\r\n ", " "), "\r\n\t", " ")
	var kept []string
	for _, line := range strings.Split(head, "\r\n") {
		if !strings.HasPrefix(line, "Received:") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\r\n") + "\r\n\r\n" + body
}

// TestRelayedRefusals: a host whose certificate is refused keeps its mail, says why and what to do, and sends it with
// the next certificate; without a spool its caller hears of it.
func TestRelayedRefusals(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	s.start()
	old := s.ca.client(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	h := s.host(t, old, "")
	h.start()
	if _, err := h.send(to("a@example.org"), envelope.Options{}, "Subject: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	h.until("the hold", func() bool {
		return strings.Contains(h.log(), "expired on ") && strings.Contains(h.log(), "status=held") &&
			strings.Contains(h.log(), "credential.certificate_file")
	})
	c, err := config.Loader{Getenv: os.Getenv}.Load(h.config)
	if err != nil {
		t.Fatal(err)
	}
	a, err := assemble.Account(c, assemble.Options{HostName: "web1", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Deliver(t.Context(), to("a@example.org"), message{"Subject: x\r\n\r\n"})
	if code := deliver.ExitCode(err); code != 78 || !strings.Contains(err.Error(), "does not take this host's certificate") {
		t.Errorf("%d %v", code, err)
	}
	next := s.ca.client(nil)
	h.put("host.key", keyPEM(t, next))
	h.put("host.pem", pemOf("CERTIFICATE", next.Certificate[0]))
	s.arrived(1)
}

// TestRelayedList: when the relay can't tell who is revoked, its administrator is named.
func TestRelayedList(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	s.put("clients.crl", s.ca.list(time.Now().Add(-time.Minute)))
	s.start()
	c, err := config.Loader{Getenv: os.Getenv}.Load(s.host(t, s.ca.client(nil), "").config)
	if err != nil {
		t.Fatal(err)
	}
	a, err := assemble.Account(c, assemble.Options{HostName: "web1", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Deliver(t.Context(), to("a@example.org"), message{"Subject: x\r\n\r\n"})
	if code := deliver.ExitCode(err); code != 78 || !strings.Contains(err.Error(), "out of date since") ||
		!strings.Contains(err.Error(), "the relay's administrator renews") {
		t.Errorf("%d %v", code, err)
	}
	if _, err := a.Token(t.Context()); deliver.ExitCode(err) != 78 {
		t.Errorf("a token: %v", err)
	}
}

// TestRelayedWithoutRelay: while the relay is away a host accepts mail, and sends it by itself when the relay is back.
func TestRelayedWithoutRelay(t *testing.T) {
	t.Parallel()
	s := newRelaySite(t, "")
	h := s.host(t, s.ca.client(nil), "")
	h.start()
	const messages = 5
	for range messages {
		if _, err := h.send(to("a@example.org"), envelope.Options{}, "Subject: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	h.until("the fault", func() bool { return strings.Contains(h.log(), "can't be reached") })
	s.start()
	s.arrived(messages)
	h.until("an empty queue", func() bool { return h.queued() == 0 })
	if n := len(s.Messages()); n != messages {
		t.Errorf("%d messages", n)
	}
}
