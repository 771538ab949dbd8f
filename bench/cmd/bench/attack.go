package main

import (
	"fmt"
	"net"
	"path/filepath"

	"o365-sendmail/test/attack"
)

// attack is the memory of an agent that is attacked.
func (b *bench) attack() error {
	t := b.report.add("Memory under attack",
		"The most that the agent had resident while connections held unfinished headers of 7.9 MiB at its socket, "+
			"each made again when it was cut: one long field, or as many fields as fit. Each line is an agent "+
			"of its own.",
		"", "connections", "MiB")
	for _, c := range []struct {
		form, name  string
		connections int
	}{{"line", "one field", 40}, {"short", "short fields", 40}, {"line", "one field", 512},
		{"short", "short fields", 512}} {
		mem, err := b.attacked(fmt.Sprintf("attack-%s-%d", c.form, c.connections), c.form, c.connections)
		if err != nil {
			return err
		}
		t.row(c.name, fmt.Sprint(c.connections), mib(mem))
	}
	return nil
}

func (b *bench) attacked(name, form string, connections int) (peak int64, err error) {
	socket := filepath.Join(b.dir, name+".sock")
	s, err := b.site(name, 0, tables{"agent": {fmt.Sprintf("socket = %q", socket)}})
	if err != nil {
		return 0, err
	}
	d, err := startDaemon(s.program, "serve", "-C", s.config)
	if err != nil {
		return 0, err
	}
	defer d.stop() //nolint:errcheck // it is stopped below, and twice does no harm
	if err := eventually("the agent's socket", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}); err != nil {
		return 0, err
	}
	a := attack.Start(socket, form, 79<<20/10, connections)
	a.Settle(connections)
	peak = statusKiB(d.cmd.Process.Pid, "VmHWM") << 10
	a.Stop()
	return peak, d.stop()
}
