package doctor

import (
	"strings"
	"testing"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/quota"
)

// TestFleet: the worst is told, with what to do.
func TestFleet(t *testing.T) {
	t.Parallel()
	whole := queueview.Fleet{Centre: &quota.Centre{Version: "2.15.2", Replicas: 3}, Hosts: make([]quota.Peer, 4)}
	for _, x := range []struct {
		change    func(*queueview.Fleet)
		key, seen string
	}{
		{func(*queueview.Fleet) {}, "", "4 hosts, nats-server 2.15.2, everything is kept 3 times"},
		{func(f *queueview.Fleet) { f.Silent = []queueview.SilentHost{{Name: "h7", Seconds: 125}} }, "fleet-silent",
			"h7 has said nothing for 2m5s"},
		{func(f *queueview.Fleet) { f.Centre = &quota.Centre{Behind: []string{"n3"}} }, "fleet-behind", "n3"},
		{func(f *queueview.Fleet) { f.Faults = []string{"a", "b"} }, "fleet-fault", "a (and 1 more)"},
		{func(f *queueview.Fleet) { f.Centre, f.Unreachable = nil, "no answer" }, "fleet-unreachable", "no answer"},
	} {
		f, c := whole, Check{}
		x.change(&f)
		judgeFleet(&c, &f)
		if c.Key != x.key || !strings.Contains(c.Seen, x.seen) || (c.Key == "") != (c.Status == OK) ||
			c.Key != "" && c.Hint == "" {
			t.Errorf("%s: %+v", x.key, c)
		}
	}
}
