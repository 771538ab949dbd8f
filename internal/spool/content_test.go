package spool

import (
	"errors"
	"io"
	"os"
	"testing"
)

func TestOpenContent(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{Ops: withoutSync()})
	for _, msg := range []text{hello, large, ""} {
		id := put(t, s, to("b@example.com"), msg)
		it, err := s.Claim(id) // a lock keeps nobody from looking
		if err != nil {
			t.Fatal(err)
		}
		check := func(where string) {
			r, err := s.OpenContent(id)
			if err != nil {
				t.Fatal(where, err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || string(got) != string(msg) {
				t.Errorf("%s: %d bytes, %v", where, len(got), err)
			}
		}
		check("queue")
		if err := it.Fail("no"); err != nil {
			t.Fatal(err)
		}
		check("failed")
	}
	for id, want := range map[string]error{"../x": ErrBadID, "20260101000000-0123456789abcdef": ErrGone} {
		if _, err := s.OpenContent(id); !errors.Is(err, want) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestOpenContentDamaged(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{Ops: withoutSync()})
	id := put(t, s, to("b@example.com"), large)
	path := s.path(queueDir, id, suffixMessage)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := s.OpenContent(id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, ErrDamaged) {
		t.Errorf("a changed byte: %v", err)
	}
	if err := os.WriteFile(path, b[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenContent(id); !errors.Is(err, ErrDamaged) {
		t.Errorf("a cut file: %v", err)
	}
}
