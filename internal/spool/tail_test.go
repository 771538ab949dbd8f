package spool

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"o365-sendmail/internal/envelope"
)

// tailed is a message whose end lies in the spool already.
type tailed struct {
	text
	before int
	tail   *Tail
}

func (m tailed) Kept() (io.ReaderAt, int64) { return m.tail, int64(m.before) }

// putTailed accepts a message whose end came before its beginning was known.
func putTailed(ctx context.Context, s *Spool, meta Meta, env *envelope.Envelope, msg text) (string, error) {
	m := tailed{text: msg, before: 1000}
	if m.tail = s.Tail(meta, env, 1000); m.tail == nil {
		return s.Put(ctx, meta, env, msg)
	}
	defer m.tail.Close() //nolint:errcheck // it never fails
	for rest := msg[m.before:]; len(rest) > 0; {
		n := min(len(rest), 50_000)
		if _, err := m.tail.Write([]byte(rest[:n])); err != nil {
			return "", fault(err)
		}
		rest = rest[n:]
	}
	return s.Put(ctx, meta, env, m)
}

// TestTail: the file that has the end becomes the message's, if what stands before it fits, and else the end is
// copied. Either is a whole message under the envelope's id, and nothing is left besides.
func TestTail(t *testing.T) {
	t.Parallel()
	many := strings.Split(strings.Repeat("b@example.com ", 40)+"b@example.com", " ")
	for name, c := range map[string]struct {
		env    *envelope.Envelope
		longer int // than was expected, before the end
		taken  bool
	}{
		"as expected":               {env: to("b@example.com"), taken: true},
		"a sector longer, no room":  {env: to("b@example.com"), longer: 512},
		"a sector shorter":          {env: to("b@example.com"), longer: -512, taken: true},
		"longer":                    {env: to("b@example.com"), longer: 1},
		"shorter":                   {env: to("b@example.com"), longer: -1},
		"more recipients, no room":  {env: to(many...)},
		"many more bytes, in place": {env: to("b@example.com"), longer: 512 - 1024, taken: true},
	} {
		s, w := open(t, Options{})
		tail := s.Tail(Meta{UID: 1}, to("b@example.com"), int64(1000))
		if tail == nil {
			t.Fatal("no tail")
		}
		before := 1000 + c.longer
		if _, err := tail.Write([]byte(large[before:])); err != nil {
			t.Fatal(err)
		}
		made, err := tail.p.f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 100)
		if _, err := tail.ReadAt(part, 5); err != nil || string(part) != string(large[before+5:][:100]) {
			t.Errorf("%s: %q, %v", name, part, err)
		}
		c.env.ID = NewID(s.o.Now())
		id, err := s.Put(t.Context(), Meta{UID: 1}, c.env, tailed{large, before, tail})
		if err != nil || id != c.env.ID {
			t.Fatalf("%s: %s, %v", name, id, err)
		}
		if err := tail.Close(); err != nil {
			t.Error(err)
		}
		if left := files(t, s); len(left) != 1 {
			t.Errorf("%s: %v", name, left)
		}
		kept, err := os.Stat(filepath.Join(s.dir(queueDir), id+suffixMessage))
		if err != nil || os.SameFile(made, kept) != c.taken {
			t.Errorf("%s: taken %v, want %v, %v", name, !c.taken, c.taken, err)
		}
		it, err := s.Claim(id)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := contentOf(it.Message()); err != nil || got != string(large) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if len(it.Envelope().Recipients) != len(c.env.Recipients) {
			t.Errorf("%s: %+v", name, it.Envelope())
		}
		it.Unlock()
		w.none(t)
	}
}

// TestTailGivenUp: a message that is not accepted leaves nothing, and its end can be read until it is closed, since a
// try may have it. While it is written no sweep takes it away.
func TestTailGivenUp(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{})
	tail := s.Tail(Meta{UID: 1}, to("b@example.com"), 10)
	if _, err := tail.Write([]byte(large[10:])); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	msg := tailed{large, 10, tail}
	for range 2 { // the second one copies
		if id, err := s.Put(ctx, Meta{UID: 1}, to("b@example.com"), msg); err == nil {
			t.Errorf("%s was accepted", id)
		}
		if _, err := tail.ReadAt(make([]byte, 100), 0); err != nil {
			t.Error(err)
		}
	}
	id, err := s.Put(t.Context(), Meta{UID: 1}, to("b@example.com"), msg)
	if err != nil {
		t.Fatal(err)
	}
	if err := tail.Close(); err != nil {
		t.Error(err)
	}
	if left := files(t, s); len(left) != 1 || !strings.Contains(left[0], id) {
		t.Errorf("%v", left)
	}
}

// TestNoTail: where a message could not be kept, its end gets no place, and what comes then says why.
func TestNoTail(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{Limits: Limits{MaxBytes: 10_000}})
	if tail := s.Tail(Meta{UID: 1}, to("b@example.com"), 20_000); tail != nil {
		t.Error("over the bound")
	}
	if tail := s.Tail(Meta{UID: 1}, to(), 10); tail != nil {
		t.Error("for nobody")
	}
	if left := files(t, s); len(left) > 0 {
		t.Errorf("%v", left)
	}
}

func TestJoinedSum(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 7, 8, 255, 256, 65_535, 65_536, 1_000_003} {
		first, second := make([]byte, r.IntN(2000)), make([]byte, n)
		for _, b := range [][]byte{first, second} {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
		}
		want := checksum(0, bytes.Join([][]byte{first, second}, nil))
		if got := joinedSum(checksum(0, first), checksum(0, second), int64(n)); got != want {
			t.Errorf("%d and %d bytes: %08x, want %08x", len(first), n, got, want)
		}
	}
}
