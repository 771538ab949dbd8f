package smtpd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"o365-sendmail/internal/envelope"
)

// purse is an EnvelopeBudget of so many bytes.
type purse struct{ size, taken, drops int64 }

func (p *purse) Take(n int64) error {
	if p.taken+n > p.size {
		return errors.New("no room")
	}
	p.taken += n
	return nil
}

func (p *purse) Drop() { p.taken, p.drops = 0, p.drops+1 }

// TestRecipientMemory: a recipient counts with all of its command; one for which there is no room is refused for now, or
// with the whole message if this program's own client names it; the next transaction begins with nothing.
func TestRecipientMemory(t *testing.T) {
	t.Parallel()
	long := func(i int) string {
		return fmt.Sprintf("RCPT TO:<v%d@example.org> ORCPT=rfc822;%s@example.org\r\n", i, strings.Repeat("x", 2000))
	}
	source := "RCPT TO:<@" + strings.Repeat("x", 3000) + ":v@example.org>\r\n"
	for _, c := range []struct{ name, mail, rest, codes string }{
		{"others' client", "", long(1) + long(2) + "RSET\r\nMAIL FROM:<a@example.org>\r\n" + long(3) + "QUIT\r\n",
			"250 250 250 452 250 250 250 221"},
		{"our client", " " + envelope.RecipientsKeyword, long(1) + long(2) + long(3) + "NOOP\r\n", "250 250 250 421"},
		{"a message between", "", long(1) + "DATA\r\nA: 1\r\n\r\n.\r\nMAIL FROM:<a@example.org>\r\n" + long(3) +
			"QUIT\r\n", "250 250 250 354 250 250 250 221"},
		{"source routes", "", source + source + "QUIT\r\n", "250 250 250 452 221"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &purse{size: 5000}
			ours, theirs := net.Pipe()
			done := make(chan struct{})
			go func() {
				defer close(done)
				Serve(t.Context(), NewConn(theirs, Timeouts{}), Options{Host: "web1", Handler: &recorder{},
					ExitCode: exitCode, MaxRecipients: 100, MaxOwnRecipients: 1000, TempDir: t.TempDir(), Envelope: p})
			}()
			go func() {
				_, _ = io.WriteString(ours, "EHLO x\r\nMAIL FROM:<a@example.org>"+c.mail+"\r\n"+c.rest)
			}()
			codes, all := replies(t, ours)
			_ = ours.Close()
			<-done
			if !strings.HasSuffix(codes, c.codes) {
				t.Errorf("%s\n%s", codes, all)
			}
			if p.taken != 0 || p.drops == 0 {
				t.Errorf("%d bytes are kept", p.taken)
			}
		})
	}
}
