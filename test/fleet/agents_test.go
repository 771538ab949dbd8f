//go:build system

package fleet

import (
	"syscall"
	"testing"
	"time"
)

// TestThreeAgents: three hosts on one mailbox never have more than three sessions and 30 messages in any minute, and
// meet no refusal.
func TestThreeAgents(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for range 3 {
		l.addHost()
	}
	for i := range 45 {
		if err := l.hosts[i%3].send(); err != nil {
			t.Fatal(err)
		}
	}
	v := l.wait(150 * time.Second)
	t.Log(v)
	if v.lost > 0 || v.duplicates > 0 || v.inMinute > 30 || v.sessions > 3 || v.refusals() > 0 {
		t.Error("see above")
	}
}

// TestHolderGone: the only slot of a host that was killed or stopped is another's within 25 s; one that goes on after
// its time has ended its session before it sends more.
func TestHolderGone(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.more = "connections = 1\n"
			one, two := l.addHost(), l.addHost()
			if err := one.send(); err != nil {
				t.Fatal(err)
			}
			if v := l.wait(20 * time.Second); v.arrived != 1 {
				t.Fatal(v)
			}
			one.signal(sig)
			gone := time.Now()
			if err := two.send(); err != nil {
				t.Fatal(err)
			}
			v := l.wait(40 * time.Second)
			took := time.Since(gone)
			t.Logf("after %v: %v", took.Round(100*time.Millisecond), v)
			if v.arrived != 2 || took > 25*time.Second || v.refusals() > 0 {
				t.Error("the slot did not pass on")
			}
			if sig == syscall.SIGSTOP {
				one.signal(syscall.SIGCONT)
				if err := one.send(); err != nil {
					t.Fatal(err)
				}
				if v := l.wait(60 * time.Second); v.arrived != 3 || v.sessions > 2 || v.refusals() > 0 {
					t.Error(v)
				}
			}
		})
	}
}

// TestServersAway: a host that is cut off from the servers, or whose servers take two seconds, accepts as fast as before
// and sends nothing for a while; when all is well again, it sends at once.
func TestServersAway(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(h *agentHost, off bool){
		"cut": (*agentHost).cut,
		"slow": func(h *agentHost, off bool) {
			for _, k := range h.links {
				k.delay.Store(0)
				if off {
					k.delay.Store(int64(time.Second))
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			one, two := l.addHost(), l.addHost()
			if err := one.send(); err != nil {
				t.Fatal(err)
			}
			if v := l.wait(20 * time.Second); v.arrived != 1 {
				t.Fatal(v)
			}
			one.shows(`fleet_mode{mode="fleet"} 1`, "fleet_reachable 1", "fleet_hosts 2", "fleet_slot_wait_seconds_count 1",
				"fleet_tokens_refused_total 0")
			spoil(one, true)
			time.Sleep(20 * time.Second) // its slot is over
			one.shows(`fleet_mode{mode="wait"} 1`, "fleet_reachable 0")
			for range 5 {
				at := time.Now()
				if err := one.send(); err != nil || time.Since(at) > 2*time.Second {
					t.Errorf("accepted after %v: %v", time.Since(at), err)
				}
			}
			if err := two.send(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			if v := l.judge(); v.arrived != 2 {
				t.Errorf("meanwhile: %v", v)
			}
			spoil(one, false)
			back := time.Now()
			v := l.wait(60 * time.Second)
			t.Logf("after %v: %v", time.Since(back).Round(100*time.Millisecond), v)
			if v.lost > 0 || v.refusals() > 0 || v.duplicates > 0 {
				t.Error("see above")
			}
		})
	}
}
