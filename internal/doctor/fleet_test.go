package doctor

import (
	"errors"
	"strings"
	"testing"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/sysexits"
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

// TestFleetNotJoined: it is an error, since all mail waits, and the hint is not to start the agent again.
func TestFleetNotJoined(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Status{"this host can't join its fleet: fleet.nkey_file: is empty": Failed,
		"this host is in no fleet: its configuration has no fleet.servers": Warning} {
		c := &Check{}
		judgeMember(c, &queueview.Fleet{}, sysexits.With(sysexits.Config, errors.New(text)))
		if c.Status != want || !strings.Contains(c.Seen, text) || (want == Failed) == strings.Contains(c.Hint, "restart") {
			t.Errorf("%+v", c)
		}
	}
}
