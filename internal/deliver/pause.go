package deliver

import (
	"encoding/json"
	"fmt"
	"time"

	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/queue"
)

// Processes without an agent share what stops a mailbox, where each further try adds to what the server counts: in
// a note beside the token, and in the state file of the last run of the queue.

// PausedError says that a mailbox waits for something that the server counts, and nothing was tried.
type PausedError struct{ Stop queue.Stop }

func (e *PausedError) Error() string {
	return fmt.Sprintf("%s: paused until %s, as each try makes it last longer: %s", e.Stop.Mailbox,
		e.Stop.Next.UTC().Format("15:04:05 MST"), e.Stop.Reason)
}

func (e *PausedError) stop() *queue.Fault {
	return &queue.Fault{Scope: queue.ScopeMailbox, Hold: e.Stop.Held, Key: e.Stop.Key, Reason: e.Stop.Reason,
		Remedy: e.Stop.Remedy}
}

// mostReason is how much of a reason is in a note, in bytes: notes are short.
const mostReason = 1000

func pauseNote(mailbox string) string { return "pause " + mailbox }

// noted is the stop that the last process without an agent left; the zero Stop if there is none.
func (a *Account) noted(mailbox string) (s queue.Stop) {
	text, _, ok := a.Quota.Note(pauseNote(mailbox))
	if !ok || json.Unmarshal([]byte(text), &s) != nil || s.Mailbox != mailbox || !s.Counted() {
		return queue.Stop{}
	}
	return s
}

// paused returns the stop in force, as a *PausedError, if a message for the mailbox would be a try too many.
func (e *core) paused(mailbox string, now time.Time) error {
	all := []queue.Stop{e.config().Account.noted(mailbox)}
	if e.o.StateFile != "" {
		s, _ := ReadState(e.o.StateFile) // one that can't be read stops nothing
		all = append(all, s.Stops...)
	}
	for _, s := range all {
		if s.Mailbox == mailbox && s.Counted() && s.Pending(now) {
			return &PausedError{s}
		}
	}
	return nil
}

// notePause keeps what a try that began at the given time says about the mailbox. Of many that failed at the same
// time the first makes the pause.
func (e *core) notePause(mailbox string, v *Outcome, began time.Time) {
	a := e.config().Account
	s := a.noted(mailbox)
	if v.stop == nil || v.stop.Scope != queue.ScopeMailbox || !v.stop.Counted() {
		if v.taken > 0 && s.Mailbox != "" {
			a.Quota.DropNote(pauseNote(mailbox))
		}
		return
	}
	if s.Next.After(began) {
		return
	}
	now := e.clock.Now()
	if s.Mailbox == "" {
		s = queue.Stop{Mailbox: mailbox, Since: now.UTC()}
	}
	s.Failures++
	s.Held, s.Key, s.Reason, s.Remedy = v.stop.Hold, v.stop.Key, printable.Cut(v.stop.Reason, mostReason), v.stop.Remedy
	pause := queue.ProbePause(s.Failures, e.config().ProbeInterval)
	s.Next = now.Add(pause).UTC()
	if text, err := json.Marshal(s); err == nil {
		// It outlasts the pause, so that the next one is longer.
		a.Quota.SetNote(pauseNote(mailbox), string(text), s.Next.Add(queue.MaxProbePause))
	}
}
