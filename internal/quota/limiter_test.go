package quota_test

import (
	"path/filepath"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/quota/limitertest"
)

func TestHostIsALimiter(t *testing.T) {
	t.Parallel()
	limitertest.Run(t, func(t *testing.T, _ quota.Limits) (one, two quota.Limiter) {
		dir := filepath.Join(t.TempDir(), "cache")
		ledger := func() quota.Host {
			return quota.Host{Ledger: quota.New(&durable.Shared{Path: dir, Lost: "nothing is counted", Ops: durable.System,
				Warn: func(err error) { t.Error(err) }}, nil)}
		}
		return ledger(), ledger()
	})
}

// TestMoveCountsAlways: what the server has counted counts, room or not.
func TestMoveCountsAlways(t *testing.T) {
	t.Parallel()
	l := quota.New(&durable.Shared{Path: filepath.Join(t.TempDir(), "cache"), Ops: durable.System}, nil)
	now, limits := time.Now(), quota.Limits{MessagesPerMinute: 1}
	if _, err := l.Reserve("a@contoso.com", 2, limits, now); err != nil {
		t.Fatal(err)
	}
	end := now.Add(90 * time.Second)
	if wait, err := l.Reserve("a@contoso.com", 2, limits, end); wait > 0 || err != nil {
		t.Fatal(wait, err)
	}
	l.Move("a@contoso.com", 2, now, end)
	if messages, recipients := l.Usage("a@contoso.com", end); messages != 2 || recipients != 4 {
		t.Errorf("%d messages, %d recipients", messages, recipients)
	}
}
