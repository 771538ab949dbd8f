package rfc822

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// place is a Rest in memory.
type place struct {
	bytes.Buffer
	closed int
}

func (p *place) ReadAt(b []byte, off int64) (int, error) {
	return bytes.NewReader(p.Bytes()).ReadAt(b, off)
}
func (p *place) Close() error { p.closed++; return nil }

// TestKeep: the end of a large body goes to the place that is given for it, and the Wire says so if it can stay there.
func TestKeep(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef\n", 8000)
	for name, c := range map[string]struct {
		text         string
		asked, stays bool
	}{
		"small":             {"A: 1\n\nhello\n", false, false},
		"large":             {"A: 1\n\n" + long, true, true},
		"eight bits as is":  {"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nü\n" + long, true, true},
		"a line too long":   {"A: 1\n\n" + strings.Repeat("x", 100_000), true, false},
		"a part to relabel": {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: x\n\n" + long + "\n--b--\n", true, false},
	} {
		var p *place
		var m *Message
		o := ReadOptions{Memory: 1000, Keep: func(h *Header, before int64) Rest {
			if p != nil || before != 1000 || h.size() == 0 {
				t.Errorf("%s: asked again, or with %d bytes before and %d fields", name, before, len(h.Fields()))
			}
			p = &place{}
			return p
		}}
		m = mustRead(t, c.text, o)
		w, err := m.Wire(WireOptions{AllowEightBit: true})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(open(t, w))
		if err != nil {
			t.Fatal(err)
		}
		end, before := w.Kept()
		if (p != nil) != c.asked || (end != nil) != c.stays {
			t.Errorf("%s: asked %v, stays %v", name, p != nil, end != nil)
		}
		if end != nil && string(text[before:]) != p.String() {
			t.Errorf("%s: %d bytes before %d, and %d bytes in all", name, before, p.Len(), len(text))
		}
		if plain := wireText(t, mustRead(t, c.text, ReadOptions{}), WireOptions{AllowEightBit: true}); plain != string(text) {
			t.Errorf("%s: %.200q, want %.200q", name, text, plain)
		}
		if err := m.Close(); err != nil || p != nil && p.closed != 1 {
			t.Errorf("%s: closed %+v, %v", name, p != nil, err)
		}
	}
	m := mustRead(t, "A: 1\n\n"+long, ReadOptions{Memory: 1000, Keep: func(*Header, int64) Rest { return nil }})
	w, err := m.Wire(WireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if end, _ := w.Kept(); end == nil || int64(len(long)) > w.Size() {
		t.Errorf("no place: %v, %d bytes", end, w.Size())
	}
}
