package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// point is what a queue costs.
type point struct {
	messages, users int
	// mailq is without an agent and with one, retry of all messages with one; a message each.
	mailq, asked, retry, accept time.Duration
	alone, agent                emptied
	waiting                     int64 // bytes of the agent at most, before it sent anything
}

// growth is what a full queue costs.
func (b *bench) growth() error {
	note := "mailq lists the whole queue, and `queue retry all` has all of it tried again. An accept is a call of " +
		"cmd/front with `-odq`, the median of nine. `-q` and the agent send all of it, 3 sessions at most, after the " +
		"agent has waited for a relay that was not there. Memory is the most that each process had resident, and for " +
		"the waiting agent what it has before it sends. Where a row has few messages, what it costs to start a process " +
		"is all that it shows."
	var byLength, byUsers []point
	for _, n := range []int{1, 100, 10_000, 50_000, 100_000} {
		if n <= b.largest {
			p, err := b.grown(n, 1)
			if err != nil {
				return err
			}
			byLength = append(byLength, p)
		}
	}
	for _, users := range []int{1, 100, 2000} {
		p, err := b.grown(min(10_000, b.largest), users)
		if err != nil {
			return err
		}
		byUsers = append(byUsers, p)
	}
	b.grows("Cost as the queue grows, 0 ms round trip", note, "messages", byLength,
		func(p point) int { return p.messages })
	b.grows(fmt.Sprintf("Cost as users share a queue of %d messages", byUsers[0].messages), "The same, by the number "+
		"of users whose messages wait.", "users", byUsers, func(p point) int { return p.users })
	return nil
}

// grows adds a table, and the picture of its curves.
func (b *bench) grows(title, note, what string, points []point, at func(point) int) {
	t := b.report.add(title, note, what, "accept ms", "retry µs a message", "mailq µs a message", "from the agent µs",
		"-q messages/s", "CPU ms a message", "MiB", "agent messages/s", "CPU ms a message", "MiB waiting", "MiB")
	var xs []int
	curves := []curve{{name: "accept, ms"}, {name: "retry, µs a message"}, {name: "mailq, µs a message"},
		{name: "agent, MiB"}}
	for _, p := range points {
		us := func(d time.Duration) string { return short(float64(d) / 1000) }
		t.row(fmt.Sprint(at(p)), ms(p.accept), us(p.retry), us(p.mailq), us(p.asked), short(p.alone.rate),
			each(p.alone.cpu, p.messages), mib(p.alone.peak), short(p.agent.rate), each(p.agent.cpu, p.messages),
			mib(p.waiting), mib(p.agent.peak))
		xs = append(xs, at(p))
		for i, y := range []float64{float64(p.accept) / 1e6, float64(p.retry) / 1e3, float64(p.asked) / 1e3,
			float64(p.waiting) / (1 << 20)} {
			curves[i].y = append(curves[i].y, y)
		}
	}
	t.picture("growth-"+what+".svg", draw(what, xs, curves))
}

// grown measures a queue of n messages of as many users.
func (b *bench) grown(n, users int) (p point, err error) {
	p = point{messages: n, users: users}
	if err = b.growthAlone(&p); err == nil {
		err = b.growthAgent(&p)
	}
	if err != nil {
		return p, fmt.Errorf("%d messages of %d users: %w", n, users, err)
	}
	return p, nil
}

// growthAlone has no agent.
func (b *bench) growthAlone(p *point) error {
	s, err := b.site(fmt.Sprintf("growth-%d-%d", p.messages, p.users), 0, nil)
	if err != nil {
		return err
	}
	if err := s.fill(p.messages, p.users); err != nil {
		return err
	}
	list, err := once("/dev/null", s.ours("-bp")...)
	if err != nil {
		return err
	}
	p.mailq = list.wall / time.Duration(p.messages)
	b.reset()
	begun := time.Now()
	p.alone.cost, err = watched("/dev/null", s.ours("-q")...)
	if err == nil {
		err = b.arrived(p.messages, time.Minute)
	}
	p.alone.rate = float64(p.messages) / time.Since(begun).Seconds()
	return errors.Join(err, empty(s.dir))
}

// growthAgent has an agent that finds no relay until the queue has been listed.
func (b *bench) growthAgent(p *point) (err error) {
	s, err := b.agentSite(fmt.Sprintf("growth-agent-%d-%d", p.messages, p.users), 0)
	if err != nil {
		return err
	}
	if err := s.fill(p.messages, p.users); err != nil {
		return err
	}
	good, err := os.ReadFile(s.config)
	if err != nil {
		return err
	}
	nobody, err := unusedPort()
	if err != nil {
		return err
	}
	port := func(n int) []byte { return fmt.Appendf(nil, "\nport = %d\n", n) }
	if err := os.WriteFile(s.config, bytes.Replace(good, port(b.port(0)), port(nobody), 1), 0o600); err != nil {
		return err
	}
	agent, caller, err := s.agent()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, agent.stop(), empty(s.dir)) }()
	pid := agent.cmd.Process.Pid
	if err := idle(pid); err != nil {
		return err
	}
	list, err := once("/dev/null", s.ours("-bp")...)
	if err != nil {
		return err
	}
	again, err := once("/dev/null", s.program, "queue", "retry", "-C", s.config, "all")
	if err != nil {
		return err
	}
	p.asked, p.retry = list.wall/time.Duration(p.messages), again.wall/time.Duration(p.messages)
	if err := idle(pid); err != nil {
		return err
	}
	var accepts []time.Duration
	for range 9 {
		c, err := once(b.message, slices.Insert(slices.Clone(caller), 1, "-odq")...)
		if err != nil {
			return err
		}
		accepts = append(accepts, c.wall)
	}
	p.accept, p.waiting = median(accepts), statusKiB(pid, "VmHWM")<<10
	n := p.messages + len(accepts)
	b.reset()
	before, begun := cpuOf(pid), time.Now()
	if err := os.WriteFile(s.config, good, 0o600); err != nil {
		return err
	}
	if err := agent.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	if err := b.arrived(n, time.Minute); err != nil {
		return err
	}
	p.agent.rate, p.agent.cpu = float64(n)/time.Since(begun).Seconds(), cpuOf(pid)-before
	p.agent.peak = statusKiB(pid, "VmHWM") << 10
	return nil
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
