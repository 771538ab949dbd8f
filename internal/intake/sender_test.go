package intake

import (
	"strings"
	"testing"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

// TestKeep: the policy "keep" gives a domain to a bare name, and changes no other sender.
func TestKeep(t *testing.T) {
	t.Parallel()
	joe := User{Name: "joe", UID: "1000"}
	for _, c := range []struct{ name, sender, header, envelope, from string }{
		{"no -f", "joe", "From: joe\n", "noreply@contoso.com", "joe@shop.example"},
		{"no -f, through the agent", "joe@web1", "From: joe\n", "noreply@contoso.com", "joe@shop.example"},
		{"no From", "joe", "X: y\n", "noreply@contoso.com", "joe@shop.example"},
		{"a name with -f", "list", "From: joe\n", "list@shop.example", "joe@shop.example"},
		{"a name with -f, through the agent", "list@web1", "From: joe\n", "list@shop.example", "joe@shop.example"},
		{"private", "list@web1.lan", "From: joe@web1.lan\n", "list@web1.lan", "joe@web1.lan"},
		{"null", "", "From: joe@shop.example\n", "", "joe@shop.example"},
	} {
		in := newIntake(func(c *config.Config) {
			c.From.Policy, c.From.Domain = PolicyKeep, "shop.example"
			c.From.HostName = "web1"
		})
		in.senderHost = "shop.example" // as from.domain has it; without that key the machine's /etc/mailname is asked
		env, m := to("a@example.org"), read(t, c.header+"\nx\n")
		env.Sender = c.sender
		if _, err := in.Accept(env, m, Caller{User: joe}); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if from, _ := m.Header.Get("From"); from != c.from || env.Sender != c.envelope ||
			m.Header.Has("Auto-Submitted") {
			t.Errorf("%s: envelope %q, From %q, want %q, %q", c.name, env.Sender, from, c.envelope, c.from)
		}
	}
}

// TestASCIIDomains: domains leave as A-labels, those of the configuration among them.
func TestASCIIDomains(t *testing.T) {
	t.Parallel()
	in := newIntake(func(c *config.Config) {
		c.From.SendAs = []string{"*@müller.example"}
		c.Aliases["boss"] = []string{"chef@müller.example"}
	})
	env := to("info@MÜLLER.example", "boss")
	m := read(t, "From: x@müller.example\nTo: info@müller.example, x@\u00fc--\u0301.example\n\nx\n")
	env.Sender = "bounce@müller.example"
	if _, err := in.Accept(env, m, Caller{}); err != nil {
		t.Fatal(err)
	}
	for _, r := range env.Recipients {
		if !strings.HasSuffix(r.Address, "@xn--mller-kva.example") {
			t.Errorf("recipient %s", r.Address)
		}
	}
	from, _ := m.Header.Get("From")
	shown, _ := m.Header.Get("To")
	first, _, _ := strings.Cut(shown, ",")
	if from != "x@xn--mller-kva.example" || env.Sender != from || first != "info@xn--mller-kva.example" {
		t.Errorf("envelope %s, From %s, To %s", env.Sender, from, shown)
	}
	for _, addr := range []string{"x@\u00fc--\u0301.example", "x@\u00ad.example", "x@a\u200c.example",
		"\u201cx@a.example\u201d", "x@a.example\u3001"} {
		env := &envelope.Envelope{Sender: addr, Recipients: []envelope.Recipient{{Address: "a@example.org"}}}
		if _, err := in.Accept(env, read(t, "X: y\n\n"), Caller{}); sysexits.Code(err, 0) != sysexits.DataErr {
			t.Errorf("sender %q: %v", addr, err)
		}
		if _, err := in.Resolve(addr, false); sysexits.Code(err, 0) != sysexits.DataErr {
			t.Errorf("recipient %q: %v", addr, err)
		}
	}
}

// TestNote: what was guessed is noted, without the text of the message.
func TestNote(t *testing.T) {
	t.Parallel()
	var notes []string
	note := func(s string) { notes = append(notes, s) }
	for _, from := range []string{"Doe, John <john@shop.example>", "John Doe <john@shop.example>"} {
		m := read(t, "From: "+from+"\n\nx\n")
		if _, err := newIntake(nil).Accept(to("a@example.org"), m, Caller{Note: note}); err != nil {
			t.Fatal(err)
		}
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "john@shop.example") || strings.Contains(notes[0], "Doe") {
		t.Errorf("notes %q", notes)
	}
}
