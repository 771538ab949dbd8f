package submit

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/printable"
)

// TestTLSRefused has servers that nobody should sign in to.
func TestTLSRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		with  func(t *testing.T, p *peer, c *Config)
		phase Phase
		key   string
	}{
		{"wrong name", func(t *testing.T, p *peer, _ *Config) {
			p.tls.Certificates[0] = p.ca.issue(t, "other.test", time.Hour)
		}, PhaseTLS, "certificate"},
		{"expired", func(t *testing.T, p *peer, _ *Config) {
			p.tls.Certificates[0] = p.ca.issue(t, testHost, -time.Minute)
		}, PhaseTLS, "certificate"},
		{"other authority", func(t *testing.T, p *peer, _ *Config) {
			p.tls.Certificates[0] = newAuthority(t).issue(t, testHost, time.Hour)
		}, PhaseTLS, "certificate"},
		{"self-signed", func(t *testing.T, p *peer, _ *Config) {
			a := newAuthority(t)
			p.tls.Certificates[0] = tls.Certificate{Certificate: [][]byte{a.cert.Raw}, PrivateKey: a.key}
		}, PhaseTLS, "certificate"},
		{"TLS 1.1", func(_ *testing.T, p *peer, _ *Config) {
			p.tls.MinVersion, p.tls.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		}, PhaseTLS, "tls-version"},
		{"TLS 1.2 where 1.3 is asked for", func(_ *testing.T, p *peer, c *Config) {
			p.tls.MaxVersion, c.MinVersion = tls.VersionTLS12, tls.VersionTLS13
		}, PhaseTLS, "tls-version"},
		{"a minimum below 1.2 counts as 1.2", func(_ *testing.T, p *peer, c *Config) {
			p.tls.MinVersion, p.tls.MaxVersion, c.MinVersion = tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS10
		}, PhaseTLS, "tls-version"},
		{"STARTTLS stripped", func(_ *testing.T, p *peer, _ *Config) { p.noTLS = true }, PhaseStartTLS,
			"starttls-not-offered"},
		{"reply injected", func(_ *testing.T, p *peer, _ *Config) { p.inject = "250 AUTH XOAUTH2\r\n" }, PhaseStartTLS,
			"starttls-injection"},
		{"half a reply injected", func(_ *testing.T, p *peer, _ *Config) { p.inject = "2" }, PhaseStartTLS,
			"starttls-injection"},
		{"no TLS at all", func(_ *testing.T, p *peer, _ *Config) { p.answers["tls"] = "250 fine, go on\r\n" }, PhaseTLS,
			"tls"},
		{"no XOAUTH2", func(_ *testing.T, p *peer, _ *Config) { p.noAuth = true }, PhaseAuth, "xoauth2-not-offered"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				defer p.end()
				cfg := p.config()
				tt.with(t, p, &cfg)
				_, _, e, _ := run(t, p, cfg, hello)
				if e == nil || e.Phase != tt.phase || e.Diagnosis.Key != tt.key {
					t.Errorf("got %+v", e)
				}
				for _, l := range p.said() {
					if strings.HasPrefix(l, "AUTH") || strings.HasPrefix(l, "MAIL") {
						t.Errorf("went on with %q", printable.Clean(l))
					}
				}
			})
		})
	}
}

// TestTLS12 and a cache of tickets: the second connection resumes.
func TestTLSResumption(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		p := newPeer(t)
		p.tls.MaxVersion = version
		cfg := p.config()
		cfg.SessionCache = tls.NewLRUClientSessionCache(1)
		for i := range 2 {
			s := dial(t, cfg)
			state := s.conn.(*tls.Conn).ConnectionState()
			if state.Version != version || state.DidResume != (i == 1) {
				t.Errorf("connection %d: version %x, resumed %v", i, state.Version, state.DidResume)
			}
			if _, err := s.Send(t.Context(), to("a@x.org"), hello); err != nil {
				t.Error(err)
			}
			s.Close()
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	challenge := base64.StdEncoding.EncodeToString([]byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`))
	long := strings.Repeat("t", 8<<10)
	tests := []struct {
		name    string
		with    func(p *peer, c *Config)
		key     string // "" for success
		refresh bool
		says    string   // must be in the error
		log     []string // commands after the second EHLO, up to MAIL
	}{
		{"one line", func(*peer, *Config) {}, "", false, "", []string{"AUTH XOAUTH2 *"}},
		{"8 KiB", func(p *peer, _ *Config) { p.token = long }, "", false, "", []string{"AUTH XOAUTH2 *"}},
		{"12 KiB", func(p *peer, _ *Config) { p.token = long + long[:4<<10] }, "", false, "", []string{"AUTH XOAUTH2"}},
		{"two steps by the letter", func(_ *peer, c *Config) { c.InitialResponseLimit = 30 }, "", false, "",
			[]string{"AUTH XOAUTH2"}},
		{"line too long", func(p *peer, _ *Config) { p.answers["auth-inline"] = "500 5.5.6 line too long" }, "", false,
			"", []string{"AUTH XOAUTH2 *", "AUTH XOAUTH2"}},
		{"wrong token", func(p *peer, c *Config) { c.User = "other@contoso.com" }, "sign-in-refused", true, "535 5.7.3",
			[]string{"AUTH XOAUTH2 *"}},
		{"challenge", func(p *peer, _ *Config) { p.answers["challenge"] = challenge }, "sign-in-refused", true,
			`"schemes":"Bearer"`, []string{"AUTH XOAUTH2 *"}},
		{"challenge in two steps",
			func(p *peer, c *Config) { p.answers["challenge"] = challenge; c.InitialResponseLimit = 30 },
			"sign-in-refused", true, `"schemes":"Bearer"`, []string{"AUTH XOAUTH2"}},
		{"challenge that is none", func(p *peer, _ *Config) { p.answers["challenge"] = "%%%" }, "sign-in-refused", true,
			"not an error", []string{"AUTH XOAUTH2 *"}},
		{"challenge repeats the token", func(p *peer,
			_ *Config) {
			p.answers["challenge"] = base64.StdEncoding.EncodeToString([]byte(p.token))
		}, "sign-in-refused", true, redacted, []string{"AUTH XOAUTH2 *"}},
		{"reply repeats the token", func(p *peer, _ *Config) { p.answers["auth"] = "535 5.7.3 not " + p.token },
			"sign-in-refused", true, redacted, []string{"AUTH XOAUTH2 *"}},
		{"two steps refused at once", func(p *peer, c *Config) {
			c.InitialResponseLimit = 30
			p.answers["auth-bare"] = "504 5.7.4 Unrecognized authentication type"
		}, "mechanism-refused", false, "504", []string{"AUTH XOAUTH2"}},
		{"token is not sendable", func(_ *peer, c *Config) {
			c.Token = func(context.Context) (string, error) { return "a\r\nMAIL FROM:<>", nil }
		}, "token", false, "can be sent", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				defer p.end()
				cfg := p.config()
				tt.with(p, &cfg)
				_, _, e, took := run(t, p, cfg, hello)
				if (e == nil) != (tt.key == "") {
					t.Fatalf("got %v", e)
				}
				if e != nil && (e.Diagnosis.Key != tt.key || e.Diagnosis.RefreshToken != tt.refresh ||
					!strings.Contains(e.Error(), tt.says)) {
					t.Errorf("got %v, %+v", e, e.Diagnosis)
				}
				if took > 0 {
					t.Errorf("took %v", took)
				}
				var said []string
				for _, l := range p.said() {
					if !strings.HasPrefix(l, "AUTH") {
						continue
					}
					if len(l) > len("AUTH XOAUTH2") {
						l = "AUTH XOAUTH2 *"
					}
					said = append(said, l)
				}
				if strings.Join(said, ",") != strings.Join(tt.log, ",") {
					t.Errorf("said %q, want %q", said, tt.log)
				}
			})
		})
	}
}

// tokenFailure knows of itself whether an administrator has to act.
type tokenFailure struct{ configuration bool }

func (f tokenFailure) Error() string       { return "AADSTS7000215: invalid client secret" }
func (f tokenFailure) Configuration() bool { return f.configuration }

// TestErrands has a token and roots that come late or not at all.
func TestErrands(t *testing.T) {
	t.Parallel()
	t.Run("overlap", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			defer p.end()
			cfg := p.config()
			slow := func() { time.Sleep(2 * time.Second) }
			cfg.Token = func(context.Context) (string, error) { slow(); return p.token, nil }
			cfg.RootCAs, cfg.LoadTrust = nil, func() (Trust, error) { slow(); return pool{p.ca.pool}, nil }
			inner := cfg.DialContext
			cfg.DialContext = func(ctx context.Context, n, a string) (net.Conn,
				error) {
				slow()
				return inner(ctx, n, a)
			}
			s, _, e, took := run(t, p, cfg, hello)
			if e != nil || took != 2*time.Second {
				t.Errorf("after %v: %v", took, e)
			}
			s.Close()
		})
	})
	for _, configuration := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			defer p.end()
			p.answers["greeting"] = "stall"
			cfg := p.config()
			cfg.Token = func(context.Context) (string, error) {
				time.Sleep(time.Second)
				return "", tokenFailure{configuration}
			}
			_, _, e, took := run(t, p, cfg, hello)
			var f tokenFailure
			if e == nil || e.Phase != PhaseToken || e.Configuration() != configuration ||
				e.Temporary() == configuration || !errors.As(e, &f) || took != time.Second {
				t.Errorf("after %v: %+v", took, e)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		cfg := p.config()
		cfg.RootCAs, cfg.LoadTrust = nil, func() (Trust, error) { return nil, errors.New("no bundle") }
		_, _, e, _ := run(t, p, cfg, hello)
		synctest.Wait() // the peer may still take note of the connection's end
		if e == nil || !e.Configuration() || !strings.Contains(e.Error(), "no bundle") || p.counts["auth"] > 0 {
			t.Errorf("roots: %v", e)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		p.answers["greeting"] = "554 5.7.1 not you"
		cfg := p.config()
		cfg.Token = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		if _, _, e, _ := run(t, p, cfg, hello); e == nil || e.Phase != PhaseGreeting || e.Code != 554 {
			t.Errorf("refused while the token is asked for: %v", e)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	token := func(context.Context) (string, error) { return "t", nil }
	for _, c := range []Config{{}, {Host: "h", User: "u"}, {Host: "h", Token: token},
		{Host: "h", Token: token, User: "a\x01auth=Bearer b"}, {Host: "h", Token: token, User: "a\nb"}} {
		_, err := Dial(t.Context(), c)
		var e *Error
		if !errors.As(err, &e) || e.Class != diagnose.Configuration {
			t.Errorf("%+v: %v", c, err)
		}
	}
	c, err := Config{Host: "h", Token: token, User: "u@x"}.withDefaults()
	if err != nil || c.Port != 587 || c.MinVersion != tls.VersionTLS12 || c.CommandTimeout != time.Minute ||
		c.DataTimeout != 10*time.Minute {
		t.Errorf("defaults: %+v, %v", c, err)
	}
}

func TestEHLOName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "client.test", "web-1.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]",
		strings.Repeat("a", 63) + ".b"} {
		if ehloName(name, nil) != name {
			t.Errorf("%q was not taken", name)
		}
	}
	v4 := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1}
	for _, name := range []string{"", "a b", "a\r\nMAIL FROM:<x@y>", "-a", "a-", "a..b", ".a", "a.", "a_b", "ü.de", "[",
		"[]", "[a b]", strings.Repeat("a", 64), strings.Repeat("a.", 128) + "b"} {
		if got := ehloName(name, v4); got == name || !validEHLOName(got) {
			t.Errorf("%q became %q", name, got)
		}
	}
	if got := ehloLiteral(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}); got != "[IPv6:fe80::1]" {
		t.Errorf("IPv6 literal %q", got)
	}
	if got := ehloLiteral(v4); got != "[192.0.2.7]" {
		t.Errorf("IPv4 literal %q", got)
	}
	if got := ehloLiteral(nil); got != "[127.0.0.1]" {
		t.Errorf("no address: %q", got)
	}
}

// TestPipelineAuth signs in along with the first message.
func TestPipelineAuth(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg := p.tcpConfig(t)
	cfg.PipelineAuth = true
	var trace []string
	cfg.Trace = func(_ byte, line string) { trace = append(trace, line) }
	s := dial(t, cfg)
	for range 2 {
		if res, err := s.Send(t.Context(), to("a@x.org"), hello); err != nil || res.Accepted() != 1 {
			t.Fatal(err)
		}
	}
	s.Close()
	if p.turns != 6 || p.counts["auth"] != 1 || len(p.messages) != 2 {
		t.Errorf("%d turns for the connection and two messages, want 6", p.turns)
	}
	if strings.Contains(strings.Join(trace, "\n"), p.token) ||
		!strings.Contains(strings.Join(trace, "\n"), "AUTH XOAUTH2 [redacted]") {
		t.Errorf("trace %q", trace)
	}
	for _, name := range []string{"wrong token", "challenge"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				defer p.end()
				cfg := p.config()
				cfg.PipelineAuth = true
				if name == "challenge" {
					p.answers["challenge"] = base64.StdEncoding.EncodeToString([]byte(`{"status":"401"}`))
				} else {
					p.answers["auth"] = "535 5.7.3 Authentication unsuccessful"
				}
				s, _, e, _ := run(t, p, cfg, hello)
				if e == nil || e.Phase != PhaseAuth || !e.Diagnosis.RefreshToken || e.Uncertain || s.Usable() {
					t.Errorf("got %+v", e)
				}
			})
		})
	}
}

func TestCloseSaysQuit(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	s := newSession(Config{Host: testHost, CommandTimeout: time.Second}, client)
	s.wire.lazy = false
	said := make(chan string)
	go func() { b, _ := io.ReadAll(server); said <- string(b) }()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := <-said; got != "QUIT\r\n" || s.Usable() {
		t.Errorf("said %q", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
