package budget

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/test/attack"
	"o365-sendmail/test/ready"
)

// TestMemoryUnderAttack: headers that never end take no more memory than the unit of a small machine has
// to spare, however many connections send them and whatever they are made of.
func TestMemoryUnderAttack(t *testing.T) {
	for _, c := range []struct {
		form        string
		connections int
		budget      int64
	}{{"line", 40, 48}, {"short", 40, 48}, {"line", 512, 56}, {"short", 512, 56}, {"body", 512, 80}, {"rcpt", 40, 64}} {
		t.Run(fmt.Sprint(c.connections, c.form), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			s := newSite(t, "[spool]", "[agent]\nsocket = \""+path+"\"\n[spool]")
			agent := exec.Command(verbs, "serve", "-C", s.config)
			ready.Start(t, agent)
			defer func() {
				_ = agent.Process.Signal(syscall.SIGTERM)
				_ = agent.Wait()
			}()
			size := 79 << 20 / 10
			if c.form == "body" {
				size = 1 << 20 // what it is of goes to the disk
			}
			a := attack.Start(path, c.form, size, c.connections)
			defer a.Stop()
			a.Settle(c.connections)
			settle(t, agent.Process.Pid)
			within(t, "MiB resident at most", peak(t, agent.Process.Pid), c.budget,
				"40 such headers took 529 MiB and more, and the unit has 512")
		})
	}
}

// TestLargeHeader: where few are under way, one of 1 MiB is taken.
func TestLargeHeader(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	s := newSite(t, "[spool]", "[agent]\nsocket = \""+path+"\"\n[spool]")
	agent := exec.Command(verbs, "serve", "-C", s.config)
	ready.Start(t, agent)
	defer func() {
		_ = agent.Process.Signal(syscall.SIGTERM)
		_ = agent.Wait()
	}()
	a := attack.Start(path, "line", 100<<10, 5)
	defer a.Stop()
	a.Settle(5)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	header := "From: a@b.org\r\nX-Long: " + strings.Repeat("x", 1<<20) + "\r\n"
	go fmt.Fprintf(c, "EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\nO365-Sendmail-Options: "+
		"mode=queue\r\n%s\r\nx\r\n.\r\nQUIT\r\n", header)
	b := make([]byte, 0, 4096)
	for !strings.Contains(string(b), "\r\n221 ") {
		n, err := c.Read(b[len(b):cap(b)])
		if b = b[:len(b)+n]; err != nil {
			break
		}
	}
	if !strings.Contains(string(b), "\r\n250 2.0.0 queued as ") {
		t.Errorf("%s", b)
	}
}

// settle waits until a process takes no more memory.
func settle(t *testing.T, pid int) {
	for last := int64(0); ; {
		now := peak(t, pid)
		if now <= last {
			return
		}
		last = now
		time.Sleep(2 * time.Second)
	}
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most that a process had resident, in MiB.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := highWater.FindSubmatch(status)
	if err != nil || m == nil {
		t.Fatalf("no VmHWM: %v", err)
	}
	kib, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return (kib + 1023) >> 10
}
