// Package historyview shows the history to people: an entry as a line, sums as text with bars and as a page in HTML. It
// opens no file and no socket, and no byte of foreign text reaches a terminal or a page unescaped.
package historyview

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"o365-sendmail/internal/history"
	"o365-sendmail/internal/printable"
)

// Line writes an entry for people: when, what became of it, by whom, from whom to whom, and the server's words.
func Line(w io.Writer, e *history.Entry) error {
	sender := e.Sender
	if sender == "" {
		sender = "MAILER-DAEMON" // as mailq names the null sender
	}
	if e.Origin != "" {
		sender += " (" + e.Origin + ")"
	}
	user := e.User
	if user == "" {
		user = "-"
	}
	text := fmt.Sprintf("%s  %-7s  %s -> %s  user=%s id=%s", e.Time.UTC().Format(time.DateTime), e.Status, sender,
		e.Recipient, user, e.ID)
	if e.MessageID != "" {
		text += " message-id=" + e.MessageID
	}
	if e.Size > 0 {
		text += " size=" + strconv.FormatInt(e.Size, 10)
	}
	text += " delay=" + strconv.FormatFloat(e.Delay, 'f', 1, 64)
	if e.Enhanced != "" {
		text += " dsn=" + e.Enhanced
	}
	if e.Reply != "" {
		text += " (" + e.Reply + ")"
	}
	_, err := io.WriteString(w, printable.Line(text)+"\n")
	return err
}

// grouped writes a number with a comma for each thousand.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes a number of bytes in the unit that fits.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n), 0
	for f >= 999.5 && unit < 4 {
		f, unit = f/1000, unit+1
	}
	return fmt.Sprintf("%.3g %s", f, [...]string{"B", "kB", "MB", "GB", "TB"}[unit])
}

// within names the row of history.Stats.Delays with that bound.
func within(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case d == 0:
		return "later"
	case d >= time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	case d >= time.Minute:
		return strconv.Itoa(int(d.Minutes())) + " min"
	default:
		return strconv.Itoa(int(d.Seconds())) + " s"
	}
}

// of names a number of days for a title.
func of(days int) string {
	if days == 1 {
		return "today"
	}
	return strconv.Itoa(days) + " days"
}
