package deliver

import (
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/notify"
	"o365-sendmail/rfc822"
)

// TestEightBitArrivesWhole: what is damaged as 8-bit text arrives whole when the parts are encoded.
func TestEightBitArrivesWhole(t *testing.T) {
	t.Parallel()
	em := emulator.New(t)
	if err := em.SetFault("8bit-damaged"); err != nil {
		t.Fatal(err)
	}
	a := testAccount(em, t.TempDir(), time.Now)
	head := "From: " + em.Mailbox + "\nTo: user@example.com\nDate: Tue, 01 Jan 2030 00:00:00 +0000\nMessage-ID: " +
		"<x@test>\nSubject: x\n"
	text := head + "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\n" +
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ngr\u00fc\u00dfe an alle " +
		"hier\n\n--b--\n"
	for name, c := range map[string]struct {
		o    rfc822.WireOptions
		want string
	}{
		"as it is":      {rfc822.WireOptions{AllowEightBit: true}, "gr????e"},
		"encoded parts": {rfc822.WireOptions{AllowEightBit: true, EncodeParts: true}, "gr=C3=BC=C3=9Fe"},
		"all encoded":   {rfc822.WireOptions{}, "gr=C3=BC=C3=9Fe"},
	} {
		m, err := rfc822.Read(strings.NewReader(text), rfc822.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wire, err := m.Wire(c.o)
		if err != nil {
			t.Fatal(err)
		}
		env := testEnvelope(em.Mailbox)
		env.EightBit = wire.EightBit()
		if _, err := a.Deliver(t.Context(), env, wire); err != nil {
			t.Fatal(name, err)
		}
		got := em.Messages()
		if last := string(got[len(got)-1].Data); !strings.Contains(last, c.want) {
			t.Errorf("%s: %s", name, last)
		}
		m.Close()
	}
}

// TestEightBitIsEncodedForTheServer: 8-bit text leaves in ASCII when the server does not offer 8BITMIME, from the
// queue, too; what a signature covers is returned.
func TestEightBitIsEncodedForTheServer(t *testing.T) {
	t.Parallel()
	without := func(s *emulator.State) { s.Exchange.Without = append(s.Exchange.Without, "8BITMIME") }
	text := func(from, subject, kind string) notify.Text {
		head, _, _ := strings.Cut(string(testMessage(from, subject)), "\r\n\r\n")
		return notify.Text(head + "\r\nMIME-Version: 1.0\r\nContent-Type: " + kind + "\r\nContent-Transfer-Encoding: " +
			"8bit\r\n\r\n" +
			"--b\r\n\r\nfor all of you here: gr\u00fc\u00dfe\r\n--b--\r\n")
	}
	r := newRig(t, rigOptions{emulator: without})
	put := func(subject, kind string) {
		env := testEnvelope(r.em.Mailbox)
		env.EightBit = true
		if _, err := r.sp.Put(t.Context(), metaOf(env), env, text(r.em.Mailbox, subject, kind)); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		put("plain", "text/plain; charset=utf-8")
	}
	put("parts", "multipart/mixed; boundary=b")
	put("signed", "multipart/signed; boundary=b; protocol=\"application/pgp-signature\"")
	a := testAccount(r.em, t.TempDir(), time.Now)
	env := testEnvelope(r.em.Mailbox)
	env.EightBit = true
	if _, err := a.Deliver(t.Context(), env, text(r.em.Mailbox, "direct", "text/plain; charset=utf-8")); err != nil {
		t.Error(err)
	}
	if !env.EightBit {
		t.Error("the caller's envelope was changed")
	}
	r.run()
	r.untilEmpty()
	if got := r.subjects(); got["plain"] != 20 || got["parts"] != 1 || got["direct"] != 1 || got["signed"] != 0 {
		t.Errorf("arrived: %v", got)
	}
	for _, m := range r.em.Messages() {
		if data := string(m.Data); subjectIn(data) != "" && strings.Contains(data, "for all of you") &&
			!strings.Contains(data, "gr=C3=BC=C3=9Fe") {
			t.Errorf("arrived as %s", data)
		}
	}
	if !strings.Contains(r.log.String(), "8bitmime-not-offered") && !strings.Contains(r.log.String(), "8-bit") {
		t.Error("nothing is said of the signed one")
	}
}
