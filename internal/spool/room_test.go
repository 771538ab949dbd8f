package spool

import (
	"io"
	"testing"
)

// TestRoomOfReaders lets a reader outlive its item: it never sees another message's bytes.
func TestRoomOfReaders(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{Ops: withoutSync()})
	for range 20 {
		first, second := put(t, s, to("b@example.com"), hello), put(t, s, to("b@example.com"), large[:2048])
		it, err := s.Claim(first)
		if err != nil {
			t.Fatal(err)
		}
		r, err := it.Message().Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := it.Delete(); err != nil {
			t.Fatal(err)
		}
		other, err := s.Claim(second)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != string(hello) {
			t.Fatalf("%q, %v", b, err)
		}
		for range 2 {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Fatalf("a closed reader gave %d, %v", n, err)
		}
		if _, err := it.Message().Open(); err == nil {
			t.Fatal("a deleted message was opened")
		}
		if err := other.Delete(); err != nil {
			t.Fatal(err)
		}
	}
	w.none(t)
}
