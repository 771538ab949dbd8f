package notify

import (
	"testing"
	"time"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const (
	day      = 24 * time.Hour
	tenYears = 3652 * day
)

func TestExpiryWarning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		left time.Duration
		told int
		days int
		due  bool
	}{
		{31 * day, 0, 0, false},
		{30 * day, 0, 30, true},
		{29 * day, 30, 30, false},
		{14 * day, 30, 14, true},
		{13 * day, 14, 14, false},
		{7 * day, 14, 7, true},
		{5 * day, 0, 7, true},
		{5 * day, 30, 7, true},
		{2 * day, 7, 7, false},
		{day, 7, 1, true},
		{time.Hour, 1, 1, false},
		{0, 0, 0, false},
		{-day, 7, 0, false},
	} {
		days, due := ExpiryWarning(time.Time{}, now.Add(c.left), now, c.told)
		if days != c.days || due != c.due {
			t.Errorf("%v left, told %d: %d, %v; want %d, %v", c.left, c.told, days, due, c.days, c.due)
		}
	}
	if _, due := ExpiryWarning(time.Time{}, time.Time{}, now, 0); due {
		t.Error("a secret without an end is warned of")
	}
}

func TestExpiryWarningsOverTime(t *testing.T) {
	t.Parallel()
	var given []int
	told := 0
	for at := now; at.Before(now.Add(50 * day)); at = at.Add(time.Hour) {
		if days, due := ExpiryWarning(time.Time{}, now.Add(40*day), at, told); due {
			given, told = append(given, days), days
		}
	}
	if len(given) != 4 {
		t.Errorf("warnings given: %v", given)
	}
}

func TestDaysLeft(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]int{0: 0, day - 1: 0, day: 1, 30 * day: 30, -1: -1, -day: -1,
		-day - 1: -2} {
		if got := DaysLeft(now.Add(left), now); got != want {
			t.Errorf("%v: %d, want %d", left, got, want)
		}
	}
}

// TestExpiryWarningByLife warns when a tenth of a known life is left.
func TestExpiryWarningByLife(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		life, left time.Duration
		step       int
	}{
		{90 * day, 20 * day, 0}, {90 * day, 9*day + time.Hour, 0}, {90 * day, 9 * day, 30}, {90 * day, 2 * day, 7},
		{90 * day, 6 * time.Hour, 1},
		{730 * day, 80 * day, 0}, {730 * day, 70 * day, 30}, {730 * day, 30 * day, 14}, {730 * day, 2 * day, 1},
		{7 * day, 6 * day, 0}, {7 * day, 16 * time.Hour, 30},
		{0, 20 * day, 30}, {-day, 20 * day, 30},
	} {
		end := now.Add(c.left)
		if step, due := ExpiryWarning(end.Add(-c.life), end, now, 0); step != c.step || due != (c.step > 0) {
			t.Errorf("life %v, left %v: step %d, due %v; want %d", c.life, c.left, step, due, c.step)
		}
	}
}
