package queueview

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"time"

	"o365-sendmail/internal/printable"
)

// Empty is what mailq says of an empty queue, as Postfix does.
const Empty = "Mail queue is empty"

const listHeader = "-Queue ID----------------------  --Size-- ----Arrival Time---- -Sender/Recipient-------"

// indent brings a recipient below the sender.
const indent = "                                                               "

// List writes messages as mailq lists them. Scripts know the shape from Postfix: the id
// stands first, the totals in the last line.
type List struct {
	w        *bufio.Writer
	explain  *Explainer
	messages int
	bytes    int64
	zone     *time.Location
	line     []byte
}

// NewList starts a list; nothing is written before the first message.
func NewList(w io.Writer, e *Explainer) *List {
	return &List{w: bufio.NewWriterSize(w, 32<<10), explain: e, zone: e.Now.Location()}
}

// Add writes one message. An error is kept and told by Close.
func (l *List) Add(m *Message) error {
	if l.messages == 0 {
		for _, note := range l.explain.Notes() {
			l.w.WriteString(note + "\n")
		}
		l.w.WriteString(listHeader + "\n")
	} else {
		l.w.WriteByte('\n')
	}
	l.messages++
	l.bytes += m.Size
	l.head(m)
	_, err := l.w.WriteString("(" + l.explain.Waiting(m) + ")\n")
	for i := range m.Recipients {
		r := &m.Recipients[i]
		if r.State == RecipientDone {
			continue
		}
		l.w.WriteString(indent)
		l.w.WriteString(printable.Clean(r.Address))
		if r.State == RecipientFailed {
			l.w.WriteString(" (refused" + replyCode(r) + ")")
		}
		err = l.w.WriteByte('\n')
	}
	return err
}

func replyCode(r *Recipient) string {
	s := ""
	if r.Code != 0 {
		s = " " + strconv.Itoa(r.Code)
	}
	if r.Enhanced != "" {
		s += " " + printable.Clean(r.Enhanced)
	}
	return s
}

// head writes the first line of a message. Postfix's mark of a held message is "!".
func (l *List) head(m *Message) {
	b := append(l.line[:0], printable.Clean(m.ID)...)
	switch m.State {
	case Held:
		b = append(b, '!')
	case Failed, Damaged:
		b = append(b, '#')
	default:
		b = append(b, ' ')
	}
	b = fmt.Appendf(b, " %8d ", m.Size)
	b = m.Arrived.In(l.zone).AppendFormat(b, "Mon Jan _2 15:04:05 ")
	b = append(b, "  "...)
	b = append(b, SenderName(m.Sender)...)
	l.line = append(b, '\n')
	l.w.Write(l.line)
}

// SenderName writes an envelope sender for people; the null sender has Sendmail's name for it.
func SenderName(sender string) string {
	if sender == "" {
		return "MAILER-DAEMON"
	}
	return printable.Clean(sender)
}

// Close writes the totals.
func (l *List) Close() error {
	if l.messages == 0 {
		l.w.WriteString(Empty + "\n")
	} else {
		plural := "s"
		if l.messages == 1 {
			plural = ""
		}
		fmt.Fprintf(l.w, "\n-- %d Kbytes in %d Request%s.\n", (l.bytes+1023)/1024, l.messages, plural)
	}
	return l.w.Flush()
}

// Flush writes what there is, for a list that is broken off.
func (l *List) Flush() error { return l.w.Flush() }
