package deliver

import (
	"errors"
	"fmt"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
	"o365-sendmail/xoauth"
)

// judge turns what a try for so many recipients has brought into an outcome. It is a pure function.
func judge(recipients int, res *submit.Result, err error) *Outcome {
	v := &Outcome{fate: make([]fate, recipients), errs: make([]error, recipients)}
	if err != nil {
		v.judgeWhole(err)
		return v
	}
	v.reply, v.enhanced = res.Reply.String(), enhanced(res.Reply.Enhanced, "2.0.0")
	crowded := 0
	for i := range res.Recipients {
		e := res.Recipients[i].Err
		if e == nil {
			v.fate[i] = fateTaken
			v.taken++
			continue
		}
		v.errs[i] = e
		if e.Class == diagnose.Permanent {
			v.fate[i] = fateRefused
			continue
		}
		v.later++
		v.err = e
		if e.Diagnosis.Key == keyTooManyRecipients {
			crowded++
		}
		if s := stopOf(e); s != nil && (v.stop == nil || v.stop.Scope == queue.ScopeOutside) {
			v.stop = s
		}
	}
	v.again = v.later > 0 && crowded == v.later && v.later < len(v.fate)
	return v
}

const keyTooManyRecipients = "too-many-recipients"

// judgeWhole judges an error that every recipient shares.
func (v *Outcome) judgeWhole(err error) {
	var e *submit.Error
	f := fateLater
	switch {
	case errors.Is(err, spool.ErrDamaged):
		v.damaged = true
	case !errors.As(err, &e):
		if Class(err) == diagnose.Permanent {
			f = fateRefused
		}
		v.stop = stopOf(err)
	case e.Class == diagnose.Permanent:
		f = fateRefused
	default:
		v.stop = stopOf(e)
		if v.uncertain = e.Uncertain; v.uncertain {
			err = fmt.Errorf("%w; the server may have taken the message, so it may arrive twice", err)
		}
	}
	for i := range v.fate {
		v.fate[i], v.errs[i] = f, err
	}
	if f == fateLater {
		v.later = len(v.fate)
		v.err = err
	}
}

// stopOf reports whether a fault is none of the message's own; nil when it is.
func stopOf(err error) *queue.Fault {
	class := Class(err)
	var e *submit.Error
	if paused := (*PausedError)(nil); errors.As(err, &paused) {
		return paused.stop()
	}
	if !errors.As(err, &e) {
		if class != diagnose.Configuration && class != diagnose.AccountTemporary {
			return nil
		}
		return &queue.Fault{Scope: queue.ScopeAll, Hold: class == diagnose.Configuration, Early: true, Key: "account",
			Err: err, Reason: err.Error(), Remedy: adviceOf(err), After: retryAfter(err)}
	}
	s := &queue.Fault{Key: e.Diagnosis.Key, Err: err, Reason: e.Error(), Remedy: adviceOf(e), After: retryAfter(err)}
	if s.Key == "" {
		s.Key = string(e.Phase)
	}
	s.Scope, s.Early = scopeOf(e)
	switch class {
	case diagnose.Configuration:
		s.Hold = true
	case diagnose.AccountTemporary:
	case diagnose.Permanent:
		if !s.Early {
			return nil
		}
		s.Hold = true // no message was named, so no message is at fault
	default:
		if !s.Early {
			return nil
		}
	}
	return s
}

// scopeOf says what an error stops, and whether it showed before a message was named.
func scopeOf(e *submit.Error) (sc queue.Scope, early bool) {
	switch e.Phase {
	case submit.PhaseToken, submit.PhaseConnect, submit.PhaseGreeting, submit.PhaseEHLO, submit.PhaseStartTLS, submit.PhaseTLS:
		return queue.ScopeAll, true
	case submit.PhaseAuth:
		return queue.ScopeMailbox, true
	}
	switch {
	case e.Diagnosis.SenderRefused():
		return queue.ScopeSender, false
	case e.Diagnosis.Key == diagnose.KeyOutsideQuota:
		return queue.ScopeOutside, false
	case e.Diagnosis.Key == "hve-internal-only":
		return queue.ScopeMessage, false
	}
	return queue.ScopeMailbox, false
}

func adviceOf(err error) string {
	var a interface{ Advice() string }
	for errors.As(err, &a) {
		if s := a.Advice(); s != "" {
			return s
		}
		if err = errors.Unwrap(a.(error)); err == nil {
			break
		}
	}
	return ""
}

// retryAfter is how long the other side asked to wait, 0 when it did not.
func retryAfter(err error) time.Duration {
	var remembered interface{ RetryAfterDuration() time.Duration }
	if errors.As(err, &remembered) {
		return remembered.RetryAfterDuration()
	}
	var token *xoauth.Error
	if errors.As(err, &token) {
		return token.RetryAfter
	}
	return 0
}

// ended reports whether the session broke off instead of judging the message. A local
// fault, such as a message that can't be read, is no judgement either.
func ended(err error) bool {
	var e *submit.Error
	return errors.As(err, &e) && e.Class == diagnose.Temporary &&
		(e.Code == 0 || e.Code == 421 || e.Diagnosis.Key == diagnose.KeyTokenExpired || refusedChunks(err))
}
