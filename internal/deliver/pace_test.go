package deliver

import (
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/quota"
)

// pacing drains 150 messages by a pace, in fake time, and returns how long that takes.
func pacing(t *testing.T, learn bool, server func(*emulator.State)) (took time.Duration, refusedIn map[int64]int) {
	t.Helper()
	refusedIn = map[int64]int{}
	inBubble(t, rigOptions{emulator: server, account: func(a *Account) {
		a.Learn, a.Limits.MessagesPerMinute, a.Shares = learn, 30, queue.Shares{}
		farAway(a)
	}}, func(t *testing.T, r *rig) {
		const messages = 150
		for i := range messages {
			r.put(1000, i)
		}
		began, seen := time.Now(), 0
		r.run()
		for len(r.em.Messages()) < messages {
			if time.Since(began) > time.Hour {
				t.Fatalf("%d messages in an hour", len(r.em.Messages()))
			}
			time.Sleep(500 * time.Millisecond)
			if n := r.em.Refused("421"); n > seen {
				refusedIn[int64(time.Since(began)/time.Minute)] += n - seen
				seen = n
			}
		}
		took = time.Since(began)
	})
	return took, refusedIn
}

// TestPaceLearn: a server that takes the excess gets it, and one that refuses it is asked once.
func TestPaceLearn(t *testing.T) {
	t.Parallel()
	takes := func(*emulator.State) {}
	refuses := func(s *emulator.State) { s.Limits.PerMinute = 30 }
	strict, _ := pacing(t, false, takes)
	if strict < 4*time.Minute {
		t.Errorf("strict takes %v", strict)
	}
	if learn, _ := pacing(t, true, takes); learn > strict/5 {
		t.Errorf("learn takes %v where the server takes all, strict %v", learn, strict)
	} else {
		t.Logf("150 messages: strict %v, learn %v", strict, learn)
	}
	took, refused := pacing(t, true, refuses)
	t.Logf("150 messages where the excess is refused: %v, refusals by the minute %v", took, refused)
	for minute, n := range refused {
		if n > 1 {
			t.Errorf("minute %d: %d refusals", minute, n)
		}
	}
	if len(refused) == 0 || took > 2*strict {
		t.Errorf("%v, refusals %v", took, refused)
	}
}

// TestPaceGrows: a refusal brings the documented number back for an hour, for all processes; then it grows.
func TestPaceGrows(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{account: func(a *Account) { a.Learn, a.Limits.MessagesPerMinute = true, 30 }})
	a := r.e.core.config().Account
	other := &Account{Learn: true, Limits: a.Limits, Quota: quota.New(a.Cache.Shared(), nil)}
	now := time.Now()
	if n := a.perMinute(a.Mailbox, now); n != 0 {
		t.Errorf("nothing was refused: %d", n)
	}
	a.learnPace(a.Mailbox, &queue.Fault{Key: diagnose.KeyMessageRate}, now)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{
		{time.Second, 30}, {59 * time.Minute, 30}, {61 * time.Minute, 60}, {71 * time.Minute, 120},
		{101 * time.Minute, 960},
		{119 * time.Minute, 1920}, {121 * time.Minute, 0},
	} {
		if n := other.perMinute(a.Mailbox, now.Add(c.after)); n != c.want {
			t.Errorf("%v after a refusal: %d, want %d", c.after, n, c.want)
		}
	}
	a.Learn = false
	if n := a.perMinute(a.Mailbox, now); n != 30 {
		t.Errorf("strict: %d", n)
	}
}
