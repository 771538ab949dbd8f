package queueview

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestManualExamples: what mailq(1) and o365-sendmail(8) show of the queue is what these messages look like.
func TestManualExamples(t *testing.T) {
	t.Parallel()
	full := "smtp.office365.com: the recipient's mailbox is full; it answered RCPT with 452 4.2.2 Mailbox full"
	one := message(func(m *Message) { m.Sender, m.Recipients[0].Address = "noreply@contoso.com", "it@contoso.com" })
	two := message(func(m *Message) {
		m.ID, m.UID, m.Size, m.Arrived = "20260304095500-4f1c20b7a9d83e65", 0, 512, now.Add(-5*time.Minute)
		m.Sender = "noreply@contoso.com"
	})
	tried := *two
	tried.State, tried.Reason, tried.Tries = Deferred, full, 1
	st := Status{Agent: true, Mailbox: "noreply@contoso.com", Stops: []Stop{{Mailbox: "noreply@contoso.com", Hold: true,
		Key: "x", Reason: "smtp.office365.com: SMTP AUTH is switched off for the mailbox; it answered AUTH XOAUTH2 with " +
			"535 5.7.139 Authentication unsuccessful", Remedy: "Set-CASMailbox -Identity noreply@contoso.com " +
			"-SmtpClientAuthenticationDisabled $false", Since: now.Add(-time.Hour), Next: now.Add(4 * time.Minute), Tries: 12}}}
	var out bytes.Buffer
	l := NewList(&out, &Explainer{Now: now, Status: st})
	l.Width = 80
	l.User = func(uid int) string { return map[int]string{0: "root", 33: "www-data"}[uid] }
	for _, m := range []*Message{one, two} {
		_ = l.Add(m)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	shows(t, "mailq.1", out.String())
	out.Reset()
	b := &Board{Changes: &out}
	st.Stops = nil
	b.Status(st, now)
	b.Message(one, now)
	b.Status(st, now)
	b.Message(two, now.Add(time.Second))
	b.Message(&tried, now.Add(2*time.Second))
	b.Gone(one.ID, now.Add(9*time.Second))
	shows(t, "o365-sendmail.8", out.String())
}

// shows reports an example that a manual page lacks.
func shows(t *testing.T, page, example string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer(`\-`, "-", `\&`, "", `\e`, `\`).Replace(string(text))
	if !strings.Contains(plain, "literal\n"+example+".Ed\n") {
		t.Errorf("%s does not show:\n%s", page, example)
	}
}
