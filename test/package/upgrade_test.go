//go:build package

package pkgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// newer makes the same package with a higher version.
func newer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tree, out := filepath.Join(dir, "tree"), filepath.Join(dir, "newer.deb")
	for _, args := range [][]string{
		{"dpkg-deb", "--raw-extract", deb, tree},
		{"sed", "-i", "s/^Version: .*/&+1/", filepath.Join(tree, "DEBIAN/control")},
		{"dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, out},
	} {
		if b, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, b)
		}
	}
	return out
}

// Callers send while the package is upgraded: whatever they were told was accepted
// arrives, once.
func TestUpgradeUnderLoad(t *testing.T) {
	const callers = 50
	c := newChroot(t, "bookworm")
	c.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n", 0o755)
	c.answers()
	c.install("/tmp/o365-sendmail.deb")
	// Microsoft's 30 messages a minute would make this a long test.
	c.m.Update(func(s *emulator.State) { s.Limits.PerMinute = 0 })
	c.must("printf '[delivery]\\nmessages_per_minute = 0\\n' >>/etc/o365-sendmail.toml; " +
		"/etc/init.d/o365-sendmail restart")
	c.waitAgent()
	c.copyIn(newer(t), "/tmp/newer.deb")

	var stop atomic.Bool
	var wg sync.WaitGroup
	var mu sync.Mutex
	accepted, refused := map[string]bool{}, map[string]int{}
	for i := range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := 0; !stop.Load(); n++ {
				id := fmt.Sprintf("load-%d-%d", i, n)
				cmd := exec.Command("chroot", c.root, "setpriv", "--reuid", "alice", "--regid", "alice",
					"--clear-groups", "sendmail", "-i", "root")
				cmd.Env = environment
				cmd.Stdin = strings.NewReader("Subject: " + id + "\n\nx\n")
				out, err := cmd.CombinedOutput()
				mu.Lock()
				if err == nil {
					accepted[id] = true
				} else {
					refused[err.Error()+": "+string(out)]++
				}
				mu.Unlock()
			}
		}()
	}
	time.Sleep(2 * time.Second) // the load is on
	out := c.must(install + "/tmp/newer.deb")
	time.Sleep(2 * time.Second)
	stop.Store(true)
	wg.Wait()
	if !strings.Contains(out, "+1") {
		t.Error("nothing was upgraded")
	}
	for why, n := range refused {
		t.Logf("%d calls failed: %s", n, why)
	}
	c.waitAgent()
	got := map[string]int{}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		clear(got)
		for _, m := range c.m.Messages() {
			for _, line := range strings.Split(string(m.Data), "\r\n") {
				if id, ok := strings.CutPrefix(line, "Subject: "); ok {
					got[id]++
				}
			}
		}
		missing := 0
		for id := range accepted {
			if got[id] == 0 {
				missing++
			}
		}
		if missing == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d accepted messages did not arrive: %s", missing, len(accepted),
				c.run("mailq | tail -n 20").out)
		}
	}
	twice := 0
	for id, n := range got {
		if n > 1 {
			twice++
			t.Errorf("%s arrived %d times", id, n)
		}
	}
	t.Logf("%d callers: %d messages accepted, all arrived, %d twice; %d calls failed loudly", callers, len(accepted),
		twice, sum(refused))
	if len(accepted) < callers {
		t.Error("too little load to tell")
	}
}

func sum(m map[string]int) (total int) {
	for _, n := range m {
		total += n
	}
	return total
}

// An upgrade asks nothing and keeps what the service user has put into its directories:
// a link there must not lead the maintainer scripts astray.
func TestUpgradeTouchesNothingOfTheAgents(t *testing.T) {
	t.Parallel()
	c := newChroot(t, "bookworm")
	c.noServices()
	c.answers()
	c.install("/tmp/o365-sendmail.deb")
	c.must("ln -s /etc/shadow /var/spool/o365-sendmail/queue; ln -s /etc/shadow /var/lib/o365-sendmail/x; chown -h " +
		"o365-sendmail: /var/spool/o365-sendmail/queue")
	before := c.stat("/etc/shadow")
	if err := os.Chmod(c.path("/var/spool/o365-sendmail"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.copyIn(newer(t), "/tmp/newer.deb")
	c.install("/tmp/newer.deb")
	if after := c.stat("/etc/shadow"); after != before {
		t.Errorf("/etc/shadow was %s and is %s", before, after)
	}
	c.must("apt-get -q -y purge o365-sendmail")
	if after := c.stat("/etc/shadow"); after != before {
		t.Errorf("/etc/shadow was %s and is %s", before, after)
	}
}
