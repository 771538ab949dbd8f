package deliver

import (
	"testing"

	"o365-sendmail/internal/quota"
)

// TestDepth: messages are sent ahead of the replies where no rate holds them back.
func TestDepth(t *testing.T) {
	t.Parallel()
	for perMinute, want := range map[int]int{0: defaultDepth, 30: 1, 59: 1, 60: 2, 100000: defaultDepth} {
		cs := &couriers{core: &core{o: EngineOptions{Depth: defaultDepth}}}
		if got := cs.depth(&Account{Limits: quota.Limits{MessagesPerMinute: perMinute}}); got != want {
			t.Errorf("%d messages a minute: %d ahead, want %d", perMinute, got, want)
		}
	}
}
