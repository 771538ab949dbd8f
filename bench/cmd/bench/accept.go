package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"o365-sendmail/internal/config"
)

// agent starts the agent of a site where callers look for it, if that can be.
func (s *site) agent() (d *daemon, caller []string, err error) {
	socket := config.DefaultSocket
	caller = []string{s.b.front, "-i", "-f", from, to}
	if !isolated() {
		socket, caller = filepath.Join(s.dir, "submit.sock"), s.sendmail()
	}
	if d, err = startDaemon(s.program, "serve", "-C", s.config); err != nil {
		return nil, nil, err
	}
	err = eventually("the agent's socket", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %v", err, d.stop())
	}
	return d, caller, nil
}

// agentSite is a site whose agent can be started.
func (b *bench) agentSite(name string, rtt time.Duration, delivery ...string) (*site, error) {
	extra := tables{"delivery": delivery}
	if !isolated() {
		extra["agent"] = []string{fmt.Sprintf("socket = %q", filepath.Join(b.dir, name, "submit.sock"))}
	}
	return b.site(name, rtt, extra)
}

// accept is the way through the agent.
func (b *bench) accept() error {
	if err := b.acceptQueue(); err != nil {
		return err
	}
	return b.acceptInteractive()
}

// acceptQueue ends when the message is on disk.
func (b *bench) acceptQueue() error {
	s, err := b.agentSite("accept", 0, `mode = "background"`)
	if err != nil {
		return err
	}
	agent, caller, err := s.agent()
	if err != nil {
		return err
	}
	defer agent.stop() //nolint:errcheck // it is stopped below, and twice does no harm
	put, err := b.folder("accept-floor")
	if err != nil {
		return err
	}
	yardstick := &contestant{name: "floor-queue", argv: b.floorArgs(0, "-put", put, "-start"), sends: true}
	all := []*contestant{
		{name: "o365-sendmail", argv: caller, pid: agent.cmd.Process.Pid, sends: true},
		yardstick,
		{name: "o365-sendmail -odq, nothing sent", argv: slices.Insert(slices.Clone(caller), 1, "-odq"),
			pid: agent.cmd.Process.Pid},
		{name: "the same without cmd/front", argv: append([]string{b.ours, "-odq"}, caller[1:]...),
			pid: agent.cmd.Process.Pid},
		{name: "floor-queue, nothing sent", argv: b.floorArgs(0, "-put", filepath.Join(b.dir, "accept-kept"))},
	}
	if _, err := b.folder("accept-kept"); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		call func() ([]string, error)
	}{{"nullmailer", b.nullmailer}, {"dma", b.dma}} {
		argv, err := p.call()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if argv != nil {
			all = append(all, &contestant{name: p.name + ", nothing sent", argv: argv})
		}
	}
	p, err := b.peerPostfix()
	if err != nil {
		return err
	}
	var daemons *daemon
	if p != nil {
		if daemons, err = p.start(0, ""); err != nil {
			return err
		}
		all = append(all, &contestant{name: "Postfix", argv: p.sendmail(), pid: daemons.cmd.Process.Pid, sends: true})
	}
	err = b.interleave(b.rounds, all)
	if p != nil {
		err = errors.Join(err, p.stop(daemons))
	}
	if err != nil {
		return err
	}
	t := b.report.add("Accept through the agent, 2 KB",
		"From the call to the exit status: the message is committed to disk by fsync. The delivery goes on behind; "+
			"where it says so there is none, and where the two differ that difference is only what the two "+
			"processors have to do besides. CPU is the caller's and the daemons'.",
		"", "ms", "middle half", "× floor-queue", "CPU ms", "until the relay has it, ms")
	for _, c := range all {
		relayed := "–"
		if c.sends {
			relayed = ms(median(c.relayed))
		}
		t.row(c.name, ms(median(c.walls)), quartiles(c.walls), times(median(c.walls), median(yardstick.walls)),
			ms(mean(c.cpus)), relayed)
	}
	return agent.stop()
}

// acceptInteractive ends when the relay has taken the message, on a session that is open.
func (b *bench) acceptInteractive() error {
	s, err := b.agentSite("interactive", b.rtt, `mode = "interactive"`)
	if err != nil {
		return err
	}
	agent, caller, err := s.agent()
	if err != nil {
		return err
	}
	defer agent.stop() //nolint:errcheck // as above
	c := &contestant{name: "o365-sendmail", argv: caller, pid: agent.cmd.Process.Pid, sends: true}
	if err := b.interleave(b.rounds, []*contestant{c}); err != nil {
		return err
	}
	t := b.report.add(fmt.Sprintf("Interactive through the agent, 2 KB, %d ms round trip", b.rtt.Milliseconds()),
		"From the call to the exit status: the relay has taken the message, on a session that was open already.",
		"", "ms", "middle half", "above one round trip, ms", "round trips")
	t.row(c.name, ms(median(c.walls)), quartiles(c.walls), ms(median(c.walls)-b.rtt), fmt.Sprint(c.trips))
	return agent.stop()
}

// empty removes what is in a directory.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return err
}

// fsync measures what the disk asks for a commit: file and directory.
func (b *bench) fsync(n int) (time.Duration, error) {
	var took []time.Duration
	for i := range n {
		begun := time.Now()
		f, err := os.Create(filepath.Join(b.dir, fmt.Sprintf("fsync-%d", i)))
		if err != nil {
			return 0, err
		}
		_, err = f.Write(text(2 << 10))
		if err == nil {
			err = f.Sync()
		}
		_ = f.Close()
		if err == nil {
			var d *os.File
			if d, err = os.Open(b.dir); err == nil {
				err = d.Sync()
				_ = d.Close()
			}
		}
		if err != nil {
			return 0, err
		}
		took = append(took, time.Since(begun))
	}
	return median(took), nil
}
