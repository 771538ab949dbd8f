package queueview

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/explain"
	"o365-sendmail/internal/printable"
)

// Why is the reason for which messages wait, taken apart. Its texts are fit for one line each.
type Why struct {
	// Kind is one word: "held", "paused", "waiting", "deferred", "failed" or "damaged".
	Kind string
	// Whom says whose mail is meant, "" where that needs no words.
	Whom  string
	Cause string
	Do    []string // what to do: a step or a command each
	Said  string   // the server's words, which may be long
	// Since is when it began, zero if that is not known; Next the next try or probe, zero for none or at once.
	Since, Next time.Time
	// Tries is that of the Stop.
	Tries int
}

// serverSaid is what the program's errors write before a server's words (submit.Error).
const serverSaid = "; it answered "

// damagedRemedy: the sweep of the queue moves what is damaged, so that both places are named.
const damagedRemedy = "look at the file ID.msg in the spool's queue or failed folder; to remove it: " +
	"o365-sendmail queue delete --failed ID"

// Why explains one message. Messages that wait for the same reason get the same, but for Said and Next.
func (e *Explainer) Why(m *Message) Why {
	switch {
	case m.State == Damaged:
		return e.takeApart("damaged", m.Reason, damagedRemedy)
	case m.State == Failed:
		return e.takeApart("failed", cmp.Or(m.Reason, "given up, and no reason was recorded"), "")
	case m.State == Held && !m.unprocessed():
		w := e.takeApart("held", m.Reason, "")
		w.Cause = strings.TrimSuffix("by an administrator: "+w.Cause, ": ")
		return w
	}
	s := e.stop(m)
	if s != nil && !s.Hold && m.Reason != "" && m.Next.After(s.Next) {
		s = nil // the pause is over before its own
	}
	switch {
	case s != nil && (m.State != Held || s.Hold && s.All):
		w := e.takeApart("paused", s.Reason, s.Remedy)
		if s.Hold {
			w.Kind = "held"
		}
		w.Whom, w.Since, w.Next, w.Tries = e.whom(s), s.Since, s.Next, s.Tries
		if m.Next.After(w.Next) {
			w.Next = m.Next
		}
		return w
	case m.Reason != "":
		w := e.takeApart("deferred", m.Reason, "")
		w.Next = m.Next
		return w
	}
	return Why{Kind: "waiting", Cause: "not tried yet"}
}

// takeApart finds the parts of a reason, which many messages may have.
func (e *Explainer) takeApart(kind, reason, remedy string) Why {
	known := kind + "\n" + remedy + "\n" + reason
	if w, ok := e.parts[known]; ok {
		return w
	}
	text, said, _ := strings.Cut(printable.Line(reason), serverSaid)
	cause, advice, _ := strings.Cut(text, "; ")
	if answer, ok := answerAlone(text); ok {
		cause, advice = answer, ""
	}
	advice = strings.Trim(advice+"; "+printable.Line(remedy), "; ")
	w := Why{Kind: kind, Cause: cause, Do: explain.Steps(advice), Said: said}
	if e.parts == nil || len(e.parts) > maxParts {
		e.parts = map[string]Why{}
	}
	e.parts[known] = w
	return w
}

// answerAlone reports whether a reason is a server's answer of which nothing is known (submit.Error): its words are no
// advice, whatever stands in them. For whom it was is left out: many may get the same, and rows have their recipients.
func answerAlone(text string) (answer string, ok bool) {
	server, rest, _ := strings.Cut(text, " answered ")
	command, words, ok := strings.Cut(rest, " with ")
	command, _, _ = strings.Cut(command, ` for "`)
	return server + " answered " + command + " with " + words, ok && !strings.Contains(server, " ")
}

// maxParts bounds what is remembered.
const maxParts = 1000

// key is equal for messages that are told together.
func (w *Why) key() string {
	return strings.Join(append([]string{w.Kind, w.Whom, w.Cause}, w.Do...), "\n")
}

// text is what a filter looks for a reason in.
func (w *Why) text() string { return w.Kind + w.Whom + ": " + w.Cause + "; " + w.Said }

// comes reports whether the next try comes by itself.
func (w *Why) comes(m *Message) bool {
	return m.State != Failed && m.State != Damaged && (m.State != Held || m.unprocessed())
}

// hasCode reports whether a recipient was answered with a code, or the reason has it as a word.
func (w *Why) hasCode(m *Message, code string) bool {
	for i := range m.Recipients {
		if r := &m.Recipients[i]; r.State != RecipientDone && (strconv.Itoa(r.Code) == code || r.Enhanced == code) {
			return true
		}
	}
	return slices.ContainsFunc(strings.FieldsFunc(w.text()+" "+m.Reason, func(r rune) bool {
		return strings.ContainsRune(" ,;:()", r)
	}), func(word string) bool { return strings.EqualFold(word, code) })
}
