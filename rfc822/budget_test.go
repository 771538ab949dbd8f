package rfc822

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// purse is a Budget.
type purse struct{ header, body, left int64 }

var errEmptyPurse = errors.New("there is no more")

func (p *purse) Header(n int64) error {
	if n > p.left {
		return errEmptyPurse
	}
	p.header, p.left = p.header+n, p.left-n
	return nil
}

func (p *purse) Body(n int64) bool {
	if n > p.left {
		return false
	}
	p.body, p.left = p.body+n, p.left-n
	return true
}

// TestHeaderBudget: a header asks for what it takes, of whatever kind its fields are, and ends when
// there is no more.
func TestHeaderBudget(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"one field":   "A: " + strings.Repeat("x", 1<<20) + "\n",
		"many fields": strings.Repeat("a:\n", 1<<20/67),
		"many folds":  "A: x\n" + strings.Repeat(" y\n", 1<<18),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &purse{left: 4 << 20}
			m, err := Read(strings.NewReader(header+"\nbody\n"), ReadOptions{Budget: p})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if held := int64(m.Header.size() + 32*len(m.Header.fields)); p.header+freeHeader < held ||
				p.header > 3*held {
				t.Errorf("%d bytes were asked for, the header has %d", p.header, held)
			}
			poor := &purse{left: 100 << 10}
			if _, err := Read(strings.NewReader(header+"\nbody\n"), ReadOptions{Budget: poor}); !errors.Is(err,
				errEmptyPurse) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSmallMessagesAskNothing: what every program writes never depends on what others do.
func TestSmallMessagesAskNothing(t *testing.T) {
	t.Parallel()
	m, err := Read(strings.NewReader(strings.Repeat("Received: from a by b\n", 100)+"\n"+strings.Repeat("x\n", 2000)),
		ReadOptions{Budget: &purse{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestBodyBudget: a body arrives whole, with memory for it or without.
func TestBodyBudget(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789\r\n", 100_000)
	for _, left := range []int64{0, 1 << 20} {
		p := &purse{left: left}
		m, err := Read(strings.NewReader("A: 1\r\n\r\n"+body), ReadOptions{Budget: p, Memory: 64 << 10,
			TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.NewSectionReader(m.body, 0, m.info.Size))
		if err != nil || string(got) != body {
			t.Errorf("with %d bytes: %d of %d, %v", left, len(got), len(body), err)
		}
		if want := left > 0; (p.body > 0) != want || cap(m.body.(*store).mem) > 96<<10 ||
			!want && cap(m.body.(*store).mem) > 3*smallPiece {
			t.Errorf("with %d bytes: %d were taken, %d are kept", left, p.body, cap(m.body.(*store).mem))
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}
