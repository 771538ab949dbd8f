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
		"From the call to the exit status, best of three. Memory is the most that the process had resident.",
		"", "MB", "s", "× floor", "CPU s", "MiB")
	s, err := b.site("big", 0, nil)
	if err != nil {
		return err
	}
	for _, size := range []int{35, 100} {
		file := filepath.Join(b.dir, "big-message")
		if err := os.WriteFile(file, text(size*1000*1000), 0o600); err != nil {
			return err
		}
		all := []struct {
			name string
			argv []string
			best cost
		}{{name: "floor", argv: b.floorArgs(0, to)}, {name: "o365-sendmail", argv: s.sendmail()}}
		for range 3 {
			for i := range all {
				b.reset()
				c, err := watched(file, all[i].argv...)
				if err == nil {
					err = b.arrived(1, time.Minute)
				}
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
			t.row(c.name, fmt.Sprint(size), short(c.best.wall.Seconds()), times(c.best.wall, all[0].best.wall), short(c.best.cpu.Seconds()), mib(c.best.peak))
		}
		_ = os.Remove(file)
	}
	return nil
}
