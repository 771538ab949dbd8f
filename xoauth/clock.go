package xoauth

import (
	"context"
	"time"
)

// SleepFunc waits for d or until ctx is done, whose error it then returns.
type SleepFunc func(ctx context.Context, d time.Duration) error

// sleep is the SleepFunc of those who set none.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
