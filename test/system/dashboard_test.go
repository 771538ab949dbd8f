//go:build system && dashboard

package system

import (
	"flag"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

var data = flag.String("data", "", "directory for the data of a Prometheus")

// TestDashboardData makes what the pictures of the dashboard show: five minutes of three hosts, of which the first is
// busy, the second can't reach Exchange for a minute, and the third loses its access at the end.
// test/dashboard-pictures.sh runs it.
func TestDashboardData(t *testing.T) {
	if *data == "" {
		t.Fatal("-data is not given")
	}
	const all = 5 * time.Minute
	targets := map[string]string{}
	var sending sync.WaitGroup
	for _, host := range []struct {
		name     string
		every    time.Duration // sends so often
		fault    string
		from, to time.Duration
	}{
		{"web1.example.org:9587", 400 * time.Millisecond, "", 2 * all, 2 * all},
		{"shop.example.org:9587", 900 * time.Millisecond, "smtp-busy", all / 4, all / 2},
		{"db1.example.org:9587", 3 * time.Second, "full-access-missing", all * 7 / 8, 2 * all},
	} {
		addr := freeAddress(t)
		a, control := watchedAgent(t, addr)
		targets[host.name] = addr
		sending.Go(func() {
			set := time.AfterFunc(host.from, func() { fault(t, control, http.MethodPut, host.fault) })
			end := time.AfterFunc(host.to, func() { fault(t, control, http.MethodDelete, host.fault) })
			defer set.Stop()
			defer end.Stop()
			for begin, n := time.Now(), 0; time.Since(begin) < all; n++ {
				sendOne(t, a, n)
				time.Sleep(host.every * time.Duration(1+n/40%3))
			}
		})
	}
	startPrometheus(t, *data, targets)
	sending.Wait()
}

// sendOne sends the nth message: most go out at once, some wait, come back, or are refused.
func sendOne(t *testing.T, a *agentProcess, n int) {
	t.Helper()
	mode, to := "-odb", fmt.Sprintf("customer-%d@example.org", n)
	switch {
	case n%20 == 7:
		to = fmt.Sprintf("tempfail-1-%d@example.org", n)
	case n%30 == 11:
		to = "reject-me@example.org"
	case n%40 == 13:
		mode, to = "-odi", "reject-me@example.org"
	}
	message := fmt.Sprintf("Subject: order %d\n\n%s", n, strings.Repeat("Thank you.\n", 50*(1+n%9)))
	callAt(t, a, "www-data", message, mode, "-i", to).run(t)
}
