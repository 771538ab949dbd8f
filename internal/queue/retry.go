package queue

import "time"

// MaxDelay is the longest wait between two tries of one message, jitter included.
const MaxDelay = 66 * time.Minute

// steps are the waits after the first, second, ... try; the last one repeats.
var steps = [...]time.Duration{
	1 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, 60 * time.Minute,
}

// jitterShare is how much of a wait is spread, so that what failed together is
// not tried again together.
const jitterShare = 0.1

// NextAttempt returns when a message is due again after its attempts-th failed try
// (1 is the first), which ended at now. The server's Retry-After, 0 if it gave none, makes
// the wait longer, but never longer than MaxDelay. Jitter is a random number in [0,1).
func NextAttempt(attempts int, now time.Time, retryAfter time.Duration, jitter float64) time.Time {
	step := steps[min(max(attempts, 1), len(steps))-1]
	return now.Add(spread(step, retryAfter, MaxDelay, jitter))
}

// spread adds -10 % to +10 % to the wait. A server's own wait is only made longer,
// for it is the least that is allowed.
func spread(step, retryAfter, most time.Duration, jitter float64) time.Duration {
	jitter = min(max(jitter, 0), 1)
	wait := step + time.Duration((2*jitter-1)*jitterShare*float64(step))
	if retryAfter >= step {
		retryAfter = min(retryAfter, most)
		wait = retryAfter + time.Duration(jitter*jitterShare*float64(retryAfter))
	}
	return min(max(wait, time.Second), most)
}

// Due reports whether a message whose next try was set to next is to be tried now.
// A next try further away than any wait comes from a clock that was set back since.
func Due(next, now time.Time) bool {
	return !next.After(now) || next.After(now.Add(MaxDelay))
}

// Expired reports whether a message is to be given up: it is older than lifetime and
// was tried as often as MinAttempts demands, so that a clock that jumps ahead, or
// a program that was off for a week, bounces nothing that was hardly tried. A lifetime of 0 or
// less never ends.
func Expired(attempts int, arrived, now time.Time, lifetime time.Duration) bool {
	return lifetime > 0 && now.Sub(arrived) > lifetime && attempts >= MinAttempts(lifetime)
}

// mostMinAttempts is seven hours of tries.
const mostMinAttempts = 10

// MinAttempts is how many tries a message has at least before it expires: those
// that the steps allow in half its lifetime, at least 1 and at most 10.
func MinAttempts(lifetime time.Duration) int {
	n, at := 1, time.Duration(0)
	for n < mostMinAttempts {
		at += steps[min(n, len(steps))-1]
		if at > lifetime/2 {
			break
		}
		n++
	}
	return n
}

// DelayWarningDue reports whether the sender is to be told that the message is late. An
// after of 0 or less means never; it is told once, and only of a message that was tried.
func DelayWarningDue(attempts int, arrived, now time.Time, after time.Duration, warned bool) bool {
	return after > 0 && !warned && attempts > 0 && now.Sub(arrived) >= after
}

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
