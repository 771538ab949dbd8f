package queueview

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"o365-sendmail/internal/printable"
)

// Page writes all that is known of one message.
func Page(w io.Writer, d *Detail, e *Explainer, userName func(uid int) string) error {
	b := bufio.NewWriter(w)
	line := func(name, format string, a ...any) {
		fmt.Fprintf(b, "%-12s %s\n", name+":", fmt.Sprintf(format, a...))
	}
	line("Queue ID", "%s", printable.Clean(d.ID))
	line("State", "%s", d.State)
	why := e.Why(&d.Message)
	line("Waiting", "%s%s: %s", why.Kind, why.Whom, why.Cause)
	for _, step := range why.Do {
		line("To do", "%s", step)
	}
	if why.Said != "" {
		line("It answered", "%s", why.Said)
	}
	switch {
	case !why.comes(&d.Message):
	case !e.Status.Agent:
		line("Next try", "sendmail -q, as no agent is running")
	case why.Next.After(e.Now):
		line("Next try", "%s", e.Clock(why.Next))
	default:
		line("Next try", "due")
	}
	line("Arrived", "%s", d.Arrived.In(e.Now.Location()).Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	line("From user", "%s", user(d.UID, userName))
	if d.Origin != "" {
		line("Came by", "%s", printable.Clean(d.Origin))
	}
	line("Size", "%d", d.Size)
	line("Sender", "%s", d.senderName())
	if d.Mailbox != "" {
		line("Signs in as", "%s", printable.Clean(d.Mailbox))
	}
	for i := range d.Recipients {
		r := &d.Recipients[i]
		line("Recipient", "%s, %s%s", printable.Clean(r.Address), r.State, replyCode(r))
	}
	line("Tries", "%d", d.Tries)
	if !d.Last.IsZero() {
		line("Last try", "%s", e.Clock(d.Last))
	}
	if d.EnvID != "" {
		line("Envelope ID", "%s", printable.Clean(d.EnvID))
	}
	section(b, "History", d.Log)
	section(b, "Header", d.Header)
	return b.Flush()
}

func section(b *bufio.Writer, name, text string) {
	if text != "" {
		b.WriteString(name + ":\n")
	}
	for l := range strings.Lines(text) {
		b.WriteString("  " + printable.Line(strings.TrimRight(l, "\r\n")) + "\n")
	}
}

func user(uid int, name func(int) string) string {
	if uid < 0 {
		return "unknown"
	}
	id := strconv.Itoa(uid)
	if n := name(uid); n != id {
		return printable.Clean(n) + " (" + id + ")"
	}
	return id
}

// Text copies a message for a terminal: line by line, controls but the tab escaped.
func Text(w io.Writer, r io.Reader) error {
	in, out := bufio.NewReaderSize(r, 4<<10), bufio.NewWriter(w)
	for {
		line, err := in.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		for i, part := range strings.Split(text, "\t") {
			if i > 0 {
				out.WriteByte('\t')
			}
			out.WriteString(printable.Line(part))
		}
		switch err {
		case nil:
			out.WriteByte('\n')
		case bufio.ErrBufferFull:
		case io.EOF:
			return out.Flush()
		default:
			_ = out.Flush()
			return err
		}
	}
}
