package schedule

import "time"

// MaxAccountPause is the longest pause of an account, jitter included, unless the
// server asks for more.
const MaxAccountPause = 10 * time.Minute

const (
	firstAccountPause = 30 * time.Second
	maxAsked          = time.Hour // no server may stop the mail for longer by one reply
)

// AccountPause returns how long all mail of one account waits after the failures-th failure
// in a row (1 is the first) that is none of a message's own: no network, no token, a
// quota, a block. It doubles from 30 seconds to 10 minutes. A Retry-After, 0 if
// none was given, is kept to, up to an hour. Jitter is a random number in [0,1).
func AccountPause(failures int, retryAfter time.Duration, jitter float64) time.Duration {
	step := firstAccountPause << min(max(failures-1, 0), 10)
	step = min(step, MaxAccountPause)
	most := MaxAccountPause
	if retryAfter > step {
		most = maxAsked
	}
	return spread(step, retryAfter, most, jitter)
}
