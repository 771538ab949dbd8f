package deliver

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
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
		scope queue.Scope
		stops bool
		hold  bool
		early bool
	}{
		{"refused", reply(submit.PhaseBody, 554, "5.6.0", "bad content"), fateRefused, 0, false, false, false},
		{"temporary", reply(submit.PhaseBody, 451, "4.3.0", "later"), fateLater, 0, false, false, false},
		{"permission", reply(submit.PhaseBody, 430, "4.2.0", "STOREDRV; mailbox logon failure"), fateLater,
			queue.ScopeMailbox, true, true, false},
		{"send as", reply(submit.PhaseBody, 554, "5.2.252", "SendAsDenied; x"), fateLater, queue.ScopeSender, true,
			true, false},
		{"quota", reply(submit.PhaseBody, 554, "5.2.0",
			"STOREDRV.Submission.Exception:SubmissionQuotaExceededException"), fateLater, queue.ScopeMailbox, true,
			false, false},
		{"connections", reply(submit.PhaseBody, 432, "4.3.2", "Concurrent connections limit exceeded."), fateLater,
			queue.ScopeMailbox, true, false, false},
		{"rate", reply(submit.PhaseBody, 421, "4.4.2",
			"Message submission rate for this client has exceeded the configured limit"), fateLater, queue.ScopeMailbox,
			true, false, false},
		{"sign-in", reply(submit.PhaseAuth, 535, "5.7.3", "Authentication unsuccessful"), fateLater, queue.ScopeMailbox,
			true, true, true},
		{"sign-in, later", reply(submit.PhaseAuth, 451, "4.7.0", "Temporary server error"), fateLater,
			queue.ScopeMailbox, true, false, true},
		{"greeting", reply(submit.PhaseGreeting, 554, "", "no"), fateLater, queue.ScopeAll, true, true, true},
		{"no network", faultError(submit.PhaseConnect, diagnose.FaultConnect, nil), fateLater, queue.ScopeAll, true,
			false, true},
		{"no name", faultError(submit.PhaseConnect, diagnose.FaultResolve, nil), fateLater, queue.ScopeAll, true,
			false, true},
		{"certificate", faultError(submit.PhaseTLS, diagnose.FaultCertificate, nil), fateLater, queue.ScopeAll, true,
			true, true},
		{"too large", faultError(submit.PhaseMail, diagnose.FaultTooLarge, nil), fateRefused, 0, false, false, false},
		{"lost", faultError(submit.PhaseBody, diagnose.FaultDropped, io.EOF), fateLater, 0, false, false, false},
		{"limit", &LimitError{}, fateLater, queue.ScopeAll, true, false, true},
		{"nobody knows", errors.New("x"), fateLater, 0, false, false, false},
	} {
		v := judge(2, nil, c.err)
		if v.fate[0] != c.fate || v.fate[1] != c.fate || (v.later == 2) != (c.fate == fateLater) || v.taken != 0 || v.damaged || v.again || v.lost {
			t.Errorf("%s: %+v", c.name, v)
		}
		if (v.stop != nil) != c.stops || v.stop != nil && (v.stop.Scope != c.scope || v.stop.Hold != c.hold ||
			v.stop.Early != c.early || v.stop.Reason == "") {
			t.Errorf("%s: stop %+v", c.name, v.stop)
		}
	}
	damaged := faultError(submit.PhaseBody, diagnose.FaultMessage, spool.ErrDamaged)
	if v := judge(1, nil, damaged); !v.damaged {
		t.Errorf("damaged: %+v", v)
	}
	uncertain := faultError(submit.PhaseBody, diagnose.FaultTimeout, nil)
	uncertain.Uncertain = true
	if v := judge(1, nil, uncertain); !v.uncertain || !strings.Contains(v.err.Error(), "twice") || !ended(v.err) {
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
	v := judge(len(res.Recipients), res, nil)
	if v.fate[0] != fateTaken || v.fate[1] != fateRefused || v.fate[2] != fateLater || !v.again || v.stop != nil || v.taken != 1 || v.later != 1 {
		t.Errorf("%+v", v)
	}
	res.Recipients[0].Err = crowd // one is done with, so there is room for the next
	if v := judge(len(res.Recipients), res, nil); !v.again || v.later != 2 {
		t.Errorf("%+v", v)
	}
	all := &submit.Result{Reply: res.Reply, Recipients: []submit.RecipientResult{{Address: "a", Err: crowd},
		{Address: "c", Err: crowd}}}
	if v := judge(2, all, nil); v.again || v.later != 2 { // trying at once would help nobody
		t.Errorf("%+v", v)
	}
	res.Recipients[0].Err = reply(submit.PhaseRcpt, 550, "5.1.90", "daily limit")
	if v := judge(len(res.Recipients), res, nil); v.stop == nil || v.stop.Hold || v.again {
		t.Errorf("%+v", v)
	}
}

func TestAdviceAndRetryAfter(t *testing.T) {
	t.Parallel()
	token := &xoauth.Error{Op: "token request", Status: 429, RetryAfter: 90 * time.Second}
	s := stopOf(&submit.Error{Phase: submit.PhaseToken, Class: diagnose.AccountTemporary, Err: token})
	if s == nil || s.After != 90*time.Second || s.Scope != queue.ScopeAll {
		t.Errorf("%+v", s)
	}
	if got := adviceOf(reply(submit.PhaseAuth, 535, "5.7.139", "SmtpClientAuthentication is disabled for the Mailbox.")); !strings.Contains(got, "Set-CASMailbox -Identity noreply@contoso.test") {
		t.Errorf("%q", got)
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
