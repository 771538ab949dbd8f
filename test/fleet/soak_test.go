//go:build soak

package fleet

import (
	"flag"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	agents   = flag.Int("agents", 20, "hosts of the fleet")
	load     = flag.Duration("load", 10*time.Minute, "how long faults come")
	minutes  = flag.Int("minutes", 5, "how long the load is without faults")
	faults   = flag.Int("faults", 200, "faults in that time")
	alone    = flag.String("alone", "../../bin/sendmail", "the program whose hosts know nothing of each other")
	aloneFor = flag.Duration("alone-load", 2*time.Minute, "how long it sends")
)

// fill gives each host its part of what the mailbox may send in that time.
func (l *lab) fill(d time.Duration) {
	for i := range int(30 * d.Minutes()) {
		if err := l.hosts[i%len(l.hosts)].send(); err != nil {
			l.t.Fatal(err)
		}
	}
}

// TestAlone shows what hosts do that know nothing of each other, for comparison.
func TestAlone(t *testing.T) {
	l := newLab(t)
	l.program, l.fleet = *alone, false
	for range *agents {
		l.addHost()
	}
	l.fill(*aloneFor)
	time.Sleep(*aloneFor)
	t.Logf("%d hosts that know nothing of each other, after %v: %v", *agents, *aloneFor, l.judge())
}

// TestLoad: many hosts on one mailbox never pass its limits, meet no refusal, and lose nearly no time.
func TestLoad(t *testing.T) {
	l := newLab(t)
	for range *agents {
		l.addHost()
	}
	minutes := time.Duration(*minutes)
	l.fill(2 * minutes * time.Minute) // more than can go
	time.Sleep(minutes * time.Minute)
	v := l.judge()
	t.Logf("a fleet of %d: %v; each tenth after %v", *agents, v, v.tenths)
	if v.inMinute > 30 || v.sessions > 3 || v.refusals() > 0 {
		t.Error("a limit was passed")
	}
	if ideal := 30 * int(minutes); v.arrived*100 < ideal*97 {
		t.Errorf("%d messages, the ideal is %d", v.arrived, ideal)
	}
}

// TestAccept: a host of a fleet accepts as fast as one that is in none, also while it is cut off from the servers. The two
// take turns, and the ratio of each pair counts.
func TestAccept(t *testing.T) {
	l := newLab(t)
	in := l.addHost()
	l.fleet, l.program = false, *alone
	out := l.addHost()
	timed := func(h *agentHost) float64 {
		at := time.Now()
		if err := h.send(); err != nil {
			t.Fatal(err)
		}
		return time.Since(at).Seconds()
	}
	for _, what := range []string{"with the servers", "cut off"} {
		const pairs = 2000
		var sum, squares float64
		for i := range pairs {
			var a, b float64
			if i%2 == 0 {
				a, b = timed(in), timed(out)
			} else {
				b, a = timed(out), timed(in)
			}
			d := math.Log(a / b)
			sum, squares = sum+d, squares+d*d
		}
		mean := sum / pairs
		width := 1.96 * math.Sqrt((squares/pairs-mean*mean)/pairs)
		t.Logf("%s: %.3f times as long, 95 %% interval %.3f to %.3f", what, math.Exp(mean), math.Exp(mean-width),
			math.Exp(mean+width))
		if math.Exp(mean-width) > 1.05 {
			t.Error("that is too long")
		}
		in.cut(true)
		time.Sleep(2 * time.Second)
	}
}

// TestFaults: hosts and servers are killed, stopped and cut off at random, and nothing is lost.
func TestFaults(t *testing.T) {
	l := newLab(t)
	for range *agents {
		l.addHost()
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	counts := map[string]int{}
	pause := *load / time.Duration(*faults)
	busy := map[*agentHost]time.Time{}
	var serverDown time.Time
	pending := 0.0
	var frozen atomic.Int32 // hosts that can't end their sessions, although others may have their slots
	var most int32
	for n := 0; n < *faults; time.Sleep(pause) {
		for pending += 30 * pause.Minutes(); pending >= 1; pending-- {
			_ = l.hosts[rnd.IntN(len(l.hosts))].send() // one that is down or stopped takes nothing
		}
		most = max(most, frozen.Load())
		what := []string{"kill", "stop", "cut", "server", "leader"}[rnd.IntN(5)]
		h := l.hosts[rnd.IntN(len(l.hosts))]
		for time.Now().Before(busy[h]) {
			h = l.hosts[rnd.IntN(len(l.hosts))]
		}
		lasts := time.Duration(1+rnd.IntN(30)) * time.Second
		if (what == "server" || what == "leader") && time.Now().Before(serverDown) {
			what = "kill" // one at a time: two of three down is another test
		}
		switch what {
		case "kill":
			h.kill()
			h.start()
		case "stop":
			busy[h] = time.Now().Add(lasts + time.Second)
			h.signal(syscall.SIGSTOP)
			if lasts > 15*time.Second {
				time.AfterFunc(15*time.Second, func() { frozen.Add(1) })
			}
			time.AfterFunc(lasts, func() {
				h.signal(syscall.SIGCONT)
				if lasts > 15*time.Second {
					frozen.Add(-1)
				}
			})
		case "cut":
			busy[h] = time.Now().Add(lasts + time.Second)
			h.cut(true)
			time.AfterFunc(lasts, func() { h.cut(false) })
		default:
			s := l.servers[rnd.IntN(3)]
			if what == "leader" {
				if s = l.leader(); s == nil { // none is chosen yet
					continue
				}
			}
			serverDown = time.Now().Add(10 * time.Second)
			s.kill()
			time.AfterFunc(3*time.Second, func() { s.start(t) })
		}
		counts[what]++
		n++
	}
	time.Sleep(31 * time.Second)
	for _, h := range l.hosts {
		h.cut(false)
		h.signal(syscall.SIGCONT)
	}
	v := l.wait(10 * time.Minute)
	t.Logf("faults %v, %d hosts stopped at once for longer than a slot lives: %v", counts, most, v)
	if v.lost > 0 || v.inMinute > 30 || v.sessions > 3+int(most) || most == 0 && v.refusals() > 0 {
		t.Error("see above")
	}
	if t.Failed() {
		for _, h := range l.hosts {
			_ = os.WriteFile(filepath.Join(os.TempDir(), "fleet-"+h.name+".log"), []byte(h.said.String()), 0o600)
		}
	}
}

// TestTenInsteadOfOne: ten hosts send what one does, from one mailbox and from a pool of four. Each has more to send than
// may go; the time is two and a half of the limit's minutes.
func TestTenInsteadOfOne(t *testing.T) {
	for name, pool := range map[string][]string{"one mailbox": nil,
		"four mailboxes": {"pool2@contoso.test", "pool3@contoso.test", "pool4@contoso.test"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var labs [2]*lab
			ideal := 3 * 30 * (1 + len(pool))
			for i, hosts := range []int{1, 10} {
				l := newLab(t, func(l *lab) { l.pool = pool })
				labs[i] = l
				for range hosts {
					l.addHost()
				}
				for k := range 2 * ideal {
					if err := l.hosts[k%hosts].send(); err != nil {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(150 * time.Second) // both at the same time, on the same machine
			one, ten := labs[0].judge(), labs[1].judge()
			t.Logf("one host: %v; ten: %v; the ideal is %d", one, ten, ideal)
			if one.arrived*100 < ideal*95 || ten.arrived*100 < one.arrived*95 || ten.refusals() > 0 || one.refusals() > 0 {
				t.Error("see above")
			}
		})
	}
}

// TestOldServers: Debian 12's version of the server takes keys with a time to live and never has them expire. Hosts say
// which version is needed, accept, and treat it as unreachable.
func TestOldServers(t *testing.T) {
	dir := t.TempDir()
	install := exec.Command("go", "install", "github.com/nats-io/nats-server/v2@v2.9.10")
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l := newLab(t, func(l *lab) { l.nats = filepath.Join(dir, "nats-server") })
	for _, s := range l.servers { // the first reason is the one that is logged
		for conn, err := net.Dial("tcp", s.url); ; conn, err = net.Dial("tcp", s.url) {
			if err == nil {
				_ = conn.Close()
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	h := l.addHost()
	time.Sleep(3 * time.Second)
	if err := h.send(); err != nil {
		t.Fatal(err)
	}
	h.shows("fleet_reachable 0", `fleet_mode{mode="wait"} 1`)
	if v := l.wait(10 * time.Second); v.arrived != 0 {
		t.Error(v)
	}
	if v := l.wait(2 * time.Minute); v.arrived != 1 { // the host's share, after a minute
		t.Error(v)
	}
	h.shows(`fleet_mode{mode="share"} 1`)
	if said := h.said.String(); !strings.Contains(said, "2.9.10") {
		t.Errorf("no version in %s", said)
	}
}
