package queue

import (
	"testing"
	"time"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const (
	day       = 24 * time.Hour
	tenYears  = 3652 * day
	lifetime  = 5 * day
	noJitter  = 0.5
	maxJitter = 0.999999
)

func TestNextAttempt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attempts   int
		retryAfter time.Duration
		jitter     float64
		want       time.Duration
	}{
		{-1, 0, noJitter, time.Minute},
		{0, 0, noJitter, time.Minute},
		{1, 0, noJitter, time.Minute},
		{1, 0, 0, 54 * time.Second},
		{2, 0, noJitter, 5 * time.Minute},
		{3, 0, noJitter, 15 * time.Minute},
		{4, 0, noJitter, 30 * time.Minute},
		{5, 0, noJitter, time.Hour},
		{6, 0, noJitter, time.Hour},
		{1000, 0, noJitter, time.Hour},
		{5, 0, 0, 54 * time.Minute},
		{5, 0, 1, MaxDelay},
		{5, 0, 7, MaxDelay},
		{1, 10 * time.Second, noJitter, time.Minute},
		{1, 10 * time.Minute, 0, 10 * time.Minute},
		{1, 10 * time.Minute, 1, 11 * time.Minute},
		{1, tenYears, 0, MaxDelay},
		{1, -time.Hour, noJitter, time.Minute},
	} {
		if got := NextAttempt(c.attempts, now, c.retryAfter, c.jitter).Sub(now); got != c.want {
			t.Errorf("attempt %d, Retry-After %v, jitter %v: %v, want %v", c.attempts, c.retryAfter, c.jitter,
				got, c.want)
		}
	}
}

func TestNextAttemptIsAlwaysDueInTime(t *testing.T) {
	t.Parallel()
	for attempts := range 20 {
		for _, jitter := range []float64{0, noJitter, maxJitter} {
			next := NextAttempt(attempts, now, 0, jitter)
			if Due(next, now) {
				t.Errorf("attempt %d, jitter %v: due at once", attempts, jitter)
			}
			if !Due(next, next) {
				t.Errorf("attempt %d, jitter %v: not due in its time", attempts, jitter)
			}
		}
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		next time.Time
		want bool
	}{
		{"new", time.Time{}, true},
		{"now", now, true},
		{"past", now.Add(-time.Second), true},
		{"soon", now.Add(time.Second), false},
		{"longest wait", now.Add(MaxDelay), false},
		{"clock set back a little", now.Add(MaxDelay + time.Second), true},
		{"clock set back ten years", now.Add(tenYears), true},
		{"clock set ahead ten years", now.Add(-tenYears), true},
	} {
		if got := Due(c.next, now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		attempts int
		age      time.Duration
		lifetime time.Duration
		want     bool
	}{
		{"young", 100, lifetime, lifetime, false},
		{"old", 100, lifetime + time.Second, lifetime, true},
		{"clock ahead ten years, never tried", 0, tenYears, lifetime, false},
		{"clock ahead ten years, tried a few times", 9, tenYears, lifetime, false},
		{"clock ahead ten years, tried enough", 10, tenYears, lifetime, true},
		{"clock back ten years", 100, -tenYears, lifetime, false},
		{"short life", 1, 2 * time.Minute, time.Minute, true},
		{"short life, never tried", 0, 2 * time.Minute, time.Minute, false},
		{"no end", 1000, tenYears, 0, false},
	} {
		if got := Expired(c.attempts, now.Add(-c.age), now, c.lifetime); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestMinAttempts(t *testing.T) {
	t.Parallel()
	for lifetime, want := range map[time.Duration]int{
		0: 1, time.Minute: 1, 2 * time.Minute: 2, 12 * time.Minute: 3, 2 * time.Hour: 5, 10 * time.Hour: 9, day: 10,
		5 * day: 10,
	} {
		if got := MinAttempts(lifetime); got != want {
			t.Errorf("%v: %d, want %d", lifetime, got, want)
		}
	}
}

func TestDelayWarningDue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		attempts int
		age      time.Duration
		after    time.Duration
		warned   bool
		want     bool
	}{
		{"early", 3, 4*time.Hour - 1, 4 * time.Hour, false, false},
		{"late", 3, 4 * time.Hour, 4 * time.Hour, false, true},
		{"told already", 3, 5 * time.Hour, 4 * time.Hour, true, false},
		{"switched off", 3, 5 * time.Hour, 0, false, false},
		{"clock ahead, not tried", 0, tenYears, 4 * time.Hour, false, false},
		{"clock back", 3, -tenYears, 4 * time.Hour, false, false},
	} {
		if got := DelayWarningDue(c.attempts, now.Add(-c.age), now, c.after, c.warned); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestAccountPause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		failures   int
		retryAfter time.Duration
		jitter     float64
		want       time.Duration
	}{
		{0, 0, noJitter, 30 * time.Second},
		{1, 0, noJitter, 30 * time.Second},
		{1, 0, 0, 27 * time.Second},
		{2, 0, noJitter, time.Minute},
		{5, 0, noJitter, 8 * time.Minute},
		{6, 0, 1, MaxAccountPause},
		{1 << 40, 0, 1, MaxAccountPause},
		{1, 5 * time.Minute, 0, 5 * time.Minute},
		{1, 30 * time.Minute, 0, 30 * time.Minute},
		{1, tenYears, maxJitter, time.Hour},
		{1, -time.Minute, noJitter, 30 * time.Second},
	} {
		if got := AccountPause(c.failures, c.retryAfter, c.jitter); got != c.want {
			t.Errorf("failure %d, Retry-After %v, jitter %v: %v, want %v", c.failures, c.retryAfter, c.jitter,
				got, c.want)
		}
	}
}
