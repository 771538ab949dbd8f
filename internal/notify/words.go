package notify

import (
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/printable"
)

// state is the state of a condition when it is reported.
type state uint8

const (
	raised state = iota
	still        // it was told before
	fixed        // it is over, and mail goes
	over         // it is over; whether by a fix is not known
)

func began(before bool) state {
	if before {
		return still
	}
	return raised
}

// word is what a webhook calls the state.
func (s state) word() string { return [...]string{"raised", "still", "ended", "ended"}[s] }

// news is what there is to report about a condition.
type news struct {
	*Condition
	state state
	now   time.Time
}

// titles are the news of each kind by their state.
func titles() map[Kind][4]string {
	return map[Kind][4]string{
		Held:   {"Mail is held: ", "Mail is still held: ", "Mail is delivered again: ", "Mail is no longer held: "},
		Paused: {"Mail waits: ", "Mail still waits: ", "Mail is delivered again: ", "Mail no longer waits: "},
		SpoolFull: {"The spool takes no mail", "The spool still takes no mail", "The spool takes mail again",
			"The spool takes mail again"},
		QueueOld: {"Old mail in the queue", "Still old mail in the queue", "No old mail in the queue",
			"No old mail in the queue"},
	}
}

// title is the news in a few words.
func (m *news) title() string {
	switch text := titles()[m.Kind][m.state]; {
	case m.Kind == Expiry:
	case m.namesFault():
		return text + m.Cause
	case strings.HasSuffix(text, ": ") && m.Cause != "":
		return strings.TrimSuffix(text, ": ")
	default:
		return text + m.Key
	}
	switch {
	case m.state == fixed || m.state == over:
		return capital(m.What) + " is no longer about to expire"
	case m.Step == 0:
		return capital(m.What) + " has expired"
	}
	return capital(m.What) + " expires " + m.within()
}

// namesFault reports whether the title has the cause in this program's words, and not just its key.
func (m *news) namesFault() bool {
	return m.Cause != "" && (m.Kind == Held || m.Kind == Paused) && (m.state == raised || m.state == still)
}

// line is the news in one line of this program's words: nothing in it comes from a server or out of a message but
// addresses of mailboxes and senders.
func (m *news) line() string {
	var parts []string
	was, since := "", "since "
	if m.state == fixed || m.state == over {
		was, since = "it was: ", "it began "
	}
	if m.Kind == Expiry {
		parts = append(parts, "on "+m.Ends.UTC().Format("2006-01-02 15:04 MST"))
	} else {
		if m.What != "" {
			parts = append(parts, m.What)
		}
		if m.Cause != "" && !m.namesFault() {
			parts = append(parts, was+m.Cause)
		}
		if !m.Since.IsZero() {
			parts = append(parts, since+m.Since.UTC().Format("2006-01-02 15:04 MST"))
		}
	}
	text := m.title() + " (" + strings.Join(parts, "; ") + ")"
	// Chat programs take <...> for a command of theirs.
	return printable.Line(strings.NewReplacer("<", "", ">", "", "\n", " ").Replace(text))
}

// Line is a condition in force in one line of this program's words.
func (c *Condition) Line(now time.Time) string { return (&news{c, raised, now}).line() }

// body is the text of a mail.
func (m *news) body(probe time.Duration) string {
	why, since := "", ""
	if !m.Since.IsZero() {
		since = m.Since.UTC().Format(time.RFC1123)
	}
	for _, f := range [...]struct{ name, text string }{
		{"What waits:  ", m.What}, {"Since:       ", since}, {"Why:         ", m.Reason},
		{"What to do:  ", m.Remedy},
	} {
		if f.text != "" && m.Kind != Expiry {
			why += f.name + f.text + "\n"
		}
	}
	const look = "\nTo look at it: o365-sendmail doctor, o365-sendmail queue list\n"
	switch {
	case m.state == fixed && m.Kind == Held:
		return "The fault is fixed, and " + m.What + " is delivered again.\n\nIt was held for " +
			roughly(m.now.Sub(m.Since)) + " because:\n" + m.Reason + "\n"
	case m.state == fixed || m.state == over:
		return m.title() + ".\n\n" + why
	case m.Kind == Held:
		again := ""
		if m.state == still {
			again = "still "
		}
		return "Mail " + again + "can't be delivered, and an administrator has to act.\n\n" +
			"Nothing is lost: the mail is kept, one message is tried every " + probe.String() +
			",\nand delivery resumes by itself when the fault is fixed.\n\n" + why + look
	case m.Kind == Expiry:
		return m.title() + ", on " + m.Ends.UTC().Format("2006-01-02 15:04 MST") +
			".\nAfter that no mail can be sent.\n\n" +
			"What to do: for a certificate, run sudo o365-sendmail credential new-certificate; for a secret, create\n" +
			"a new one in Entra (App registrations, Certificates & secrets) and run sudo o365-sendmail credential\n" +
			"set-secret. The new one is tested before anything changes. Where a relay knows this host by a\n" +
			"certificate, put the new one and its key at credential.certificate_file and key_file, and run\n" +
			"o365-sendmail config reload.\n"
	}
	return m.title() + ".\n\n" + why + look
}

func (m *news) within() string {
	if left := m.Ends.Sub(m.now); left < 48*time.Hour {
		return "in " + roughly(left)
	}
	return fmt.Sprintf("in %d days", DaysLeft(m.Ends, m.now))
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// roughly shows a time in its largest unit.
func roughly(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d minutes", max(d/time.Minute, 1))
}
