package smtpreply

import (
	"errors"
	"strings"
	"testing"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

// TestRoundTrip: what the agent answers gives the client the exit code that the agent had.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	seen := map[Status]int{}
	for exit := sysexits.Usage; exit <= sysexits.Config; exit++ {
		s := StatusOf(exit)
		if got := ExitCode(s.Code, s.EnhancedText()); got != exit {
			t.Errorf("exit code %d becomes %v and then %d", exit, s, got)
		}
		if other, ok := seen[s]; ok {
			t.Errorf("exit codes %d and %d have the same status %v", exit, other, s)
		}
		seen[s] = exit
		if s.Enhanced[0] != s.Code/100 {
			t.Errorf("%v: the classes differ", s)
		}
	}
	if StatusOf(1) != StatusOf(sysexits.Software) {
		t.Error("an unknown exit code is no fault of the program")
	}
}

func TestForeignReplies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code     int
		enhanced string
		exit     int
	}{
		{421, "4.3.2", sysexits.TempFail}, {421, "", sysexits.TempFail}, {452, "4.5.3", sysexits.TempFail},
		{552, "5.3.4", sysexits.DataErr}, {500, "5.5.2", sysexits.Protocol}, {502, "5.5.1", sysexits.Protocol},
		{550, "5.1.10", sysexits.NoUser}, {554, "5.6.11", sysexits.DataErr}, {550, "5.7.64", sysexits.NoPerm},
		{554, "", sysexits.Unavailable}, {550, "5.2.0", sysexits.Unavailable},
	} {
		if got := ExitCode(c.code, c.enhanced); got != c.exit {
			t.Errorf("%d %s: exit code %d, want %d", c.code, c.enhanced, got, c.exit)
		}
	}
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	lines := []string{
		RefusedLine(`"a> 1 <b"@c.example`, sysexits.NoUser, errors.New("no such user\r\n250 fake")),
		RefusedLine("x@y.example", sysexits.Unavailable, errors.New(strings.Repeat("é", 3000))),
		ReceiptLine(envelope.Receipt{Queued: true, QueueID: "20261125-1"}),
	}
	for _, l := range lines {
		if strings.ContainsAny(l, "\r\n") || len(l) > maxReason+100 {
			t.Errorf("line %.80q of %d bytes", l, len(l))
		}
	}
	r := ParseReceipt(lines)
	if !r.Queued || r.QueueID != "20261125-1" || len(r.Refused) != 2 {
		t.Fatalf("got %+v", r)
	}
	if one := r.Refused[0]; one.Address != `"a> 1 <b"@c.example` || sysexits.Code(one.Err, 0) != sysexits.NoUser ||
		one.Err.Error() != "no such user  250 fake" {
		t.Errorf("got %q %v", one.Address, one.Err)
	}
	for words, want := range map[string]envelope.Receipt{
		ReceiptLine(envelope.Receipt{Reply: "250 2.0.0 OK"}): {Reply: "OK"},
		ReceiptLine(envelope.Receipt{Queued: true}):          {Queued: true},
		ReceiptLine(envelope.Receipt{}):                      {Reply: "accepted"},
	} {
		if got := ParseReceipt([]string{words}); got.Reply != want.Reply || got.Queued != want.Queued {
			t.Errorf("%q gave %+v", words, got)
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	f.Add("refused 67 <a@b> no\nqueued as X")
	f.Add("refused x <\"\\")
	f.Fuzz(func(t *testing.T, s string) {
		lines := strings.Split(s, "\n")
		if got := ParseReceipt(lines); len(got.Refused) > len(lines) {
			t.Error("more refusals than lines")
		}
	})
}
