package notify

import "time"

// warningDays are the steps before the end of a secret or certificate on which somebody is
// told, in falling order: days for one whose beginning nobody knows, else as many of the 300
// parts of its life. So the first warning comes when a tenth of the life is left: a
// certificate of 90 days is not warned about from its 60th day on, and one of two years early
// enough for a large organization.
var warningDays = [...]int{30, 14, 7, 1}

const lifeParts = 300

// ExpiryWarning reports whether a warning about a secret that lives from begins to expires is
// due, and which: step is 30, 14, 7 or 1, the nearest that has begun. Begins is zero where
// nobody knows it. Told is the step of the last warning that was given for this end, 0 if none
// was; each is given once, and one that was missed is not made up for. After the end there is
// no warning: it is a fault then.
func ExpiryWarning(begins, expires, now time.Time, told int) (step int, due bool) {
	left := expires.Sub(now)
	if expires.IsZero() || left <= 0 {
		return 0, false
	}
	unit := 24 * time.Hour
	if !begins.IsZero() && begins.Before(expires) {
		unit = expires.Sub(begins) / lifeParts
	}
	for _, d := range warningDays {
		if left <= time.Duration(d)*unit {
			step = d
		}
	}
	return step, step > 0 && (told == 0 || step < told)
}

// DaysLeft returns the whole days until expires, negative after it.
func DaysLeft(expires, now time.Time) int {
	left := expires.Sub(now)
	if left < 0 {
		return int((left - 24*time.Hour + 1) / (24 * time.Hour))
	}
	return int(left / (24 * time.Hour))
}
