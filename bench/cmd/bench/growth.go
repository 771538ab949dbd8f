package main

import (
	"fmt"
	"time"
)

// growth is what a full queue costs.
func (b *bench) growth() error {
	t := b.report.add("Cost as the queue grows, 0 ms round trip",
		"mailq lists the whole queue; the drain sends all of it, 3 sessions at most. Memory is that of the draining process.",
		"messages", "mailq s", "mailq µs a message", "drain messages/s", "drain CPU ms a message", "drain MiB")
	sizes := []int{1000, 10000}
	if b.huge {
		sizes = append(sizes, 100000)
	}
	for _, n := range sizes {
		s, err := b.site(fmt.Sprintf("growth-%d", n), 0, nil)
		if err != nil {
			return err
		}
		if err := s.fill(n); err != nil {
			return err
		}
		list, err := once("/dev/null", b.ours, "-C", s.config, "-bp")
		if err != nil {
			return err
		}
		b.reset()
		begun := time.Now()
		c, err := watched("/dev/null", b.ours, "-C", s.config, "-q")
		if err == nil {
			err = b.arrived(n, time.Minute)
		}
		if err != nil {
			return err
		}
		rate := float64(n) / time.Since(begun).Seconds()
		t.row(fmt.Sprint(n), short(list.wall.Seconds()), short(float64(list.wall.Microseconds())/float64(n)), short(rate),
			short(float64(c.cpu.Microseconds())/1000/float64(n)), mib(c.peak))
		if err := empty(s.dir); err != nil {
			return err
		}
	}
	return nil
}
