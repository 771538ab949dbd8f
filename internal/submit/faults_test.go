package submit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
)

// run makes a session and sends one message to two recipients, in a bubble with a clock of its own.
func run(t *testing.T, p *peer, cfg Config, msg envelope.Message) (*Session, *Result, *Error, time.Duration) {
	t.Helper()
	start := time.Now()
	s, err := Dial(t.Context(), cfg)
	var res *Result
	if err == nil {
		res, err = s.Send(t.Context(), to("a@x.org", "b@x.org"), msg)
	}
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("not an *Error: %v", err)
	}
	if e != nil {
		checkText(t, p, e)
	}
	return s, res, e, time.Since(start)
}

// checkText holds every error to the rules for errors.
func checkText(t *testing.T, p *peer, e *Error) {
	t.Helper()
	text := e.Error()
	if strings.ContainsAny(text, "\r\n\x1b\x00") || strings.Contains(text, p.token) ||
		!strings.HasPrefix(text, testHost) {
		t.Errorf("error text %q", text)
	}
	if e.Class != e.Diagnosis.Class && e.Phase != PhaseToken {
		t.Errorf("class %v, diagnosis %v", e.Class, e.Diagnosis.Class)
	}
}

// setupSteps are the peer's steps before the first message, with the phase they belong to.
var setupSteps = []struct {
	step  string
	phase Phase
}{
	{"greeting", PhaseGreeting}, {"ehlo1", PhaseEHLO}, {"starttls", PhaseStartTLS}, {"tls", PhaseTLS},
	{"ehlo2", PhaseEHLO}, {"auth", PhaseAuth},
}

func TestSetupFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		answer string
		class  diagnose.Class
		key    string
	}{
		{"drop", diagnose.Temporary, "connection-lost"},
		{"stall", diagnose.Temporary, "timeout"},
		{"421 4.3.2 Service not active", diagnose.Temporary, "service-closing"},
		{"451 4.7.0 Temporary server error. Please try again later.", diagnose.Temporary, ""},
		{"554 5.7.1 no service here", diagnose.Configuration, "session-refused"},
		{"xyz", diagnose.Temporary, "protocol"},
		{"250-a\n251 b", diagnose.Temporary, "protocol"},
		{"299 what?", diagnose.Temporary, "protocol"},
		{"199 what?", diagnose.Temporary, "protocol"},
		{strings.Repeat("250-x\n", 101) + "250 x", diagnose.Temporary, "protocol"},
		{"250 " + strings.Repeat("x", 5000), diagnose.Temporary, "protocol"},
	}
	for _, st := range setupSteps {
		for _, tt := range tests {
			if st.step == "tls" && tt.answer != "drop" && tt.answer != "stall" {
				continue
			}
			t.Run(st.step+" "+printable.Clean(tt.answer)[:3], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPeer(t)
					defer p.end()
					p.answers[st.step] = tt.answer
					_, _, e, took := run(t, p, p.config(), hello)
					if e == nil || e.Phase != st.phase || e.Class != tt.class || tt.key != "" &&
						e.Diagnosis.Key != tt.key {
						t.Fatalf("got %+v (%v)", e, e)
					}
					if took > defaultCommandTimeout {
						t.Errorf("took %v", took)
					}
				})
			})
		}
	}
}

func TestTransactionFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		step, answer string
		phase        Phase
		class        diagnose.Class
		key          string
		usable       bool
	}{
		{"mail", "451 4.7.0 later", PhaseMail, diagnose.Temporary, "other-temporary", true},
		{"mail", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", PhaseMail,
			diagnose.Configuration, "send-as-denied", true},
		{"mail", "drop", PhaseMail, diagnose.Temporary, "connection-lost", false},
		{"mail", "stall", PhaseMail, diagnose.Temporary, "timeout", false},
		{"mail", "421 4.4.1 Connection timed out. Total session duration: 00:20:55", PhaseMail, diagnose.Temporary,
			"service-closing", false},
		{"mail", "235 2.7.0 what?", PhaseMail, diagnose.Temporary, "protocol", false},
		{"mail", "354 what?", PhaseMail, diagnose.Temporary, "protocol", false},
		{"rcpt", "drop", PhaseRcpt, diagnose.Temporary, "connection-lost", false},
		{"rcpt", "stall", PhaseRcpt, diagnose.Temporary, "timeout", false},
		{"rcpt 2", "421 4.3.2 Service not active", PhaseRcpt, diagnose.Temporary, "service-closing", false},
		{"rcpt", "354 what?", PhaseRcpt, diagnose.Temporary, "protocol", false},
		{"data", "451 4.7.0 later", PhaseData, diagnose.Temporary, "other-temporary", true},
		{"data", "554 5.7.1 no", PhaseData, diagnose.Permanent, "other-permanent", true},
		{"data", "250 2.0.0 what?", PhaseData, diagnose.Temporary, "protocol", false},
		{"data", "drop", PhaseData, diagnose.Temporary, "connection-lost", false},
		{"data", "stall", PhaseData, diagnose.Temporary, "timeout", false},
		{"end", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded [Hostname=X]", PhaseBody,
			diagnose.AccountTemporary, "too-many-connections", true},
		{"end", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", PhaseBody,
			diagnose.AccountTemporary, "submission-quota", true},
		{"end", "430 4.2.0 STOREDRV; mailbox logon failure; MapiExceptionLogonFailed", PhaseBody,
			diagnose.Configuration, "mailbox-permission", true},
		{"end", "354 what?", PhaseBody, diagnose.Temporary, "protocol", false},
		{"end", "drop", PhaseBody, diagnose.Temporary, "connection-lost", false},
		{"end", "stall", PhaseBody, diagnose.Temporary, "timeout", false},
	}
	for _, d := range dialects {
		for _, tt := range tests {
			if tt.step == "data" && d.name == "chunking" {
				continue
			}
			step := tt.step
			if step == "end" {
				if step = "dot"; d.name == "chunking" {
					step = "last"
				}
			}
			t.Run(d.name+" "+step+" "+tt.answer[:3], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPeer(t)
					defer p.end()
					p.lines, p.answers[step] = d.lines, tt.answer
					s, res, e, took := run(t, p, p.config(), hello)
					if e == nil || e.Phase != tt.phase || e.Class != tt.class || e.Diagnosis.Key != tt.key {
						t.Fatalf("got %+v (%v)", e, e)
					}
					if took > defaultDataTimeout+time.Second {
						t.Errorf("took %v", took)
					}
					if len(res.Recipients) != 2 || res.Accepted() != 0 || res.Reply.Code != 0 {
						t.Errorf("result %+v", res)
					}
					lost := tt.answer == "drop" || tt.answer == "stall"
					lost = lost || tt.key == "protocol"
					if want := lost && (tt.step == "end" || d.name == "chunking"); e.Uncertain != want {
						t.Errorf("uncertain %v, want %v", e.Uncertain, want)
					}
					if len(p.messages) != 0 && tt.usable || s.Usable() != tt.usable {
						t.Errorf("%d messages arrived, usable %v", len(p.messages), s.Usable())
					}
					afterwards(t, p, s, tt.usable)
				})
			})
		}
	}
}

// afterwards sends another message: it arrives alone and whole if the session goes on,
// and gets an error at once if not.
func afterwards(t *testing.T, p *peer, s *Session, usable bool) {
	t.Helper()
	p.mu.Lock()
	clear(p.answers)
	p.mu.Unlock()
	res, err := s.Send(t.Context(), to("c@x.org"), hello)
	if !usable {
		if err == nil {
			t.Error("sent on a session that is over")
		}
		return
	}
	if err != nil || res.Accepted() != 1 || len(p.messages) != 1 || p.messages[0].data != string(hello) ||
		len(p.messages[0].rcpts) != 1 || p.messages[0].rcpts[0] != "TO:<c@x.org>" {
		t.Errorf("afterwards: %+v, %v; messages %+v", res, err, p.messages)
	}
	s.Close()
}

func TestPartialRecipients(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		for _, all := range []bool{false, true} {
			t.Run(d.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPeer(t)
					defer p.end()
					p.lines = d.lines
					p.answers["rcpt 1"] = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient a@x.org not found"
					p.answers["rcpt 3"] = "452-4.5.3 Too many recipients\n452 4.5.3 for today"
					if all {
						p.answers["rcpt 2"] = "451 4.7.0 later"
					}
					s := dial(t, p.config())
					res, err := s.Send(t.Context(), to("a@x.org", "b@x.org", "c@x.org"), hello)
					if err != nil {
						t.Fatal(err)
					}
					a, b, c := res.Recipients[0].Err, res.Recipients[1].Err, res.Recipients[2].Err
					if a == nil || a.Class != diagnose.Permanent || a.Code != 550 || a.Address != "a@x.org" ||
						a.Enhanced != "5.1.10" {
						t.Errorf("a: %+v", a)
					}
					if (b != nil) != all || b != nil && !b.Temporary() {
						t.Errorf("b: %+v", b)
					}
					if c == nil || c.Diagnosis.Key != "too-many-recipients" || !c.Temporary() ||
						c.Text != "Too many recipients for today" {
						t.Errorf("c: %+v", c)
					}
					want := 1
					if all {
						want = 0
					}
					if len(p.messages) != want {
						t.Fatalf("%d messages", len(p.messages))
					}
					p.messages = nil
					afterwards(t, p, s, true)
				})
			})
		}
	}
}

// TestNobodyWantsIt has a server that says 354 although it took no recipient.
func TestNobodyWantsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		p.lines = []string{"PIPELINING"}
		p.answers["rcpt"] = "550 5.1.10 no"
		p.answers["data"] = "354 go on"
		s := dial(t, p.config())
		res, err := s.Send(t.Context(), to("a@x.org"), hello)
		if err != nil || res.Accepted() != 0 || p.counts["dot"] != 1 || len(p.messages) != 0 {
			t.Fatalf("%+v %v, %v", res, err, p.counts)
		}
		afterwards(t, p, s, true)
	})
}

// TestDrip has servers that send a reply so slowly that each byte is progress.
func TestDrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		cfg := p.config()
		cfg.DialContext = func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				for _, err := server.Write([]byte("220-")); err == nil; _, err = server.Write([]byte("x")) {
					time.Sleep(10 * time.Second)
				}
			}()
			return client, nil
		}
		_, _, e, took := run(t, p, cfg, hello)
		if e == nil || e.Phase != PhaseGreeting || e.Diagnosis.Key != "timeout" || took > defaultCommandTimeout {
			t.Errorf("after %v: %v", took, e)
		}
		time.Sleep(time.Minute) // the server notices
	})
}

// TestStopsReading has a server that takes the connection up to the message and then
// reads no more, early in a large message.
func TestStopsReading(t *testing.T) {
	t.Parallel()
	big := text(strings.Repeat(strings.Repeat("x", 76)+"\r\n", 60000)) // 4.5 MiB
	for _, d := range dialects[:3] {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				defer p.end()
				p.lines = d.lines
				cfg := p.config()
				inner := cfg.DialContext
				cfg.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					c, err := inner(ctx, network, address)
					return &throttled{Conn: c, left: 300 << 10}, err
				}
				_, _, e, took := run(t, p, cfg, big)
				if e == nil || e.Phase != PhaseBody || e.Diagnosis.Key != "timeout" || e.Uncertain ||
					took > 2*defaultCommandTimeout {
					t.Errorf("after %v: %+v", took, e)
				}
			})
		})
	}
}

// TestSlowLink has a link that takes 1 KiB each half minute: slow, but it makes way.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		w := &wire{Conn: client, timeout: defaultCommandTimeout}
		go func() {
			b := make([]byte, 1<<10)
			for _, err := server.Read(b); err == nil; _, err = server.Read(b) {
				time.Sleep(30 * time.Second)
			}
		}()
		start := time.Now()
		w.limitWrites(start.Add(time.Hour))
		if n, err := w.Write(make([]byte, 64<<10)); err != nil || n != 64<<10 {
			t.Errorf("%d bytes in %v: %v", n, time.Since(start), err)
		}
		if n, err := w.Write(make([]byte, 64<<10)); err == nil || time.Since(start) > time.Hour {
			t.Errorf("%d bytes in %v: %v", n, time.Since(start), err)
		}
		w.limitWrites(time.Time{})
		start = time.Now()
		if n, err := w.Write(make([]byte, 64<<10)); err == nil || time.Since(start) != defaultCommandTimeout {
			t.Errorf("without a limit: %d bytes in %v: %v", n, time.Since(start), err)
		}
		client.Close()
		time.Sleep(time.Minute)
	})
}

// throttled stops to take bytes after a number of them.
type throttled struct {
	net.Conn
	left     int
	deadline time.Time
}

func (c *throttled) SetWriteDeadline(t time.Time) error {
	c.deadline = t
	return c.Conn.SetWriteDeadline(t)
}

func (c *throttled) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left > 0 {
		return c.Conn.Write(p)
	}
	time.Sleep(time.Until(c.deadline))
	return 0, os.ErrDeadlineExceeded
}

// TestRefusedEarly has a server that refuses while a large message is under way, and
// either goes on reading, or stops, or closes.
func TestRefusedEarly(t *testing.T) {
	t.Parallel()
	big := text(strings.Repeat(strings.Repeat("x", 76)+"\r\n", 100000)) // 7.5 MiB
	tests := []struct {
		name, step, answer string
		phase              Phase
		key                string
		usable             bool
		within             time.Duration
	}{
		{"sender", "mail", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", PhaseMail,
			"send-as-denied", true, time.Second},
		{"chunk", "bdat", "451 4.7.0 later", PhaseBody, "other-temporary", true, time.Second},
		{"stops", "bdat-early", "552 5.3.4 Message size exceeds fixed maximum message size", PhaseBody,
			"message-too-large", false, giveUpTimeout},
		{"last", "last", "554 5.2.252 SendAsDenied; a@x not allowed to send as b@y", PhaseBody, "send-as-denied", true,
			time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				defer p.end()
				p.answers[tt.step] = tt.answer
				s, res, e, took := run(t, p, p.config(), big)
				if e == nil || e.Phase != tt.phase || e.Diagnosis.Key != tt.key || took > tt.within ||
					res.Accepted() != 0 {
					t.Fatalf("after %v: %+v", took, e)
				}
				if n := p.counts["bdat"] + p.counts["last"]; tt.step != "last" && n > 3 {
					t.Errorf("%d chunks were sent of a message already refused", n)
				}
				if s.Usable() != tt.usable {
					t.Errorf("usable %v", s.Usable())
				}
				afterwards(t, p, s, tt.usable)
			})
		})
	}
}

// TestHeldReplies has a server that answers nothing before it has the whole message and
// then takes its time, as RFC 2920 and RFC 5321 allow it.
func TestHeldReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		p.hold = true
		s := dial(t, p.config())
		defer s.Close()
		for _, m := range []text{hello, text(strings.Repeat("abc\r\n", 1<<20))} {
			if res, err := s.Send(t.Context(), to("a@x.org", "b@x.org"), m); err != nil || res.Accepted() != 2 {
				t.Errorf("%+v, %v", res, err)
			}
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"greeting", "starttls", "tls", "auth", "mail", "last"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				defer p.end()
				p.answers[step] = "stall"
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				start := time.Now()
				s, err := Dial(ctx, p.config())
				if err == nil {
					_, err = s.Send(ctx, to("a@x.org"), hello)
				}
				var e *Error
				if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || e.Diagnosis.Key != "canceled" ||
					time.Since(start) > 3*time.Second {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				if s != nil && s.Usable() {
					t.Error("usable after it was canceled")
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		s := dial(t, p.config())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Send(ctx, to("a@x.org"), hello); !errors.Is(err, context.Canceled) || !s.Usable() {
			t.Errorf("canceled before anything was sent: %v", err)
		}
		afterwards(t, p, s, true)
	})
}

// TestDesync has servers that say more than they were asked.
func TestDesync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		p.answers["last 1"] = "250 2.0.0 OK\n250 2.0.0 OK again"
		s := dial(t, p.config())
		if res, err := s.Send(t.Context(), to("a@x.org"), hello); err != nil || res.Accepted() != 1 {
			t.Fatal(res, err)
		}
		if s.Usable() {
			t.Error("usable although replies and commands no longer match")
		}
		if _, err := s.Send(t.Context(), to("b@x.org"), hello); err == nil {
			t.Error("a reply to nothing was taken for the reply to a message")
		}
	})
}

// TestSourceFails has messages that can't be read or are not what they should be.
func TestSourceFails(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789\r\n", 30000)
	tests := []struct {
		name string
		msg  envelope.Message
	}{
		{"open", source{openErr: errors.New("gone")}},
		{"read", source{text: "abc\r\n", size: 5, readErr: errors.New("broken disk")}},
		{"short", source{text: "abc\r\n", size: 9}},
		{"long", source{text: "abc\r\ndef\r\n", size: 5}},
		{"bare LF", text("abc\ndef\r\n")},
		{"bare CR", text("abc\rdef\r\n")},
		{"CR CR LF", text("abc\r\r\n")},
		{"LF first", text("\nabc\r\n")},
		{"no end", text("abc")},
		{"CR at the end", text("abc\r")},
		{"smuggling", text("abc\r\n\r\n.\nMAIL FROM:<x@y>\r\n")},
		{"late LF", text(long + "x\n" + long)},
		{"late CR", text(long + long + "x\ry\r\n")},
		{"late end", text(long + "x")},
		{"late read", source{text: long, size: len(long) + 7}},
		{"late long", source{text: long + long, size: len(long)}},
	}
	for _, d := range dialects[:3] {
		for _, tt := range tests {
			t.Run(d.name+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPeer(t)
					defer p.end()
					p.lines = d.lines
					_, _, e, _ := run(t, p, p.config(), tt.msg)
					if e == nil || e.Diagnosis.Key != "message-unreadable" || e.Uncertain {
						t.Errorf("got %+v", e)
					}
					synctest.Wait()
					if len(p.messages) > 0 {
						t.Errorf("the server took %q", printable.Clean(p.messages[0].data))
					}
				})
			})
		}
	}
}

type source struct {
	text             string
	size             int
	openErr, readErr error
}

func (s source) Size() int64 { return int64(s.size) }
func (s source) Open() (io.ReadCloser, error) {
	if s.openErr != nil {
		return nil, s.openErr
	}
	r := io.Reader(strings.NewReader(s.text))
	if s.readErr != nil {
		r = io.MultiReader(bytes.NewReader([]byte(s.text[:1])), failing{s.readErr})
	}
	return io.NopCloser(r), nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
