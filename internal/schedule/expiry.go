package schedule

import "time"

// warningDays are the days before the end of a secret or certificate on which
// somebody is told, in falling order.
var warningDays = [...]int{30, 14, 7, 1}

// ExpiryWarning tells whether a warning about a secret that ends at expires is due, and
// which: days is 30, 14, 7 or 1, the nearest that has begun. Told is the days of the
// last warning that was given for this end, 0 if none was; each is given once, and one that
// was missed is not made up for. After the end there is no warning: it is a fault then.
func ExpiryWarning(expires, now time.Time, told int) (days int, due bool) {
	left := expires.Sub(now)
	if expires.IsZero() || left <= 0 {
		return 0, false
	}
	for _, d := range warningDays {
		if left <= time.Duration(d)*24*time.Hour {
			days = d
		}
	}
	return days, days > 0 && (told == 0 || days < told)
}

// DaysLeft returns the whole days until expires, negative after it.
func DaysLeft(expires, now time.Time) int {
	left := expires.Sub(now)
	if left < 0 {
		return int((left - 24*time.Hour + 1) / (24 * time.Hour))
	}
	return int(left / (24 * time.Hour))
}
