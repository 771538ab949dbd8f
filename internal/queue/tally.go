package queue

import "time"

// tally counts by a unit of time, the oldest first.
type tally []count

type count struct {
	at int64
	n  int
}

func (t *tally) add(at int64, n int) {
	if last := len(*t) - 1; last >= 0 && (*t)[last].at == at {
		(*t)[last].n += n
		return
	}
	*t = append(*t, count{at, n})
}

// takeBack takes n off what was counted at the time at, if that is still known.
func (t *tally) takeBack(at int64, n int) {
	for i := len(*t) - 1; i >= 0; i-- {
		if c := &(*t)[i]; c.at == at {
			c.n = max(c.n-n, 0)
			return
		}
	}
}

// since forgets what was counted before from and sums up the rest. What lies ahead of now was
// counted by a clock that was set back, and is forgotten, too.
func (t *tally) since(from, now int64) (sum int) {
	keep := (*t)[:0]
	for _, c := range *t {
		if c.at >= from && c.at <= now && c.n > 0 {
			keep = append(keep, c)
			sum += c.n
		}
	}
	*t = keep
	return sum
}

// oldest is how long it takes until the oldest try is a minute old.
func (t tally) oldest(now time.Time) time.Duration {
	if len(t) == 0 {
		return time.Second
	}
	return max(time.Unix(t[0].at+61, 0).Sub(now), time.Second)
}
