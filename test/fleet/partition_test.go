//go:build system

package fleet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace with one cable to this one; the emulator is on its loopback device.
type namespace struct{ name, cable, near string }

func newNamespace(t *testing.T, l *lab) namespace {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	number := 8 + rand.IntN(240) // two runs on one machine don't meet
	n := namespace{fmt.Sprint("o365fleet", number), fmt.Sprint("o365f", number), fmt.Sprintf("10.211.%d.1", number)}
	run(t, "ip netns add "+n.name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", n.name).Run() })
	run(t, fmt.Sprintf("ip link add %[2]s type veth peer name %[2]sh && ip link set %[2]sh netns %[1]s && "+
		"ip addr add %[3]s/24 dev %[2]s && ip link set %[2]s up && ip -n %[1]s addr add 10.211.%[4]d.2/24 dev %[2]sh && "+
		"ip -n %[1]s link set %[2]sh up && ip -n %[1]s link set lo up", n.name, n.cable, n.near, number))
	host, smtp := l.em.SMTPAddr()
	_, login, err := net.SplitHostPort(l.em.LoginHost())
	if err != nil {
		t.Fatal(err)
	}
	n.within(func() {
		for _, port := range []string{fmt.Sprint(smtp), login} {
			newLink(t, net.JoinHostPort(host, port), net.JoinHostPort(host, port))
		}
	})
	return n
}

// within calls do in the namespace: what it opens and starts is there.
func (n namespace) within(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		f, err := os.Open("/run/netns/" + n.name)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err)
		}
		do()
	}()
	<-done
}

func run(t *testing.T, command string) {
	t.Helper()
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// TestPartition: the cable between one host and the servers is cut, so that nothing is answered and nobody is told. The
// host accepts and sends nothing, the others go on; when the cable is whole again, all goes.
func TestPartition(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	two, three := l.addHost(), l.addHost()
	n := newNamespace(t, l)
	l.near, l.within = net.JoinHostPort(n.near, "0"), n.within
	one := l.addHost()
	l.trickle(6, 0)
	if v := l.wait(30 * time.Second); v.lost > 0 {
		t.Fatal(v)
	}
	run(t, "ip link set "+n.cable+" down")
	time.Sleep(20 * time.Second) // its slots are over
	before := l.judge().arrived
	for range 3 {
		at := time.Now()
		if err := one.send(); err != nil || time.Since(at) > 2*time.Second {
			t.Errorf("accepted after %v: %v", time.Since(at), err)
		}
		for _, h := range []*agentHost{two, three} {
			if err := h.send(); err != nil {
				t.Error(err)
			}
		}
	}
	time.Sleep(10 * time.Second)
	if v := l.judge(); v.arrived != before+6 {
		t.Errorf("meanwhile, after %d: %v", before, v)
	}
	run(t, "ip link set "+n.cable+" up")
	l.fine(60 * time.Second)
}
