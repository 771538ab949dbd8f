package deliver

import (
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
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
	head := "From: " + em.Mailbox + "\nTo: user@example.com\nDate: Tue, 01 Jan 2030 00:00:00 +0000\nMessage-ID: <x@test>\nSubject: x\n"
	text := head + "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\n" +
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ngr\u00fc\u00dfe an alle hier\n\n--b--\n"
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
