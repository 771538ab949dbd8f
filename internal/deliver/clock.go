package deliver

import "time"

// Clock is time as the engine sees it; tests put their own in.
type Clock interface {
	Now() time.Time
	// After returns a channel that gets one value after d, and a function that ends the wait.
	After(d time.Duration) (c <-chan time.Time, stop func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}
