package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// growth is what a full queue costs.
func (b *bench) growth() error {
	t := b.report.add("Cost as the queue grows, 0 ms round trip",
		"mailq lists the whole queue. `-q` and the agent send all of it, 3 sessions at most, after the agent has "+
			"waited for a relay that was not there. Memory is the most that each process had resident, and for the "+
			"waiting agent what it has before and while mailq asks it.",
		"messages", "mailq s", "µs a message", "from the agent s", "-q messages/s", "CPU ms a message", "MiB",
		"agent messages/s", "CPU ms a message", "MiB waiting", "MiB")
	for n := 1000; n <= b.largest; n *= 10 {
		row := []string{fmt.Sprint(n)}
		for _, measure := range []func(int) ([]string, error){b.growthAlone, b.growthAgent} {
			cells, err := measure(n)
			if err != nil {
				return fmt.Errorf("%d messages: %w", n, err)
			}
			row = append(row, cells...)
		}
		// What mailq hears from the agent stands beside what it reads itself.
		row = append(row[:3], append([]string{row[6]}, append(row[3:6:6], row[7:]...)...)...)
		t.row(row...)
	}
	return nil
}

// growthAlone has no agent.
func (b *bench) growthAlone(n int) ([]string, error) {
	s, err := b.site(fmt.Sprintf("growth-%d", n), 0, nil)
	if err != nil {
		return nil, err
	}
	if err := s.fill(n); err != nil {
		return nil, err
	}
	list, err := once("/dev/null", s.ours("-bp")...)
	if err != nil {
		return nil, err
	}
	b.reset()
	begun := time.Now()
	c, err := watched("/dev/null", s.ours("-q")...)
	if err == nil {
		err = b.arrived(n, time.Minute)
	}
	if err != nil {
		return nil, err
	}
	rate := float64(n) / time.Since(begun).Seconds()
	return []string{short(list.wall.Seconds()), short(float64(list.wall.Microseconds()) / float64(n)),
		short(rate), each(c.cpu, n), mib(c.peak)}, empty(s.dir)
}

// growthAgent has an agent that finds no relay until the queue has been listed.
func (b *bench) growthAgent(n int) (cells []string, err error) {
	s, err := b.agentSite(fmt.Sprintf("growth-agent-%d", n), 0)
	if err != nil {
		return nil, err
	}
	if err := s.fill(n); err != nil {
		return nil, err
	}
	good, err := os.ReadFile(s.config)
	if err != nil {
		return nil, err
	}
	nobody, err := unusedPort()
	if err != nil {
		return nil, err
	}
	port := func(n int) []byte { return fmt.Appendf(nil, "\nport = %d\n", n) }
	if err := os.WriteFile(s.config, bytes.Replace(good, port(b.port(0)), port(nobody), 1), 0o600); err != nil {
		return nil, err
	}
	agent, _, err := s.agent()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, agent.stop(), empty(s.dir)) }()
	pid := agent.cmd.Process.Pid
	if err := idle(pid); err != nil {
		return nil, err
	}
	list, err := once("/dev/null", s.ours("-bp")...)
	if err != nil {
		return nil, err
	}
	waiting := statusKiB(pid, "VmHWM") << 10
	b.reset()
	before, begun := cpuOf(pid), time.Now()
	if err := os.WriteFile(s.config, good, 0o600); err != nil {
		return nil, err
	}
	if err := agent.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return nil, err
	}
	if err := b.arrived(n, time.Minute); err != nil {
		return nil, err
	}
	rate := float64(n) / time.Since(begun).Seconds()
	return []string{short(list.wall.Seconds()), short(rate), each(cpuOf(pid)-before, n), mib(waiting),
		mib(statusKiB(pid, "VmHWM") << 10)}, nil
}

// unusedPort is one of loopback's where nobody answers.
func unusedPort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// idle waits until a process has done nothing for a while.
func idle(pid int) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		before := cpuOf(pid)
		time.Sleep(300 * time.Millisecond)
		if cpuOf(pid) == before {
			return nil
		}
	}
	return errors.New("the agent is busy for a minute with a queue that it can't send")
}

// each is a time for each of n messages in ms.
func each(d time.Duration, n int) string {
	return short(float64(d.Microseconds()) / 1000 / float64(n))
}
