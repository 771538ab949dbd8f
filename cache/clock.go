package cache

import "time"

const (
	// skew is how far two readings of one clock may seem to run backwards.
	skew = 2 * time.Second
	// stepTolerance is how far wall clock and uptime (whole seconds) may drift
	// apart before the wall clock counts as set by hand. Both are slewed together by NTP.
	stepTolerance = 3 * time.Second
)

// stamp says when something happened by a clock that nobody sets.
type stamp struct {
	// Boot is the kernel's boot id; "" when unknown.
	Boot string `json:"boot,omitempty"`
	// Uptime is the time since boot, suspended time included, in seconds; 0 when unknown.
	Uptime int64 `json:"uptime,omitempty"`
}

// clock reads the wall clock and the uptime.
type clock struct {
	now    func() time.Time
	uptime func() int64  // seconds since boot; 0 when unknown
	boot   func() string // boot id; "" when unknown
}

func newClock(now func() time.Time) clock {
	if now == nil {
		now = time.Now
	}
	return clock{now: now, uptime: systemUptime, boot: systemBoot}
}

// stamp returns the stamp of this moment.
func (c clock) stamp() stamp { return stamp{Boot: c.boot(), Uptime: c.uptime()} }

// age returns how long ago something happened that was recorded with the wall time at and
// the stamp s. Of two clocks that disagree it believes the one that makes a token older.
// It returns false when the record can't be trusted because it lies in the future.
func (c clock) age(at time.Time, s stamp) (time.Duration, bool) {
	wall := c.now().Sub(at)
	if wall < -skew {
		return 0, false
	}
	wall = max(wall, 0)
	up := c.uptime()
	if s.Uptime == 0 || up == 0 {
		return wall, true
	}
	real := time.Duration(up-s.Uptime) * time.Second
	if d := wall - real; d >= -stepTolerance && d <= stepTolerance {
		return wall, true
	}
	// The clock was set, or the host was started again since.
	boot := c.boot()
	switch {
	case boot != "" && s.Boot != "" && boot != s.Boot:
		return wall, true
	case boot == s.Boot && boot != "" && real < -skew:
		return 0, false
	}
	return max(wall, real), true
}
