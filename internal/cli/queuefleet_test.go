package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/sysexits"
)

// fleetSites are two hosts whose agents ask each other, and a third that does not answer.
func fleetSites(t *testing.T, state func(*queueview.Fleet)) (one, two *queueSite) {
	t.Helper()
	one, two = newQueueSite(t), newQueueSite(t)
	one.open()
	two.open()
	peer := control.NewServer(control.NewLocal(two.spool, control.Hooks{}), nil)
	one.agent(queueview.Status{}, func(h *control.Hooks) {
		h.Fleet = func(context.Context, bool) (queueview.Fleet, error) {
			f := queueview.Fleet{Name: "billing", Host: "h1", Centre: &quota.Centre{Server: "nats://n1:4222",
				Version: "2.15.2", Leader: "n2", Replicas: 3, Behind: []string{"n3"}},
				Hosts: []quota.Peer{{Name: "h1", ID: "1", Version: "9.9"}, {Name: "h2", ID: "2", Version: "9.9",
					Backlog: quota.Backlog{Messages: 2, Oldest: 61}}},
				Silent: []queueview.SilentHost{{Name: "h7", Seconds: 125}},
				Mailboxes: []queueview.FleetMailbox{{Name: one.Mailbox, Messages: 12, Recipients: 1,
					Slots: []queueview.FleetSlot{{N: 0, Host: "h2"}}}}}
			state(&f)
			return f, nil
		}
		h.Ask = func(ctx context.Context, host string, request []byte, part func([]byte) error) error {
			if host == "h3" {
				return errors.New("host h3 does not answer")
			}
			return peer.AnswerHost(ctx, request, part)
		}
	})
	return one, two
}

// TestFleetQueue: a command with --fleet is carried out on each host, a message by the host that has it.
func TestFleetQueue(t *testing.T) {
	t.Parallel()
	one, two := fleetSites(t, func(*queueview.Fleet) {})
	here, there, also := one.put(33, "x@example.org"), two.put(33, "y@example.org"), two.put(33, "z@example.net")
	r := one.as("mailq", "--fleet")
	h1, h2, found := strings.Cut(r.stdout, "host h2:")
	if r.code != 0 || !found || !strings.Contains(h1, here) || strings.Contains(h1, there) || !strings.Contains(h2, there) ||
		!strings.Contains(h2, also) || !strings.Contains(h2, "1 host silent: h7 (for 2m5s)\n") {
		t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	r = one.as("o365-sendmail", "queue", "list", "--fleet", "--json", "--domain", "example.net")
	if r.code != 0 || strings.Count(r.stdout, "\n") != 2 || !strings.Contains(r.stdout, `"host":"h2"`) ||
		!strings.Contains(r.stdout, `"messages":1,`) || !strings.Contains(r.stdout, `"of":3`) {
		t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	if r = one.as("o365-sendmail", "queue", "show", "--fleet", there); r.code != 0 ||
		!strings.Contains(r.stdout, "y@example.org") || strings.Contains(r.stdout, "Subject") { // a text stays on its host
		t.Errorf("show: %d %s%s", r.code, r.stdout, r.stderr)
	}
	r = one.as("o365-sendmail", "queue", "delete", "--fleet", there, here)
	if r.code != 0 || one.left() != 0 || two.left() != 1 {
		t.Errorf("%d %s%s: %d and %d left", r.code, r.stdout, r.stderr, one.left(), two.left())
	}
	if r = one.as("o365-sendmail", "queue", "delete", "--fleet", there); r.code != sysexits.NoInput ||
		!strings.Contains(r.stderr, "no host that answers has such a message") {
		t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	for _, args := range [][]string{{"export", "--fleet", also}, {"show", "--fleet", "--message", also}, {"flush", "--fleet"}} {
		if r := one.as("o365-sendmail", append([]string{"queue"}, args...)...); r.code != sysexits.Usage {
			t.Errorf("%q: %d %s", args, r.code, r.stderr)
		}
	}
}

// TestFleetHostAway: a host that does not answer is named, the others are asked, and the code says so.
func TestFleetHostAway(t *testing.T) {
	t.Parallel()
	one, two := fleetSites(t, func(f *queueview.Fleet) { f.Hosts = append(f.Hosts, quota.Peer{Name: "h3"}) })
	there := two.put(33, "y@example.org")
	r := one.as("o365-sendmail", "queue", "retry", "--fleet", "all")
	if r.code != sysexits.TempFail || !strings.Contains(r.stderr, "h3: host h3 does not answer") ||
		!strings.Contains(r.stdout, "host h2:\n1 message to be tried again now\n") {
		t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	if r = one.as("o365-sendmail", "queue", "show", "--fleet", there); !strings.Contains(r.stdout, "y@example.org") {
		t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
	}
}

// TestFleetVerb: what an administrator sees of the fleet.
func TestFleetVerb(t *testing.T) {
	t.Parallel()
	one, _ := fleetSites(t, func(f *queueview.Fleet) { f.Faults = []string{"two hosts\x1b[2J call themselves h1"} })
	want := `fleet billing, asked on h1
servers: nats://n1:4222 (nats-server 2.15.2), kept 3 times, leader n2; behind: n3
fault: two hosts\x1b[2J call themselves h1
host h1: version 9.9, 0 messages wait
host h2: version 9.9, 2 messages wait, the oldest for 1m1s
1 host silent: h7 (for 2m5s)
mailbox ` + one.Mailbox + `: 12 messages in the last minute, 1 recipient in the last day; slots: 0 h2
`
	if r := one.as("o365-sendmail", "fleet"); r.code != 0 || r.stdout != want {
		t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	if r := one.as("o365-sendmail", "fleet", "--json"); r.code != 0 || !strings.Contains(r.stdout, `"replicas":3`) {
		t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	away, _ := fleetSites(t, func(f *queueview.Fleet) { f.Centre, f.Unreachable = nil, "the fleet's servers do not answer" })
	if r := away.as("o365-sendmail", "fleet"); r.code != sysexits.TempFail ||
		!strings.Contains(r.stdout, "servers: the fleet's servers do not answer\n") || strings.Contains(r.stdout, "last minute") {
		t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	alone := newQueueSite(t)
	alone.open()
	alone.agent(queueview.Status{})
	for _, args := range [][]string{{"fleet"}, {"queue", "--fleet"}} {
		if r := alone.as("o365-sendmail", args...); r.code != sysexits.Config || !strings.Contains(r.stderr, "fleet.servers") {
			t.Errorf("%q: %d %s%s", args, r.code, r.stdout, r.stderr)
		}
	}
}

// left is how many messages wait.
func (s *queueSite) left() (n int) {
	s.t.Helper()
	_, err := control.NewLocal(s.spool, control.Hooks{}).List(s.t.Context(), queueview.Filter{},
		func(*queueview.Message) error { n++; return nil })
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
