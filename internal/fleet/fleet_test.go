package fleet

import (
	"strings"
	"sync/atomic"
	"testing"

	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/quota/limitertest"
)

// TestFleetIsALimiter runs the suite of the host's own limiter between two hosts.
func TestFleetIsALimiter(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	var fleets atomic.Int32
	limitertest.Run(t, func(t *testing.T, limits quota.Limits) (one, two quota.Limiter) {
		o := Options{Servers: []string{s.ClientURL()}, Limits: limits, Minute: 60e9,
			Name: "suite" + strings.Repeat("x", int(fleets.Add(1)))}
		o.Host = "h1"
		one = join(t, o)
		o.Host = "h2"
		return one, join(t, o)
	})
}
