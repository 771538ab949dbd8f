package deliver

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/smtpreply"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
	"o365-sendmail/xoauth"
)

func reply(phase submit.Phase, code int, enhanced, text string) *submit.Error {
	d := diagnose.Reply(string(phase), code, enhanced, text)
	return &submit.Error{Phase: phase, Code: code, Enhanced: enhanced, Text: text, Class: d.Class, Diagnosis: d, Mailbox: "noreply@contoso.test"}
}

func faultError(phase submit.Phase, f diagnose.Fault, err error) *submit.Error {
	d := diagnose.Failure(f)
	return &submit.Error{Phase: phase, Class: d.Class, Diagnosis: d, Err: err}
}

func TestJudgeWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		err   error
		fate  fate
		scope scope
		stops bool
		hold  bool
		early bool
	}{
		{"refused", reply(submit.PhaseBody, 554, "5.6.0", "bad content"), fateRefused, 0, false, false, false},
		{"temporary", reply(submit.PhaseBody, 451, "4.3.0", "later"), fateLater, 0, false, false, false},
		{"permission", reply(submit.PhaseBody, 430, "4.2.0", "STOREDRV; mailbox logon failure"), fateLater, scopeBox, true, true, false},
		{"send as", reply(submit.PhaseBody, 554, "5.2.252", "SendAsDenied; x"), fateLater, scopeSender, true, true, false},
		{"quota", reply(submit.PhaseBody, 554, "5.2.0", "STOREDRV.Submission.Exception:SubmissionQuotaExceededException"), fateLater, scopeBox, true, false, false},
		{"connections", reply(submit.PhaseBody, 432, "4.3.2", "Concurrent connections limit exceeded."), fateLater, scopeBox, true, false, false},
		{"rate", reply(submit.PhaseBody, 421, "4.4.2", "Message submission rate for this client has exceeded the configured limit"), fateLater, scopeBox, true, false, false},
		{"sign-in", reply(submit.PhaseAuth, 535, "5.7.3", "Authentication unsuccessful"), fateLater, scopeBox, true, true, true},
		{"sign-in, later", reply(submit.PhaseAuth, 451, "4.7.0", "Temporary server error"), fateLater, scopeBox, true, false, true},
		{"greeting", reply(submit.PhaseGreeting, 554, "", "no"), fateLater, scopeApp, true, true, true},
		{"no network", faultError(submit.PhaseConnect, diagnose.FaultConnect, nil), fateLater, scopeApp, true, false, true},
		{"no name", faultError(submit.PhaseConnect, diagnose.FaultResolve, nil), fateLater, scopeApp, true, false, true},
		{"certificate", faultError(submit.PhaseTLS, diagnose.FaultCertificate, nil), fateLater, scopeApp, true, true, true},
		{"too large", faultError(submit.PhaseMail, diagnose.FaultTooLarge, nil), fateRefused, 0, false, false, false},
		{"lost", faultError(submit.PhaseBody, diagnose.FaultDropped, io.EOF), fateLater, 0, false, false, false},
		{"limit", &LimitError{}, fateLater, scopeApp, true, false, true},
		{"nobody knows", errors.New("x"), fateLater, 0, false, false, false},
	} {
		v := judge(&submit.Result{Recipients: make([]submit.RecipientResult, 2)}, c.err)
		if v.fate[0] != c.fate || v.fate[1] != c.fate || (v.later == 2) != (c.fate == fateLater) || v.taken != 0 || v.damaged || v.again || v.lost {
			t.Errorf("%s: %+v", c.name, v)
		}
		if (v.stop != nil) != c.stops || v.stop != nil && (v.stop.scope != c.scope || v.stop.hold != c.hold || v.stop.early != c.early || v.stop.reason == "") {
			t.Errorf("%s: stop %+v", c.name, v.stop)
		}
	}
	damaged := faultError(submit.PhaseBody, diagnose.FaultMessage, spool.ErrDamaged)
	if v := judge(&submit.Result{Recipients: make([]submit.RecipientResult, 1)}, damaged); !v.damaged {
		t.Errorf("damaged: %+v", v)
	}
	uncertain := faultError(submit.PhaseBody, diagnose.FaultTimeout, nil)
	uncertain.Uncertain = true
	if v := judge(&submit.Result{Recipients: make([]submit.RecipientResult, 1)}, uncertain); !v.uncertain || !strings.Contains(v.err.Error(), "twice") || !ended(v.err) {
		t.Errorf("uncertain: %+v", v)
	}
}

func TestJudgeRecipients(t *testing.T) {
	t.Parallel()
	crowd := reply(submit.PhaseRcpt, 452, "4.5.3", "Too many recipients")
	res := &submit.Result{Reply: smtpreply.Reply{Code: 250, Enhanced: "2.0.0", Lines: []string{"OK"}},
		Recipients: []submit.RecipientResult{
			{Address: "a"}, {Address: "b", Err: reply(submit.PhaseRcpt, 550, "5.1.1", "no")},
			{Address: "c", Err: crowd},
		}}
	v := judge(res, nil)
	if v.fate[0] != fateTaken || v.fate[1] != fateRefused || v.fate[2] != fateLater || !v.again || v.stop != nil || v.taken != 1 || v.later != 1 {
		t.Errorf("%+v", v)
	}
	res.Recipients[0].Err = crowd // one is done with, so there is room for the next
	if v := judge(res, nil); !v.again || v.later != 2 {
		t.Errorf("%+v", v)
	}
	all := &submit.Result{Reply: res.Reply, Recipients: []submit.RecipientResult{{Address: "a", Err: crowd},
		{Address: "c", Err: crowd}}}
	if v := judge(all, nil); v.again || v.later != 2 { // trying at once would help nobody
		t.Errorf("%+v", v)
	}
	res.Recipients[0].Err = reply(submit.PhaseRcpt, 550, "5.1.90", "daily limit")
	if v := judge(res, nil); v.stop == nil || v.stop.hold || v.again {
		t.Errorf("%+v", v)
	}
}

func TestAdviceAndRetryAfter(t *testing.T) {
	t.Parallel()
	token := &xoauth.Error{Op: "token request", Status: 429, RetryAfter: 90 * time.Second}
	s := stopOf(&submit.Error{Phase: submit.PhaseToken, Class: diagnose.AccountTemporary, Err: token})
	if s == nil || s.after != 90*time.Second || s.scope != scopeApp {
		t.Errorf("%+v", s)
	}
	if got := adviceOf(reply(submit.PhaseAuth, 535, "5.7.139", "SmtpClientAuthentication is disabled for the Mailbox.")); !strings.Contains(got, "Set-CASMailbox -Identity noreply@contoso.test") {
		t.Errorf("%q", got)
	}
}

func TestFIFO(t *testing.T) {
	t.Parallel()
	var f fifo[int]
	var want []int
	for i := range 1000 {
		switch {
		case i%7 == 3 && len(want) > 0:
			if got := f.pop(); got != want[0] {
				t.Fatalf("%d: got %d, want %d", i, got, want[0])
			}
			want = want[1:]
		case i%5 == 0:
			f.pushFront(i)
			want = append([]int{i}, want...)
		case i%11 == 0 && len(want) > 2:
			gone := want[2]
			if !f.remove(func(v int) bool { return v == gone }) {
				t.Fatal("not found")
			}
			want = append(want[:2:2], want[3:]...)
		default:
			f.push(i)
			want = append(want, i)
		}
		if f.len() != len(want) {
			t.Fatalf("%d: length %d, want %d", i, f.len(), len(want))
		}
	}
	for _, w := range want {
		if got := f.pop(); got != w {
			t.Fatalf("got %d, want %d", got, w)
		}
	}
}

func TestRing(t *testing.T) {
	t.Parallel()
	var r ring[string]
	for _, s := range []string{"a", "b", "c", "d"} {
		r.add(s)
	}
	seen := map[string]int{}
	for range 8 {
		m, _ := r.next()
		seen[m]++
	}
	for _, s := range []string{"a", "b", "c", "d"} {
		if seen[s] != 2 {
			t.Errorf("%v", seen)
		}
	}
	m, place := r.next()
	r.drop(place)
	r.remove("d")
	r.remove("nobody")
	for range 4 {
		if got, _ := r.next(); got == m || got == "d" {
			t.Errorf("%s is still there", got)
		}
	}
}

func TestHandoff(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 1000)
	first := &closable{b: notify.Text(text)}
	h := newHandoff(first)
	r, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if _, err := io.CopyN(&got, r, 3333); err != nil {
		t.Fatal(err)
	}
	h.change(notify.Text(text))
	first.closed.Store(true)
	if _, err := io.Copy(&got, r); err != nil || got.String() != text || h.Size() != int64(len(text)) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	again, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	h.change(notify.Text("short"))
	if _, err := again.Read(make([]byte, 1)); err != nil {
		t.Error(err) // nothing was read before, so nothing is missing
	}
}

func TestStopCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stop Stop
		want bool
	}{{Stop{}, true}, {Stop{Mailbox: "A@b"}, true}, {Stop{Mailbox: "x@b"}, false}, {Stop{Mailbox: "a@b", Sender: "s"}, true}, {Stop{Sender: "t"}, false}} {
		if got := c.stop.Covers("a@b", "s"); got != c.want {
			t.Errorf("%+v: %v", c.stop, got)
		}
	}
}
