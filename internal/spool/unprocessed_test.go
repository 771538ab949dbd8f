package spool

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"o365-sendmail/internal/envelope"
)

func putUnprocessed(t *testing.T, s *Spool) string {
	t.Helper()
	id, err := s.Put(t.Context(), Meta{UID: 33, Origin: Unprocessed + "userid 33"}, to("root", "b@example.com"), hello)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestReplace: what a message has become stands under its id, and is counted once, though the queue is full.
func TestReplace(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, w := open(t, Options{Now: c.Now, Limits: Limits{MaxMessages: 1, MaxMessagesPerUser: 1, MaxBytes: 100,
		KeepFree: 1}})
	id := putUnprocessed(t, s)
	before := list(t, s)[0]
	if !before.Meta.Unprocessed() {
		t.Error("it is not known as unprocessed")
	}
	it := claim(t, s, id)
	it.Log("a line")
	c.add(1000)
	n, err := it.Replace(t.Context(), &envelope.Envelope{Sender: "box@example.com",
		Recipients: to("it@example.com").Recipients}, large)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(id); err != ErrBusy {
		t.Errorf("the new one is not locked: %v", err)
	}
	if it.Unlock(); n.ID() != id || n.Meta().Unprocessed() {
		t.Errorf("%s %+v", n.ID(), n.Meta())
	}
	n.Unlock()
	after := list(t, s)
	if len(after) != 1 || after[0].Meta.Origin != "userid 33" || after[0].Meta.UID != 33 ||
		!after[0].Meta.Arrived.Equal(before.Meta.Arrived) ||
		after[0].Envelope.Sender != "box@example.com" || after[0].Envelope.Recipients[0].Address != "it@example.com" {
		t.Errorf("%+v", after)
	}
	n = claim(t, s, id)
	if got, err := contentOf(n.Message()); err != nil || got != string(large) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	if st, err := s.Stats(); err != nil || st.Messages != 1 || st.Bytes != large.Size() {
		t.Errorf("%+v, %v", st, err)
	}
	w.none(t)
}

// TestReplaceFault lets each system call fail once, and for good: the message is in the queue once, as it was or
// as it has become, and a second try succeeds.
func TestReplaceFault(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		failures := 0
		for n := 0; ; n++ {
			s, _ := open(t, Options{})
			id := putUnprocessed(t, s)
			it := claimSoon(t, s, id)
			f := &failAt{n: n, all: all, err: syscall.EIO}
			s.ops = hooked(f.hook)
			r, err := it.Replace(t.Context(), to("z@example.com"), large)
			s.ops = s.o.Ops
			it.Unlock()
			if err == nil {
				r.Unlock()
			} else {
				failures++
			}
			left := list(t, s)
			if len(left) != 1 || left[0].ID != id || left[0].Err != nil {
				t.Fatalf("%v: %+v", f.hit, left)
			}
			if it = claimSoon(t, s, id); it.Meta().Unprocessed() {
				if err == nil {
					t.Fatalf("%v: replaced, but the old one is there", f.hit)
				}
				if r, err = it.Replace(t.Context(), to("z@example.com"), large); err != nil {
					t.Fatalf("%v: again: %v", f.hit, err)
				}
				it = r
			}
			if got, err := contentOf(it.Message()); err != nil || got != string(large) {
				t.Fatalf("%v: %d bytes, %v", f.hit, len(got), err)
			}
			it.Unlock()
			if f.hit == nil {
				break
			}
		}
		if failures < 6 {
			t.Errorf("only %d calls mattered", failures)
		}
	}
}

// TestSetAside: a copy for some recipients lies in failed/, still unprocessed.
func TestSetAside(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{Limits: Limits{MaxMessages: 1}})
	it := claim(t, s, putUnprocessed(t, s))
	if err := it.SetAside(t.Context(), it.Envelope().Recipients[:1], "nobody"); err != nil {
		t.Fatal(err)
	}
	var failed []Info
	if err := s.ListFailed(t.Context(), func(i Info) bool { failed = append(failed, i); return true }); err != nil {
		t.Fatal(err)
	}
	if len(failed) != 1 || !failed[0].Meta.Unprocessed() || failed[0].Status.Reason != "nobody" ||
		len(failed[0].Envelope.Recipients) != 1 || failed[0].Meta.UID != 33 {
		t.Errorf("%+v", failed)
	}
	if r, err := s.OpenContent(failed[0].ID); err != nil {
		t.Error(err)
	} else {
		_ = r.Close()
	}
	if left := list(t, s); len(left) != 1 || left[0].ID != it.ID() || len(left[0].Envelope.Recipients) != 2 {
		t.Errorf("%+v", left)
	}
}

func TestHeldBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		origin string
		held   bool
		reason string
		want   bool
	}{
		{"userid 33", false, "", false},
		{"userid 33", true, "", true},
		{"userid 33", true, NotProcessed, true},
		{Unprocessed + "userid 33", true, NotProcessed + ", since the configuration could not be used: x", false},
		{Unprocessed + "userid 33", true, "", true}, // by an administrator
		{Unprocessed + "userid 33", true, "internal fault", true},
		{Unprocessed + "userid 33", false, "", false},
	} {
		m := Meta{Origin: c.origin}
		if got := m.HeldBack(&Status{Held: c.held, Reason: c.reason}); got != c.want ||
			m.Unprocessed() != strings.HasPrefix(c.origin, Unprocessed) {
			t.Errorf("%s: %v", fmt.Sprint(c), got)
		}
	}
}
