package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// big is large messages and the memory that they take.
func (b *bench) big() error {
	t := b.report.add("Large messages, 0 ms round trip",
		"From the call until the relay has the message, best of three. Memory is the most that the process had "+
			"resident; through the agent, what both had, each at its own time. The agent commits the message to "+
			"disk between.",
		"", "MB", "s", "× floor", "CPU s", "MiB")
	s, err := b.site("big", 0, nil)
	if err != nil {
		return err
	}
	through, err := b.agentSite("big-agent", 0, `mode = "background"`)
	if err != nil {
		return err
	}
	agent, caller, err := through.agent()
	if err != nil {
		return err
	}
	defer agent.stop() //nolint:errcheck // it is stopped below, and twice does no harm
	for _, size := range []int{35, 100} {
		file := filepath.Join(b.dir, "big-message")
		if err := os.WriteFile(file, text(size*1000*1000), 0o600); err != nil {
			return err
		}
		all := []struct {
			name string
			argv []string
			pid  int // of the agent that takes part
			best cost
		}{
			{name: "floor", argv: b.floorArgs(0, to)},
			{name: "o365-sendmail", argv: s.sendmail()},
			{name: "o365-sendmail, through the agent", argv: caller, pid: agent.cmd.Process.Pid},
		}
		for range 3 {
			for i := range all {
				b.reset()
				c, err := b.bigOne(file, all[i].pid, all[i].argv)
				if err != nil {
					return fmt.Errorf("%s, %d MB: %w", all[i].name, size, err)
				}
				if best := &all[i].best; best.wall == 0 || c.wall < best.wall {
					c.peak = max(c.peak, best.peak)
					*best = c
				} else {
					best.peak = max(c.peak, best.peak)
				}
			}
		}
		for _, c := range all {
			t.row(c.name, fmt.Sprint(size), short(c.best.wall.Seconds()), times(c.best.wall, all[0].best.wall),
				short(c.best.cpu.Seconds()), mib(c.best.peak))
		}
		_ = os.Remove(file)
	}
	return agent.stop()
}

// bigOne sends a file, with an agent if pid is not 0, whose time and memory then count, too.
func (b *bench) bigOne(file string, pid int, argv []string) (cost, error) {
	var before time.Duration
	if pid != 0 {
		// From here on the agent's high-water mark starts again.
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
			return cost{}, err
		}
		before = cpuOf(pid)
	}
	begun := time.Now()
	c, err := watched(file, argv...)
	if err == nil {
		err = b.arrived(1, time.Minute)
	}
	c.wall = time.Since(begun)
	if pid != 0 {
		c.cpu += cpuOf(pid) - before
		c.peak += statusKiB(pid, "VmHWM") << 10
	}
	return c, err
}
