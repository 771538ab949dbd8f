package queue

import "time"

// MaxProbePause is the longest wait between two probes of a fault that the server counts.
const MaxProbePause = time.Hour

// ProbePause returns the wait after the failures-th try in a row (1 is the first) that met a fault which
// Exchange Online counts and answers with throttling: it doubles from first up to MaxProbePause. A first
// that is longer than that stays as it is.
func ProbePause(failures int, first time.Duration) time.Duration {
	if first <= 0 {
		first = 5 * time.Minute
	}
	return max(first, min(first<<min(max(failures-1, 0), 10), MaxProbePause))
}

// A sender that a caller chose is tried again 30 minutes and 2 hours after its first refusal, since a
// right that was granted may take up to two hours to work; then it is refused.
var authorSteps = [...]time.Duration{30 * time.Minute, 90 * time.Minute}

// AuthorPause returns the wait after the failures-th refusal (1 is the first) of a sender that a caller
// chose; ok is false when there are no more tries.
func AuthorPause(failures int) (wait time.Duration, ok bool) {
	if failures > len(authorSteps) {
		return 0, false
	}
	return authorSteps[max(failures, 1)-1], true
}

// A user's refusals in a row that cost no time, and the longest wait after more of them.
const (
	freeRefusals = 5
	maxUserPause = 15 * time.Minute
)

// UserPause returns how long a user's mail waits after row messages in a row met a refused recipient or sender: nothing
// at first, then from one minute doubled up to a quarter of an hour.
func UserPause(row int) time.Duration {
	if row <= freeRefusals {
		return 0
	}
	return min(time.Minute<<min(row-freeRefusals-1, 10), maxUserPause)
}
