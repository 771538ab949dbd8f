package queueview

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// standard is what encoding/json writes.
func standard(t testing.TB, m *Message) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func jsonCases() map[string]Message {
	at := time.Date(2026, 3, 4, 5, 6, 7, 891_234_000, time.UTC)
	full := Message{
		ID: "20260304050607-0123456789abcdef", State: Deferred, Size: 1 << 40, Arrived: at, UID: 33, Origin: "userid 33", Sender: "a@b.org",
		Mailbox: "c@d.org", Attempts: 12, Last: at, Next: at.Add(time.Hour).Truncate(time.Second), Class: "temporary", Reason: "451 4.7.1 <x> & 'y' later",
		Recipients: []Recipient{{"x@y.org", RecipientTodo, 0, ""}, {"z@y.org", RecipientFailed, 550, "5.1.1"}}, InFailed: true, Waiting: "next try soon",
	}
	cases := map[string]Message{
		"full":   full,
		"least":  {Recipients: []Recipient{}},
		"none":   {},
		"nobody": {ID: "x", State: Queued, Arrived: at, UID: -1, Recipients: []Recipient{{"a@b", "", 0, ""}}},
	}
	for name, change := range map[string]func(*Message){
		"quote":     func(m *Message) { m.Sender = `"a b"@c.org` },
		"backslash": func(m *Message) { m.Reason = `a\b` },
		"control":   func(m *Message) { m.Origin = "a\nb\x7f" },
		"umlaut":    func(m *Message) { m.Recipients[0].Address = "ü@y.org" },
		"broken":    func(m *Message) { m.Reason = "a\xff" },
		"stop":      func(m *Message) { m.Stop = &Stop{} },
		"zone":      func(m *Message) { m.Next = m.Next.In(time.FixedZone("", 3600)) },
	} {
		m := full
		m.Recipients = append([]Recipient{}, full.Recipients...)
		change(&m)
		cases[name] = m
	}
	return cases
}

// TestJSON: what is written is what encoding/json writes, and what is read is the same.
func TestJSON(t *testing.T) {
	t.Parallel()
	for name, m := range jsonCases() {
		want := standard(t, &m)
		got, err := m.AppendJSON([]byte("before"))
		if err != nil || string(got) != "before"+string(want) {
			t.Errorf("%s: %v\n got %s\nwant before%s", name, err, got, want)
		}
		back := Message{Recipients: make([]Recipient, 3)}
		if ok := back.ParseJSON(want); ok != m.simple() {
			t.Errorf("%s: read: %v", name, ok)
		} else if ok && !reflect.DeepEqual(back, m) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, back, m)
		}
	}
}

// FuzzParseJSON: a line that is read is read as encoding/json does.
func FuzzParseJSON(f *testing.F) {
	for _, m := range jsonCases() {
		f.Add(standard(f, &m))
	}
	f.Add([]byte(`{"id":"x","state":"queued","size":01,"arrived":"2026-03-04T05:06:07Z","uid":-0,"sender":"","attempts":0,"recipients":[]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var got, want Message
		if !got.ParseJSON(line) {
			return
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("%q is read, but is no JSON: %v", line, err)
		}
		if got.Recipients == nil {
			got.Recipients = []Recipient{}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %+v\nwant %+v", line, got, want)
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	m := jsonCases()["full"]
	line := standard(b, &m)
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			line, _ = m.AppendJSON(line[:0])
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if !m.ParseJSON(line) {
				b.Fatal("not read")
			}
		}
	})
}
