package spool

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"
)

// TestRedirect: those that do not have the message are replaced, and what is known of the others stays. Crashes in
// between are in play.
func TestRedirect(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, w := open(t, Options{})
	id := put(t, s, to("done@example.com", "refused@example.com", "todo@example.com", "other@example.com"), hello)
	it := claim(t, s, id)
	if _, err := s.Redirect(ctx, id, []string{"x@example.com"}, "", false); !errors.Is(err, ErrBusy) {
		t.Errorf("while it is delivered: %v", err)
	}
	err := errors.Join(it.Mark(map[int]RecipientStatus{0: {Done, 250, "2.1.5"}, 1: {Failed, 550, "5.1.1"}}),
		it.Defer(time.Now().Add(time.Hour), "temporary", "451 later"), it.Hold("by hand"))
	if err != nil {
		t.Fatal(err)
	}
	it.Unlock()
	before, _ := s.Stats()
	for _, dry := range []bool{true, false} {
		from, err := s.Redirect(ctx, id, []string{"new@example.com", "NEW@example.com", "\u00fc@example.com"}, "moved", dry)
		if err != nil || !reflect.DeepEqual(from, []string{"todo@example.com", "other@example.com"}) {
			t.Fatal(from, err)
		}
		if info, err := s.Get(id); err != nil || dry && len(info.Envelope.Recipients) != 4 {
			t.Errorf("%+v %v", info, err)
		}
	}
	info, err := s.Get(id)
	want := []RecipientStatus{{Done, 250, "2.1.5"}, {Failed, 550, "5.1.1"}, {Todo, 0, ""}, {Todo, 0, ""}}
	if err != nil || !reflect.DeepEqual(info.Status.Recipients, want) || !info.Status.Held || info.Status.Attempts != 1 ||
		!info.Status.Next.IsZero() || info.Envelope.Recipients[2].Address != "new@example.com" || !info.Envelope.SMTPUTF8 {
		t.Errorf("%+v %v", info, err)
	}
	if after, _ := s.Stats(); after != before {
		t.Errorf("%+v, before %+v", after, before)
	}
	if _, err := s.Redirect(ctx, id, []string{"Done@example.com"}, "", true); !errors.Is(err, ErrHasIt) {
		t.Errorf("twice to one: %v", err)
	}
	if body, err := contentOf(claim(t, s, id).Message()); err != nil || body != string(hello) {
		t.Errorf("%q %v", body, err)
	}
	if _, err := s.Redirect(ctx, "20260304050607-0000000000000000", nil, "", false); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	w.none(t)
}
