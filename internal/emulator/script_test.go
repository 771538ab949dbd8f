package emulator_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// script adds one rule.
func script(t testing.TB, e *emulator.Emulator, rules ...emulator.Rule) {
	t.Helper()
	if err := e.Script(rules...); err != nil {
		t.Fatal(err)
	}
}

// TestScriptStages replies 451 once at each stage and sees it there.
func TestScriptStages(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	access := token(t, e)
	const reply = "451 4.9.9 scripted"
	run := func(stage string) string {
		c := dial(t, e)
		defer func() { c.conn.Close() }()
		var got string
		step := func(at, line string) bool {
			if line != "" {
				c.write(line + "\r\n")
			}
			got = c.read()
			return at != stage
		}
		_ = step("connect", "") && step("ehlo", "EHLO a.test") && step("starttls", "STARTTLS")
		if strings.HasPrefix(got, "4") {
			return got
		}
		if err := c.handshake(nil); err != nil {
			t.Fatal(err)
		}
		c.cmd("EHLO a.test")
		_ = step("auth", "AUTH XOAUTH2 "+blob(e.Mailbox, access)) && step("noop", "NOOP") && step("unknown", "TURN") &&
			step("mail", "MAIL FROM:<"+e.Mailbox+">") && step("rcpt", "RCPT TO:<a@example.test>") &&
			step("rset", "RSET")
		if strings.HasPrefix(got, "4") {
			return got
		}
		c.cmd("MAIL FROM:<%s>", e.Mailbox)
		c.cmd("RCPT TO:<a@example.test>")
		if !step("data", "DATA") || !step("dot", message(e)+".") {
			return got
		}
		c.cmd("MAIL FROM:<%s>", e.Mailbox)
		c.cmd("RCPT TO:<a@example.test>")
		_ = step("bdat", "BDAT 5\r\nabc") && step("quit", "QUIT")
		return got
	}
	for _, stage := range []string{"connect", "ehlo", "starttls", "auth", "noop", "unknown", "mail", "rcpt", "rset",
		"data", "dot", "bdat", "quit"} {
		script(t, e, emulator.Rule{Stage: stage, Reply: reply, First: 1})
		if got := run(stage); got != reply {
			t.Errorf("%s: %q", stage, got)
		}
		if r := e.Rules(); len(r) != 1 {
			t.Errorf("rules: %+v", r)
		}
		e.ClearScript()
	}
	if n := len(e.Messages()); n != 2 { // of the runs for bdat and quit
		t.Errorf("%d messages", n)
	}
}

func TestScriptCounting(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := signedIn(t, e)
	noops := func(r emulator.Rule) string {
		r.Stage, r.Reply = "noop", "450 no"
		script(t, e, r)
		defer e.ClearScript()
		var b strings.Builder
		for range 8 {
			b.WriteByte(c.cmd("NOOP")[0])
		}
		return b.String()
	}
	for _, tc := range []struct {
		rule emulator.Rule
		want string
	}{
		{emulator.Rule{}, "44444444"},
		{emulator.Rule{First: 2}, "44222222"},
		{emulator.Rule{After: 3}, "22244444"},
		{emulator.Rule{After: 3, First: 2}, "22244222"},
		{emulator.Rule{Every: 3}, "22422422"},
		{emulator.Rule{After: 1, Every: 2}, "22424242"},
		{emulator.Rule{Match: "NOOP"}, "44444444"},
		{emulator.Rule{Match: "QUIT"}, "22222222"},
	} {
		if got := noops(tc.rule); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.rule, got, tc.want)
		}
	}
	if err := e.Script(emulator.Rule{Stage: "nowhere"}); err == nil {
		t.Error("an unknown stage is no error")
	}
	if err := e.Script(emulator.Rule{Stage: "mail", Then: "explode"}); err == nil {
		t.Error("an unknown end is no error")
	}
}

func TestScriptText(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	script(t, e,
		emulator.Rule{Stage: "ehlo", Reply: "250-odd.example.test\n250-STARTTLS\n250 SIZE 5"},
		emulator.Rule{Stage: "mail", Reply: "250 fine"},
		emulator.Rule{Stage: "rcpt", Match: "b@", Reply: "550 5.1.1 no b"},
	)
	c := dial(t, e)
	c.read()
	if got := c.cmd("EHLO a.test"); got != "250-odd.example.test\n250-STARTTLS\n250 SIZE 5" {
		t.Errorf("%q", got)
	}
	c.startTLS(nil)
	c.cmd("EHLO a.test")
	c.want("530", "MAIL FROM:<x>") // a rule changes the words, not the rules
	c.auth(e.Mailbox, token(t, e))
	if got := c.cmd("MAIL FROM:<%s>", e.Mailbox); got != "250 fine" {
		t.Errorf("%q", got)
	}
	c.want("250 2.1.5", "RCPT TO:<a@example.test>")
	c.want("550 5.1.1 no b", "RCPT TO:<b@example.test>")
	c.want("354", "DATA")
	c.write(message(e) + ".\r\n")
	c.read()
	if m := e.Messages(); len(m) != 1 || len(m[0].To) != 1 {
		t.Errorf("messages: %+v", m)
	}
}

func TestScriptEnds(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := signedIn(t, e)
	script(t, e, emulator.Rule{Stage: "noop", Then: emulator.Close})
	c.write("NOOP\r\n")
	if s, err := c.tryRead(); err == nil {
		t.Errorf("close: %q", s)
	}
	e.ClearScript()

	c = signedIn(t, e)
	script(t, e, emulator.Rule{Stage: "noop", Then: emulator.Reset, Reply: "250 before"})
	if got := c.cmd("NOOP"); got != "250 before" {
		t.Errorf("reset: %q", got)
	}
	if _, err := c.tryRead(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %v", err)
	}
	e.ClearScript()

	c = signedIn(t, e)
	script(t, e, emulator.Rule{Stage: "noop", Then: emulator.Stall})
	c.write("NOOP\r\n")
	_ = c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if s, err := c.tryRead(); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("stall: %q, %v", s, err)
	}
	e.ClearScript()

	// The message is taken, and the reply lost.
	c = signedIn(t, e)
	script(t, e, emulator.Rule{Stage: "dot", Then: emulator.Close, Keep: true})
	c.want("250", "MAIL FROM:<%s>", e.Mailbox)
	c.want("250", "RCPT TO:<a@example.test>")
	c.want("354", "DATA")
	c.write(message(e) + ".\r\n")
	if s, err := c.tryRead(); err == nil {
		t.Errorf("keep: %q", s)
	}
	if n := len(e.Messages()); n != 1 {
		t.Errorf("keep: %d messages", n)
	}
}

func TestScriptDelayAndDrip(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := signedIn(t, e)
	script(t, e, emulator.Rule{Stage: "noop", Delay: 30 * time.Millisecond, First: 1})
	start := time.Now()
	c.want("250", "NOOP")
	if d := time.Since(start); d < 30*time.Millisecond {
		t.Errorf("delay: %v", d)
	}
	script(t, e, emulator.Rule{Stage: "connect", Drip: time.Millisecond, First: 1})
	d := dial(t, e)
	start = time.Now()
	if got := d.read(); !strings.HasPrefix(got, "220") ||
		time.Since(start) < time.Duration(len(got)/2)*time.Millisecond {
		t.Errorf("drip: %q in %v", got, time.Since(start))
	}
}

// TestCuts ends connections at each of many bytes, in both directions.
func TestCuts(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	for _, n := range []int64{1, 10, 50} {
		script(t, e, emulator.Rule{Stage: "wire", Out: n, First: 1})
		c := dial(t, e)
		if b, err := io.ReadAll(c.conn); err != nil || int64(len(b)) != n {
			t.Errorf("out %d: %q, %v", n, b, err)
		}
		e.ClearScript()
	}
	for n, replies := range map[int64]int{5: 1, 13: 1, 14: 2} { // "EHLO a.test\r\n" has 13 bytes
		script(t, e, emulator.Rule{Stage: "wire", In: n, First: 1})
		c := dial(t, e)
		c.write("EHLO a.test\r\n")
		got := 0
		for {
			if _, err := c.tryRead(); err != nil {
				break
			}
			if got++; got == 2 {
				c.write("QUIT\r\n")
			}
		}
		if got != replies {
			t.Errorf("in %d: %d replies, want %d", n, got, replies)
		}
		e.ClearScript()
	}
	// Far into TLS, with a stall: the client's own deadline ends it.
	script(t, e, emulator.Rule{Stage: "wire", In: 3000, Then: emulator.Stall, First: 1})
	c := secure(t, e)
	_ = c.conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = io.WriteString(c.conn, "AUTH XOAUTH2 "+blob(e.Mailbox, strings.Repeat("x", 4000))+"\r\n")
	if s, err := c.tryRead(); err == nil {
		t.Errorf("stall in TLS: %q", s)
	}
}

func TestScriptedTLS(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	try := func(r emulator.Rule) error {
		r.Stage, r.First = "tls", 1
		script(t, e, r)
		defer e.ClearScript()
		c := dial(t, e)
		c.read()
		c.cmd("EHLO a.test")
		c.want("220", "STARTTLS")
		return c.handshake(nil)
	}
	if err := try(emulator.Rule{Delay: 20 * time.Millisecond}); err != nil {
		t.Error(err)
	}
	if err := try(emulator.Rule{Drip: time.Millisecond / 10}); err != nil {
		t.Error(err)
	}
	if err := try(emulator.Rule{Reply: "220 what?\r\n"}); err == nil {
		t.Error("no error for a handshake in plain text")
	}
	if err := try(emulator.Rule{Then: emulator.Close}); err == nil {
		t.Error("no error for a closed connection")
	}
}

func TestScriptedHTTP(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	script(t, e, emulator.Rule{Stage: "token", Status: 429, Body: "Too Many Requests",
		Header: map[string]string{"Retry-After": "60", "Content-Type": "text/plain"}, First: 1})
	a := post(t, e, e.TokenURL(), secretForm(e))
	if a.Status != 429 || a.Raw != "Too Many Requests" || a.Header.Get("Retry-After") != "60" {
		t.Errorf("%+v", a)
	}
	token(t, e)
	if n := e.TokenRequests(); n != 2 {
		t.Errorf("%d token requests", n)
	}
}

func TestRuleJSON(t *testing.T) {
	t.Parallel()
	in := emulator.Rule{Stage: "mail", Reply: "450 x", Delay: 1500 * time.Millisecond, First: 2}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"stage":"mail","first":2,"reply":"450 x","delay":"1.5s"}`; string(b) != want {
		t.Errorf("%s, want %s", b, want)
	}
	var out emulator.Rule
	if err := json.Unmarshal(b, &out); err != nil || out.Delay != in.Delay || out.Stage != in.Stage ||
		out.First != in.First {
		t.Errorf("%+v, %v", out, err)
	}
}
