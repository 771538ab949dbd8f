package queueview

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/printable"
)

// Empty is what mailq says of an empty queue, as Postfix does.
const Empty = "Mail queue is empty"

// The columns of a list. Programs that read Postfix' list find the id first and the size second.
const (
	headID  = "-Queue ID----------------------"
	headRow = "--Size-- -Age Tries Next User----"
	// idWidth has the mark, rowWidth the other columns before the sender's.
	idWidth, rowWidth = len(headID) + 1, len(headRow) + 1
	// fromWidth is the least room for a sender, toWidth for a recipient.
	fromWidth, toWidth = 24, 24
	userWidth          = 8
)

// maxListed is how many recipients of a message are listed.
const maxListed = 20

// maxSaid is where a server's words are cut, in bytes.
const maxSaid = 240

// List writes messages as mailq lists them: a table for each reason, which is told once. Programs know the rest
// from Postfix: no line but a message's begins with a letter or digit, and the totals stand in the last.
type List struct {
	// Width is that of the terminal, in columns; 0 wraps and cuts nothing.
	Width int
	// Rows is how many messages of a reason are listed; 0 for all.
	Rows int
	// Color paints the reasons.
	Color bool
	// User names a user for people; nil writes the number.
	User func(uid int) string

	w        *bufio.Writer
	explain  *Explainer
	groups   map[string]*group
	order    []*group
	users    map[int]string
	messages int
	held     int
	bytes    int64
}

// group is what waits for one reason.
type group struct {
	why  Why
	n    int
	rows []byte
}

// NewList starts a list; nothing is written before Close.
func NewList(w io.Writer, e *Explainer) *List {
	return &List{w: bufio.NewWriterSize(w, 32<<10), explain: e, groups: map[string]*group{}, users: map[int]string{}}
}

// Add takes a message into its reason's table.
func (l *List) Add(m *Message) error {
	why := l.explain.Why(m)
	l.add(m, &why, why.key())
	return nil
}

func (l *List) add(m *Message, why *Why, key string) {
	g := l.groups[key]
	if g == nil {
		g = &group{why: *why}
		l.groups[key], l.order = g, append(l.order, g)
	}
	l.messages++
	l.bytes += m.Size
	if m.State == Held && !m.unprocessed() {
		l.held++
	}
	if g.n++; l.Rows == 0 || g.n <= l.Rows {
		g.rows = l.row(g.rows, m, why)
	}
}

// row appends what stands in a line for each message. Postfix's mark of a held message is "!".
func (l *List) row(b []byte, m *Message, why *Why) []byte {
	b = append(b, printable.Clean(m.ID)...)
	switch m.State {
	case Held:
		b = append(b, '!')
	case Failed, Damaged:
		b = append(b, '#')
	default:
		b = append(b, ' ')
	}
	if l.narrow() {
		b = append(b, "\n   "...)
	}
	b = fmt.Appendf(b, " %8d %4s %5d %4s ", m.Size, span(l.explain.Now.Sub(m.Arrived)), m.Tries, l.next(m, why))
	b = append(b, l.fit(l.user(m.UID), userWidth)...)
	return l.addresses(b, m)
}

// narrow reports whether the columns before the addresses don't fit on one line.
func (l *List) narrow() bool { return l.Width > 0 && l.Width < idWidth+rowWidth }

// addressRoom is the room for the sender and for a recipient on the line of the message; 0 when they have lines
// of their own.
func (l *List) addressRoom() (from, to int) {
	room := l.Width - idWidth - rowWidth - 2
	switch {
	case l.Width == 0:
		return fromWidth, toWidth
	case room < fromWidth+toWidth:
		return 0, 0
	}
	from = max(fromWidth, room*2/5)
	return from, room - from
}

func (l *List) addresses(b []byte, m *Message) []byte {
	from, to := l.addressRoom()
	between, indent := " ", strings.Repeat(" ", idWidth+rowWidth+from+1)
	if from == 0 {
		between, indent = "\n    from ", "    to   "
		from, to = max(l.Width-len(indent), toWidth/2), max(l.Width-len(indent), toWidth/2)
		b = append(b, between...)
		b = append(b, l.fit(m.senderName(), from)...)
		b = append(b, '\n')
	} else {
		for n := columns(l.fit(l.user(m.UID), userWidth)); n < userWidth; n++ {
			b = append(b, ' ')
		}
		b = pad(append(b, ' '), l.fit(m.senderName(), from), from)
		b = append(b, ' ')
		between = ""
	}
	listed, more := 0, 0
	for i := range m.Recipients {
		r := &m.Recipients[i]
		switch {
		case r.State == RecipientDone:
			continue
		case listed == maxListed:
			more++
			continue
		case listed > 0 || between != "":
			b = append(b, indent...)
		}
		listed++
		text := printable.Clean(r.Address)
		if r.State == RecipientFailed {
			text += " (refused" + replyCode(r) + ")"
		}
		b = append(append(b, l.fit(text, to)...), '\n')
	}
	if more > 0 {
		b = fmt.Appendf(b, "%sand %d more\n", indent, more)
	}
	if listed == 0 && between == "" {
		b = append(b, '\n')
	}
	return b
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

// next says when the next try comes, "-" where none comes by itself.
func (l *List) next(m *Message, why *Why) string {
	switch {
	case !l.explain.Status.Agent, !why.comes(m):
		return "-"
	case !why.Next.After(l.explain.Now):
		return "due"
	}
	return span(why.Next.Sub(l.explain.Now))
}

func (l *List) user(uid int) string {
	if uid < 0 {
		return "-"
	}
	name, ok := l.users[uid]
	if !ok {
		if name = strconv.Itoa(uid); l.User != nil {
			name = printable.Clean(l.User(uid))
		}
		l.users[uid] = name
	}
	return name
}

// span writes a time in up to four characters.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(max(d, 0)/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + "d"
}

// fit cuts a text to a column of a terminal.
func (l *List) fit(s string, room int) string {
	if l.Width == 0 || columns(s) <= room {
		return s
	}
	at := 0
	for i, r := range s {
		if at += wide(r); at > room-len("...") {
			return s[:i] + "..."
		}
	}
	return s
}

// pad appends a text and fills its column.
func pad(b []byte, s string, room int) []byte {
	b = append(b, s...)
	for n := columns(s); n < room; n++ {
		b = append(b, ' ')
	}
	return b
}

// columns is how many a text takes on a terminal; characters from Hangul's first on count as two.
func columns(s string) (n int) {
	for _, r := range s {
		n += wide(r)
	}
	return n
}

func wide(r rune) int {
	if r >= 0x1100 {
		return 2
	}
	return 1
}

// SenderName writes an envelope sender for people; the null sender has Sendmail's name for it.
func SenderName(sender string) string {
	if sender == "" {
		return "MAILER-DAEMON"
	}
	return printable.Clean(sender)
}

// senderName is SenderName, but of a message that can't be read nobody knows who sent it.
func (m *Message) senderName() string {
	if m.State == Damaged && m.Sender == "" {
		return "-"
	}
	return SenderName(m.Sender)
}

// Messages is how many were added, Held how many of them an administrator holds back.
func (l *List) Messages() int { return l.messages }

// Held is in Messages.
func (l *List) Held() int { return l.held }

// Close writes the list, the totals last.
func (l *List) Close() error {
	if l.messages == 0 {
		l.w.WriteString(Empty + "\n")
		return l.w.Flush()
	}
	l.head()
	for _, g := range l.order {
		l.reason(g)
		l.w.Write(g.rows)
		if l.Rows > 0 && g.n > l.Rows {
			fmt.Fprintf(l.w, " and %d more\n", g.n-l.Rows)
		}
		l.w.WriteByte('\n')
	}
	fmt.Fprintf(l.w, "-- %d Kbytes in %s.\n", (l.bytes+1023)/1024, count(l.messages, "Request"))
	return l.w.Flush()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func (l *List) head() {
	if !l.explain.Status.Agent {
		l.w.WriteString("(no agent is running: sendmail -q sends what waits)\n")
	}
	l.w.WriteString(headID)
	switch from, _ := l.addressRoom(); {
	case l.narrow():
		l.w.WriteString("\n    " + headRow)
	case from == 0:
		l.w.WriteString("  " + headRow)
	default:
		fmt.Fprintf(l.w, "  %s -Sender%s -Recipient-------", headRow, strings.Repeat("-", from-len("-Sender")))
	}
	l.w.WriteByte('\n')
}

// reason writes why a group waits: the cause, what to do, and last the server's words.
func (l *List) reason(g *group) {
	w := &g.why
	text := "(" + w.Kind + w.Whom + ": " + w.Cause + "; " + count(g.n, "message")
	if !w.Since.IsZero() {
		text += " since " + l.explain.Clock(w.Since)
	}
	if w.Tries > 0 {
		text += ", tried " + count(w.Tries, "time")
	}
	text = printable.Wrap(text+")", l.Width-1, "  ")
	if l.Color && w.Kind != "waiting" {
		color := "31" // red: somebody has to act
		if w.Kind == "paused" || w.Kind == "deferred" {
			color = "33"
		}
		text = "\x1b[" + color + "m" + text + "\x1b[0m"
	}
	l.w.WriteString(text + "\n")
	const indent = "    "
	for _, step := range w.Do {
		l.w.WriteString(indent + printable.Wrap(step, l.Width-len(indent)-1, indent) + "\n")
	}
	if w.Said != "" {
		said := printable.Cut("it answered "+w.Said, maxSaid)
		l.w.WriteString(indent + printable.Wrap(said, l.Width-len(indent)-1, indent) + "\n")
	}
}
