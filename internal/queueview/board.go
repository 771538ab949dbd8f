package queueview

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/printable"
)

// Board is what a watch knows of the queue: it is drawn on a terminal, and elsewhere tells each change in a line.
type Board struct {
	// Changes gets a line for each change, once all messages are known; nil draws nothing.
	Changes io.Writer

	explain  Explainer
	messages map[string]*posted
	order    []*posted // with those that are gone, until there are many
	gone     int
	statuses int
	changed  bool
}

// posted is a message with its reason.
type posted struct {
	m    Message
	why  Why
	key  string
	gone bool
}

// Reset forgets all messages: they are told from the start again. Lines are written for what has changed meanwhile.
func (b *Board) Reset() {
	for _, p := range b.order {
		p.gone = true
	}
	b.gone, b.statuses, b.changed = len(b.order), 0, true
}

// Status takes what is known of the whole queue.
func (b *Board) Status(st Status, now time.Time) {
	stops := b.explain.Status.Stops
	b.explain.Status, b.explain.Now = st, now
	b.statuses++
	switch {
	case b.statuses == 2:
		for _, p := range slices.Clone(b.order) { // what was known before a Reset and is not told again
			if p.gone && b.messages[p.m.ID] == p {
				b.drop(p.m.ID)
			}
		}
		b.line("%s waiting", count(len(b.messages), "message"))
	case reflect.DeepEqual(stops, st.Stops):
		return
	}
	for _, p := range b.messages {
		p.why = b.explain.Why(&p.m)
		p.key = p.why.key()
	}
	b.changed = true
	for _, note := range b.explain.Notes() {
		b.line("%s", note)
	}
}

// line writes a change, when all messages are known.
func (b *Board) line(format string, a ...any) {
	if b.Changes != nil && b.statuses > 1 {
		fmt.Fprintf(b.Changes, "%s "+format+"\n", append([]any{b.explain.Now.Format("15:04:05")}, a...)...)
	}
}

// Message takes a message that came or has changed.
func (b *Board) Message(m *Message, now time.Time) {
	b.explain.Now, b.changed = now, true
	if b.messages == nil {
		b.messages = map[string]*posted{}
	}
	p := &posted{m: *m, why: b.explain.Why(m)}
	p.key = p.why.key()
	old := b.messages[m.ID]
	b.messages[m.ID] = p
	if old == nil {
		b.order = append(b.order, p)
		b.line("%s new: from %s to %s", printable.Clean(m.ID), SenderName(m.Sender), recipients(m))
		return
	}
	if old.gone {
		b.gone--
	}
	same := old.key == p.key && old.m.Tries == m.Tries && slices.Equal(old.m.Recipients, m.Recipients)
	*old, b.messages[m.ID] = *p, old
	if !same {
		b.line("%s %s%s: %s; to %s, tried %s", printable.Clean(m.ID), p.why.Kind, p.why.Whom, p.why.Cause, recipients(m),
			count(m.Tries, "time"))
	}
}

// Gone takes a message away.
func (b *Board) Gone(id string, now time.Time) {
	if p := b.messages[id]; p != nil && !p.gone {
		b.explain.Now, b.changed = now, true
		p.gone = true
		b.gone++
		b.drop(id)
	}
}

func (b *Board) drop(id string) {
	delete(b.messages, id)
	b.line("%s left the queue", printable.Clean(id))
	if b.gone > 1000 && b.gone > len(b.order)/2 {
		b.order = slices.DeleteFunc(b.order, func(p *posted) bool { return p.gone })
		b.gone = 0
	}
}

// maxTold is how many recipients stand in a line.
const maxTold = 3

func recipients(m *Message) string {
	var list []string
	for i := range m.Recipients {
		if i == maxTold {
			list = append(list, fmt.Sprintf("%d more", len(m.Recipients)-i))
			break
		}
		text := printable.Clean(m.Recipients[i].Address)
		if state := m.Recipients[i].State; state != RecipientTodo {
			text += " (" + state + ")"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// Changed reports whether anything has changed since Draw.
func (b *Board) Changed() bool { return b.changed }

// Draw writes a screen of so many columns and rows, 0 for as many as it takes: a line on the whole, then each reason
// with its oldest messages.
func (b *Board) Draw(w io.Writer, now time.Time, width, height int, color bool, user func(int) string) error {
	b.changed, b.explain.Now = false, now
	var text strings.Builder
	st := &b.explain.Status
	fmt.Fprintf(&text, "%s  %s", now.Format("2006-01-02 15:04:05"), count(len(b.messages), "message"))
	if st.Agent && st.Messages >= 0 {
		fmt.Fprintf(&text, ", %d being delivered; since %s %d sent, %d deferred, %d returned", st.Active,
			b.explain.Clock(st.Since), st.Sent, st.Deferred, st.Bounced)
	}
	text.WriteString("\n\n")
	l := NewList(&text, &b.explain)
	l.Width, l.Color, l.User = width, color, user
	if height > 0 {
		groups := map[string]struct{}{}
		for _, p := range b.messages {
			groups[p.key] = struct{}{}
		}
		l.Rows = max(1, (height-5)/max(len(groups), 1)-4)
	}
	for _, p := range b.order {
		if !p.gone {
			l.add(&p.m, &p.why, p.key)
		}
	}
	if err := l.Close(); err != nil {
		return err
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text.String(), "\n"), "\n")
	if height > 0 && len(lines) > height {
		lines = lines[:height]
	}
	_, err := io.WriteString(w, strings.TrimSuffix(strings.Join(lines, ""), "\n"))
	return err
}
