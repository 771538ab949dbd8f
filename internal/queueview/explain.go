package queueview

import (
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/printable"
)

// Explainer says in plain words why a message waits.
type Explainer struct {
	// Status is what the agent told, or what is known without one.
	Status Status
	// Now is the time that "next try" is seen from; its location is the viewer's.
	Now time.Time

	parts map[string]Why // what takeApart has found out
}

// Waiting explains one message in one line, as foreign text is escaped.
func (e *Explainer) Waiting(m *Message) string {
	switch m.State {
	case Damaged:
		return "damaged: " + printable.Clean(m.Reason)
	case Failed:
		return "given up: " + reasonOr(m.Reason, "no reason was recorded")
	case Held:
		if m.Reason == "" {
			return "held back by an administrator"
		}
		if m.unprocessed() {
			return e.unprocessed(m)
		}
		return "held back by an administrator: " + printable.Clean(m.Reason)
	}
	if s := e.stop(m); s != nil {
		return e.stopped(s)
	}
	if m.Reason != "" {
		return printable.Clean(m.Reason) + e.next("next try", m.Next)
	}
	if !e.Status.Agent {
		return "waiting: no agent is running; sendmail -q sends it"
	}
	return "waiting for its turn"
}

// unprocessed explains a message that no configuration has judged: by what is wrong with it
// now, else by what was wrong when the message came.
func (e *Explainer) unprocessed(m *Message) string {
	s := e.stop(m)
	if s == nil || !s.Hold || !s.All {
		text := printable.Clean(m.Reason)
		if !m.Next.IsZero() {
			text += e.next("next try", m.Next)
		}
		return text
	}
	return "kept until the configuration can be used: " + remedied(s)
}

func reasonOr(reason, otherwise string) string {
	if reason == "" {
		return otherwise
	}
	return printable.Clean(reason)
}

func (e *Explainer) stop(m *Message) *Stop {
	var best *Stop
	for i := range e.Status.Stops {
		if s := &e.Status.Stops[i]; s.Covers(m, e.Status.Mailbox) && (best == nil || s.Hold && !best.Hold) {
			best = s
		}
	}
	if best == nil {
		return m.Stop
	}
	return best
}

func (e *Explainer) stopped(s *Stop) string {
	if s.Hold {
		return "held: " + printable.Clean(s.Reason) + e.next("next probe", s.Next)
	}
	return "paused: " + printable.Clean(s.Reason) + e.next("next try", s.Next)
}

// next says when something happens by itself. Without an agent nothing does.
func (e *Explainer) next(what string, t time.Time) string {
	switch {
	case !e.Status.Agent:
		return "; no agent is running: sendmail -q tries again"
	case !t.After(e.Now):
		return "; " + what + " is due"
	}
	return "; " + what + " " + e.Clock(t)
}

// Clock writes a time as short as it can be understood: the hour for today, else with the day.
func (e *Explainer) Clock(t time.Time) string {
	t = t.In(e.Now.Location())
	y1, d1 := t.Year(), t.YearDay()
	y2, d2 := e.Now.Year(), e.Now.YearDay()
	switch {
	case y1 == y2 && d1 == d2:
		return t.Format("15:04")
	case y1 == y2 || t.Sub(e.Now).Abs() < 180*24*time.Hour:
		return t.Format("Mon Jan 2 15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// Notes says in whole lines what keeps mail back and what an administrator can do. It is
// empty when nothing does.
func (e *Explainer) Notes() []string {
	var notes []string
	for i := range e.Status.Stops {
		s := &e.Status.Stops[i]
		what := "Delivery is paused"
		if s.Hold {
			what = "Delivery is held"
		}
		what += e.whom(s)
		if !s.Since.IsZero() {
			what += " since " + e.Clock(s.Since)
		}
		notes = append(notes, strings.TrimRight(what+": "+remedied(s), ". ")+".")
	}
	return notes
}

// whom says whose mail a stop keeps back; "" when it is that of the configured mailbox, or everybody's.
func (e *Explainer) whom(s *Stop) string {
	switch {
	case s.All:
	case s.UID != nil:
		return fmt.Sprintf(" for the user %d", *s.UID)
	case s.Author != "":
		return " for messages from " + printable.Clean(s.Author)
	case s.Outside:
		return " for recipients outside the organization"
	case s.Sender != "":
		return " for the sender " + printable.Clean(s.Sender)
	case !strings.EqualFold(s.Mailbox, e.Status.Mailbox):
		return " for the mailbox " + printable.Clean(s.Mailbox)
	}
	return ""
}

// remedied is why mail waits and what to do.
func remedied(s *Stop) string {
	if s.Remedy == "" {
		return printable.Clean(s.Reason)
	}
	return printable.Clean(s.Reason + "; " + s.Remedy)
}
