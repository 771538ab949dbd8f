package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// heard watches in the background, and returns a function that waits for an event whose text begins so.
func heard(t *testing.T, q Queue, f queueview.Filter) func(want string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	events, done := make(chan string, 1000), make(chan error, 1)
	go func() {
		done <- q.Watch(ctx, f, func(e *Event) error {
			switch {
			case e.Message != nil:
				events <- fmt.Sprintf("%s %s %d", e.Message.ID, e.Message.State, e.Message.Tries)
			case e.Gone != "":
				events <- e.Gone + " gone"
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err == nil {
			t.Error("it ended by itself")
		}
	})
	return func(want string) {
		t.Helper()
		select {
		case got := <-events:
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no %q", want)
		}
	}
}

// TestWatch: each change that the viewer may see is told once, and no other user's.
func TestWatch(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *rig, as func(int) Queue) {
		a := r.put(alice, "alice@example.com", "x@example.org")
		next := heard(t, as(alice), queueview.Filter{})
		held := heard(t, as(0), queueview.Filter{State: "held"})
		next(a + " queued 0")
		b := r.put(bob, "bob@example.com", "y@example.org")
		r.claim(a, func(it *spool.Item) error { return it.Excuse(time.Now(), "account", "no network") })
		next(a + " deferred 1")
		r.claim(b, func(it *spool.Item) error { return it.Hold("x") })
		held(b + " held 0")
		r.claim(b, func(it *spool.Item) error { return it.Release() })
		held(b + " gone")
		apply(t, r.local, Delete, queueview.Filter{IDs: []string{b}})
		r.claim(a, func(it *spool.Item) error { return it.Fail("over") })
		next(a + " gone")
		c := r.put(alice, "alice@example.com", "z@example.org")
		next(c + " queued 0")
	})
}

func TestWatchUsage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, f := range []queueview.Filter{{Failed: true}, {IDs: []string{"20260304050607-0000000000000000"}}} {
		wantCode(t, r.as(0).Watch(context.Background(), f, nil), sysexits.Usage)
	}
	stop := errors.New("enough")
	if err := r.as(0).Watch(context.Background(), queueview.Filter{}, func(*Event) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

// TestSilentAgent: an agent that was stopped takes connections, and nobody waits for long.
func TestSilentAgent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Connect(context.Background(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = c.Status(ctx)
	wantCode(t, err, sysexits.TempFail)
	if err == nil || !strings.Contains(err.Error(), "does not answer; is it stopped?") {
		t.Error(err)
	}
}
