package budget

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/test/ready"
)

// TestIdle: an agent that has nothing to do sleeps. What is measured is the time that it is let alone: in how
// many of its seconds a thread of it ran.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[spool]", "[agent]\nsocket = \""+filepath.Join(t.TempDir(), "socket")+"\"\n[spool]")
	agent := exec.Command(verbs, "serve", "-C", s.config)
	ready.Start(t, agent)
	defer func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	}()
	time.Sleep(5 * time.Second) // what a start leaves to do
	const seconds = 21
	var busy int64
	last := switches(t, agent.Process.Pid)
	for range seconds {
		time.Sleep(time.Second)
		now := switches(t, agent.Process.Pid)
		if now != last {
			busy++
		}
		last = now
	}
	within(t, fmt.Sprintf("busy seconds of %d", seconds), busy, 3, "the chores of a minute are due once or not at all")
}

// switches counts how often the threads of a process gave up the processor.
func switches(t *testing.T, pid int) (n int) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal("no threads", err)
	}
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for line := range strings.Lines(string(text)) {
			var k int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &k); err == nil {
				n += k
			}
		}
	}
	return n
}
