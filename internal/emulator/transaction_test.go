package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// TestOrder: commands out of order, and what is wrong with their arguments.
func TestOrder(t *testing.T) {
	t.Parallel()
	e := emulator.New(t, func(o *emulator.Options) { o.State = func(s *emulator.State) { s.Exchange.MaxErrors = 0 } })
	c := dial(t, e)
	c.read()
	c.want("503 5.5.2 Send hello first", "MAIL FROM:<a@contoso.test>")
	c.want("503 5.5.2 Send hello first", "RCPT TO:<a@contoso.test>")
	c.want("503 5.5.2 Send hello first", "DATA")
	for _, bad := range []string{"EHLO", "EHLO ", "EHLO a b", "EHLO -a", "EHLO [1.2.3]", "EHLO a..b", "EHLO [IPv6:x]"} {
		c.want("501 5.5.4 Invalid domain name", "%s", bad)
	}
	for _, good := range []string{"EHLO a", "HELO a.b", "EHLO [192.0.2.1]", "EHLO [IPv6:2001:db8::1]", "ehlo a_b"} {
		c.want("250", "%s", good)
	}
	c.want("501", "STARTTLS now")
	c = signedIn(t, e)
	c.want("503 5.5.2 Need mail command", "RCPT TO:<a@example.test>")
	c.want("503 5.5.2 Need mail command", "DATA")
	for _, bad := range []string{
		"MAIL", "MAIL FROM", "MAIL FROM: <a@b.test>", "MAIL FROM:a@b.test", "MAIL FROM:<a@b.test",
		"MAIL FROM:<a@b.test>x", "MAIL TO:<a@b.test>",
		"MAIL FROM:<a@b.test> SIZE=x", "MAIL FROM:<a@b.test> SIZE=-1", "MAIL FROM:<a@b.test> SIZE=1 SIZE=1",
		"MAIL FROM:<a@b.test> BODY=9BIT",
		"MAIL FROM:<a@b.test> RET=ALL", "MAIL FROM:<a@b.test> ENVID=a+b", "MAIL FROM:<a@b.test> ENVID=",
		"MAIL FROM:<a@b.test> FOO=1",
	} {
		c.want("501 5.5.4", "%s", bad)
	}
	for _, bad := range []string{"a", "@b.test", "a@", "a b@c.test", "a..b@c.test", "a@b_c.test", "ü@b.test",
		"a@b..test"} {
		c.want("501 5.1.7 Invalid address", "MAIL FROM:<%s>", bad)
	}
	c.want("552 5.3.4 Message size exceeds fixed maximum message size", "MAIL FROM:<%s> SIZE=157286401", e.Mailbox)
	c.want("250 2.1.0", "MAIL FROM:<%s> SIZE=157286400 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1 SMTPUTF8 AUTH=<>", e.Mailbox)
	c.want("503 5.5.2 Sender already specified", "MAIL FROM:<%s>", e.Mailbox)
	c.want("503 5.5.2", "AUTH XOAUTH2")
	c.want("503 5.5.2 Need rcpt command", "DATA")
	for _, bad := range []string{"<a@b.test> NOTIFY=NEVER,DELAY", "<a@b.test> NOTIFY=DELAY,DELAY", "<a@b.test> NOTIFY=",
		"<a@b.test> ORCPT=a@b.test", "<a@b.test> ORCPT=rfc822;a=b", "<a@b.test> X=1", " <a@b.test>"} {
		c.want("501 5.5.4", "RCPT TO:%s", bad)
	}
	c.want("501 5.1.3 Invalid address", "RCPT TO:<root>")
	c.want("501 5.1.3 Invalid address", "RCPT TO:<>")
	c.want("250", `RCPT TO:<"a> b"@example.test> NOTIFY=success,failure ORCPT=rfc822;a+2Bb@example.test`)
	c.want("250", "RCPT TO:<ü@exämple.test>")
	c.want("550 5.1.10", "RCPT TO:<Reject-me@example.test>")
	c.want("451 4.7.0", "RCPT TO:<tempfail-me@example.test>")
	c.want("354", "DATA")
	c.write(message(e) + ".\r\n")
	c.read()
	m := e.Messages()[0]
	if m.EnvID != "QQ+1" || m.Ret != "HDRS" || m.Body != "8BITMIME" || !m.SMTPUTF8 || m.Envelope.Size != 157286400 {
		t.Errorf("envelope: %+v", m.Envelope)
	}
	if r := m.Recipients[0]; len(m.To) != 2 || r.Address != `"a> b"@example.test` || r.Notify != "SUCCESS,FAILURE" ||
		r.ORcpt != "rfc822;a+b@example.test" {
		t.Errorf("recipients: %+v", m.Recipients)
	}
	c.want("250", "MAIL FROM:<>")
	c.want("250", "RSET")
	c.want("503 5.5.2 Need mail command", "RCPT TO:<a@example.test>")
	c.want("503 5.5.2 Already authenticated", "AUTH XOAUTH2")
	c.write("NOOP\n")
	if got := c.read(); !strings.HasPrefix(got, "500 5.3.3 Unrecognized command 'a line without CRLF'"[:30]) {
		t.Errorf("bare LF: %q", got)
	}
	c.write("NOOP " + strings.Repeat("x", 70000) + "\r\n")
	if got := c.read(); !strings.HasPrefix(got, "500 5.5.2 Line too long") {
		t.Errorf("long line: %q", got)
	}
}

func TestTooManyErrors(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := dial(t, e)
	c.read()
	for range 10 {
		c.want("500", "TURN")
	}
	if got := c.read(); !strings.HasPrefix(got, "421 4.7.0 Too many errors on this connection") {
		t.Errorf("%q", got)
	}
}

// TestPipelining sends a whole transaction in one flight.
func TestPipelining(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := signedIn(t, e)
	text := message(e)
	for i := range 3 {
		c.write(fmt.Sprintf("MAIL FROM:<%s> SIZE=%d\r\nRCPT TO:<a@example.test>\r\nRCPT "+
			"TO:<reject-b@example.test>\r\nBDAT %d LAST\r\n%s", e.Mailbox, len(text), len(text), text))
		for _, want := range []string{"250 2.1.0", "250 2.1.5", "550 5.1.10", "250 2.0.0 OK"} {
			if got := c.read(); !strings.HasPrefix(got, want) {
				t.Fatalf("%q, want %s", got, want)
			}
		}
		m := e.Messages()[i]
		// The first: connect, banner, EHLO, STARTTLS, TLS, EHLO, 334, 235, message.
		if want := []int64{9, 1, 1}[i]; m.Trips != want || m.AtOnce != 3 || m.Ordinal != i+1 || m.Chunks != 1 {
			t.Errorf("message %d: %d round trips, want %d: %+v", i+1, m.Trips, want, m)
		}
	}
	c.want("221", "QUIT")
}

func TestBDAT(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := signedIn(t, e)
	begin := func(params string) {
		t.Helper()
		c.want("250", "MAIL FROM:<%s>%s", e.Mailbox, params)
		c.want("250", "RCPT TO:<a@example.test>")
	}
	chunk := func(want, size, data string) {
		t.Helper()
		c.write("BDAT " + size + "\r\n" + data)
		if got := c.read(); !strings.HasPrefix(got, want) {
			t.Errorf("BDAT %s: %q, want %s", size, got, want)
		}
	}
	text := strings.ReplaceAll(message(e), "hello\r\n", "..\r\n.\r\n") // no dot means anything here
	begin("")
	chunk("250 2.6.0", "10", text[:10])
	chunk("250 2.6.0", "0", "")
	chunk("250 2.6.0", fmt.Sprint(len(text)-11), text[10:len(text)-1])
	c.want("503", "DATA")
	c.want("503", "RCPT TO:<b@example.test>")
	chunk("250 2.0.0 OK <1@example.test>", "1 LAST", text[len(text)-1:])
	begin(" BODY=BINARYMIME")
	c.want("503", "DATA")
	chunk("250 2.6.0", fmt.Sprint(len(text)), text)
	chunk("250 2.0.0 OK", "0 last", "")
	chunk("503 5.5.2 Need mail command", "4 LAST", "QUIT")
	c.want("250", "MAIL FROM:<%s>", e.Mailbox)
	chunk("503 5.5.2 Need rcpt command", "4 LAST", "QUIT")
	c.want("250", "RSET")
	e.Update(func(s *emulator.State) { s.Exchange.Size = 100 })
	begin("")
	chunk("552 5.3.4", "101", strings.Repeat("x", 101))
	chunk("503 5.5.2", "1", "x")
	chunk("503 5.5.2", "1 LAST", "x")
	c.want("250", "RSET")
	if m := e.Messages(); len(m) != 2 || string(m[0].Data) != text || string(m[1].Data) != text || m[0].Chunks != 4 {
		t.Errorf("messages: %+v", m)
	}
	chunk("501", "x", "")
	if s, err := c.tryRead(); err == nil {
		t.Errorf("after a chunk of unknown size: %q", s)
	}
}

// TestContent is what the form of a message may not be.
func TestContent(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := signedIn(t, e)
	head := "From: " + e.Mailbox + "\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@a.test>\r\n"
	from := func(f string) string { return strings.Replace(head, "From: "+e.Mailbox, f, 1) + "\r\nx\r\n" }
	for _, tc := range []struct{ name, text, params, want string }{
		{"good", head + "\r\nx\r\n", "", "250 2.0.0 OK <1@a.test> "},
		{"no body", head, "", "250"},
		{"bare LF", head + "\r\nx\ny\r\n", "", "550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal"},
		{"bare LF in header", head + "X: y\nZ: a\r\n\r\n", "", "550 5.6.11"},
		{"bare CR", head + "\r\nx\ry\r\n", "", "550 5.6.11"},
		{"CR CR LF", head + "\r\nx\r\r\n", "", "550 5.6.11"},
		{"smuggled dot", head + "\r\nx\n.\r\nMAIL FROM:<a@b.test>\r\n", "", "550 5.6.11"},
		{"NUL", head + "\r\nx\x00\r\n", "", "554 5.6.0 Message contains NUL"},
		{"998", head + "\r\n" + strings.Repeat("x", 998) + "\r\n", "", "250"},
		{"999", head + "\r\n" + strings.Repeat("x", 999) + "\r\n", "", "554 5.6.0 Line of 999 octets"},
		{"8 bit", head + "\r\n\xc3\xbc\r\n", "", "554 5.6.1 Body has octets over 127"},
		{"8 bit declared", head + "\r\n\xc3\xbc\r\n", " BODY=8BITMIME", "250"},
		{"8 bit header", head + "Subject: \xc3\xbc\r\n\r\nx\r\n", " BODY=8BITMIME", "554 5.6.7"},
		{"8 bit header declared", head + "Subject: \xc3\xbc\r\n\r\nx\r\n", " SMTPUTF8", "250"},
		{"header size", head + strings.Repeat("X: "+strings.Repeat("y", 900)+"\r\n", 300) + "\r\nx\r\n", "",
			"552 5.3.4 Header size exceeds fixed maximum size"},
		{"folded From", from("From: Noreply\r\n <" + e.Mailbox + ">"), "", "250"},
		{"alias in capitals", from("From: <NOREPLY@Contoso.test>"), "", "250"},
		{"no From", from("X-From: " + e.Mailbox), "", "550 5.7.512"},
		{"two From", from("From: " + e.Mailbox + "\r\nFrom: " + e.Mailbox), "", "550 5.7.512"},
		{"From is no address", from("From: root"), "", "550 5.7.512"},
		{"unquoted @ in display name", from("From: root@web1 <" + e.Mailbox + ">"), "", "550 5.7.512"},
		{"quoted @ in display name", from("From: \"root@web1\" <" + e.Mailbox + ">"), "", "250"},
		{"many addresses", from("From: " + e.Mailbox + ", " + e.Mailbox), "",
			"550 5.1.20 Multiple From addresses are not allowed without Sender address"},
		{"many with Sender", from("From: " + e.Mailbox + ", " + e.Mailbox + "\r\nSender: " + e.Mailbox), "", "250"},
		{"another From", from("From: <alerts@contoso.test>"), "",
			"554 5.2.252 SendAsDenied; noreply@contoso.test not allowed to send as alerts@contoso.test; " +
				"STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; "},
		{"another Sender", from("From: " + e.Mailbox + "\r\nSender: root@web1.test"), "",
			"554 5.2.252 SendAsDenied; noreply@contoso.test not allowed to send as root@web1.test; "},
	} {
		c.want("250", "MAIL FROM:<%s>%s", e.Mailbox, tc.params)
		c.want("250", "RCPT TO:<a@example.test>")
		c.want("354", "DATA")
		c.write(tc.text + ".\r\n")
		if got := c.read(); !strings.HasPrefix(got, tc.want) ||
			!strings.HasSuffix(got, " [Hostname=AM0PR00MB0001.eurprd00.prod.outlook.com]") {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestSendAs(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := signedIn(t, e)
	text := strings.Replace(message(e), "<"+e.Mailbox+">", "<alerts@contoso.test>", 1)
	send := func(from, want string) {
		t.Helper()
		c.want("250", "MAIL FROM:<%s>", from)
		c.want("250", "RCPT TO:<a@example.test>")
		c.want("354", "DATA")
		c.write(text + ".\r\n")
		if got := c.read(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	send(e.Mailbox, "554 5.2.252")
	e.Update(func(s *emulator.State) { s.Exchange.ShortSendAsDenied = true })
	send(e.Mailbox, "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; ")
	// The trustee must be the mailbox that signed in.
	e.Update(func(s *emulator.State) {
		s.Mailbox("alerts@contoso.test").SendAs[e.Mailbox] = &emulator.Grant{}
		s.Exchange.ShortSendAsDenied = false
	})
	send(e.Mailbox, "250")
	send("", "250")
	send("it@contoso.test", "554 5.2.252 SendAsDenied; noreply@contoso.test not allowed to send as it@contoso.test; ")
	e.Update(func(s *emulator.State) { s.Strict.Sender = false })
	send("it@contoso.test", "250")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	clk := newClock()
	e := emulator.New(t, withClock(clk), func(o *emulator.Options) {
		o.State = func(s *emulator.State) {
			s.Limits.PerMinute, s.Limits.RecipientsPerDay, s.Limits.Recipients = 2, 5, 2
			s.Entra.ExpiresIn = 90000
		}
	})
	c := signedIn(t, e)
	want := func(prefix string) {
		t.Helper()
		if got := c.send(message(e)); !strings.HasPrefix(got, prefix) {
			t.Errorf("%q, want %q", got, prefix)
		}
	}
	want("250")
	want("250")
	c.want("250", "MAIL FROM:<%s>", e.Mailbox)
	c.want("250", "RCPT TO:<a@example.test>")
	c.want("250", "RCPT TO:<b@example.test>")
	c.want("452 4.5.3 Too many recipients", "RCPT TO:<c@example.test>")
	c.want("250", "RSET")
	c.want("250", "MAIL FROM:<%s>", e.Mailbox)
	c.want("250", "RCPT TO:<a@example.test>")
	c.want("354", "DATA")
	c.write(message(e) + ".\r\n")
	if got := c.read(); !strings.HasPrefix(got, "421 4.4.2 Message submission rate for this client has exceeded the "+
		"configured limit") {
		t.Errorf("%q", got)
	}
	clk.add(time.Minute)
	c = signedIn(t, e)
	want("250")
	want("250")
	clk.add(time.Minute)
	want("250")
	want("554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException")
	clk.add(24*time.Hour - 2*time.Minute)
	want("250")
	e.ForgetSent()
	e.Update(func(s *emulator.State) { s.Limits.PerMinute, s.Limits.DelayPerMinute = 1, true })
	want("250")
	c.want("250", "MAIL FROM:<%s>", e.Mailbox)
	c.want("250", "RCPT TO:<a@example.test>")
	c.want("354", "DATA")
	c.write(message(e) + ".\r\n")
	_ = c.conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if got, err := c.tryRead(); err == nil {
		t.Errorf("not held back: %q", got)
	}
}

func TestConnectionsAt(t *testing.T) {
	t.Parallel()
	e := emulator.New(t, func(o *emulator.Options) {
		o.State = func(s *emulator.State) { s.Limits.Connections, s.Limits.ConnectionsAt = 1, "auth" }
	})
	access := token(t, e)
	one, two := secure(t, e), secure(t, e)
	if got := one.auth(e.Mailbox, access); !strings.HasPrefix(got, "235") {
		t.Error(got)
	}
	if got := two.auth(e.Mailbox, access); !strings.HasPrefix(got, "432 4.3.2 Concurrent connections") {
		t.Error(got)
	}
	e.Update(func(s *emulator.State) { s.Limits.ConnectionsAt, s.Limits.OldConnectionText = "mail", true })
	if got := two.auth(e.Mailbox, access); !strings.HasPrefix(got, "235") {
		t.Error(got)
	}
	two.want("432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded [Hostname=", "MAIL FROM:<%s>", e.Mailbox)
	one.want("221", "QUIT") // and the connection may stay open
	two.want("250", "MAIL FROM:<%s>", e.Mailbox)
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	e := emulator.New(t, func(o *emulator.Options) {
		o.State = func(s *emulator.State) { s.Exchange.IdleTimeout = emulator.Duration(20 * time.Millisecond) }
	})
	c := dial(t, e)
	c.read()
	if got := c.read(); !strings.HasPrefix(got, "451 4.7.0 Timeout waiting for client input") {
		t.Errorf("idle: %q", got)
	}
	e.Update(func(s *emulator.State) {
		s.Exchange.IdleTimeout, s.Exchange.SessionAge = emulator.Duration(time.Minute),
			emulator.Duration(20*time.Millisecond)
	})
	c = dial(t, e)
	c.read()
	if got := c.read(); !strings.HasPrefix(got, "421 4.4.1 Connection timed out. Total session duration: 00:00:00") {
		t.Errorf("age: %q", got)
	}
}

func TestTarpit(t *testing.T) {
	t.Parallel()
	e := emulator.New(t, func(o *emulator.Options) {
		o.State = func(s *emulator.State) { s.Exchange.Tarpit = emulator.Duration(30 * time.Millisecond) }
	})
	c := secure(t, e)
	start := time.Now()
	if got := c.auth(e.Mailbox, "x.y.z"); !strings.HasPrefix(got, "535 5.7.3 ") ||
		time.Since(start) < 30*time.Millisecond {
		t.Errorf("%q after %v", got, time.Since(start))
	}
}

func TestRevokedAndExpiredTokens(t *testing.T) {
	t.Parallel()
	clk := newClock()
	e := emulator.New(t, withClock(clk))
	other := emulator.New(t)
	access := token(t, e)
	c := secure(t, e)
	refused := func(token string) {
		t.Helper()
		if got := c.auth(e.Mailbox, token); !strings.HasPrefix(got, "535 5.7.3 Authentication unsuccessful [") {
			t.Errorf("%q", got)
		}
	}
	refused(token(t, other)) // signed by the same key, but not ours
	refused(access[:len(access)-4] + "AAAA")
	refused("opaque")
	clk.add(time.Hour)
	refused(access)
	access = token(t, e)
	e.RevokeTokens()
	refused(access)
	for _, bad := range []string{"!", "dXNlcj1h", blob("", access), blob(e.Mailbox, "")} {
		c.want("334 ", "AUTH XOAUTH2")
		c.want("535 5.7.3", "%s", bad)
		c = secure(t, e)
	}
	c.want("334 ", "AUTH XOAUTH2")
	c.want("501", "*")
	if got := c.auth(e.Mailbox, token(t, e)); !strings.HasPrefix(got, "235") {
		t.Error(got)
	}
}

func TestLargeMessage(t *testing.T) {
	t.Parallel()
	for _, opts := range []func(*emulator.Options){
		func(*emulator.Options) {},
		func(o *emulator.Options) { o.Dir = t.TempDir() },
		func(o *emulator.Options) { o.KeepBodies = true },
	} {
		e := emulator.New(t, opts)
		text := message(e) + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 40000)
		if got := signedIn(t, e).send(text); !strings.HasPrefix(got, "250") {
			t.Fatal(got)
		}
		m := e.Messages()[0]
		if m.Octets != int64(len(text)) || len(m.SHA256) != 64 {
			t.Errorf("%d octets, want %d", m.Octets, len(text))
		}
		r, err := m.Open()
		if m.Path == "" && m.Data == nil {
			if err == nil {
				t.Error("a message that was not kept can be opened")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
}

func TestWaitMessages(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := signedIn(t, e)
	done := make(chan error)
	go func() {
		_, err := e.WaitMessages(ctx(t), 2)
		done <- err
	}()
	c.send(message(e))
	c.send(message(e))
	if err := <-done; err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(ctx(t))
	cancel()
	if m, err := e.WaitMessages(ended, 3); !errors.Is(err, context.Canceled) || len(m) != 2 {
		t.Errorf("%d messages, %v", len(m), err)
	}
	go func() {
		_, err := e.WaitMessages(ctx(t), 3)
		done <- err
	}()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("no error after Close")
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	e, err := emulator.Start(emulator.Options{IPv6: true})
	if err != nil {
		t.Skipf("no IPv6 loopback here: %v", err)
	}
	defer e.Close()
	c := dialAt(t, e, "::1")
	if got := c.read(); !strings.HasPrefix(got, "220") {
		t.Error(got)
	}
}

// TestRace has many clients at once, with the state changing under them.
func TestRace(t *testing.T) {
	t.Parallel()
	e := emulator.New(t, func(o *emulator.Options) { o.State = func(s *emulator.State) { s.Limits.Connections = 0 } })
	const clients, each = 8, 5
	done := make(chan string)
	for range clients {
		go func() {
			c := signedIn(t, e)
			for range each {
				if got := c.send(message(e)); !strings.HasPrefix(got, "250") {
					done <- got
					return
				}
			}
			done <- c.cmd("QUIT")[:3]
		}()
	}
	for range 20 {
		e.Update(func(s *emulator.State) { s.Entra.RefreshIn++ })
		_ = e.SetFault("token-large")
		_ = e.ClearFaults()
		e.Stats()
		e.Transcript()
	}
	for range clients {
		if got := <-done; got != "221" {
			t.Error(got)
		}
	}
	if n := len(e.Messages()); n != clients*each {
		t.Errorf("%d messages, want %d", n, clients*each)
	}
	if st := e.Stats(); st.MaxConcurrent > clients || st.SignIns != clients {
		t.Errorf("stats: %+v", st)
	}
}
