package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// first is the first message after a boot: no token, and nothing in the page cache but what runs.
func (b *bench) first() error {
	s, err := b.site("first", 0, nil)
	if err != nil {
		return err
	}
	yardstick := &contestant{name: "floor, which asks for a token", sends: true,
		argv: b.floorArgs(0, "-token-url", b.emulator.TokenURL(), "-token-request", b.tokenRequest(), to)}
	all := []*contestant{{name: "o365-sendmail", argv: s.sendmail(), sends: true}, yardstick,
		{name: "floor, which has one", argv: b.floorArgs(0, to), sends: true}}
	peers, stop, err := b.directPeers(0)
	if err != nil {
		return err
	}
	all = append(all, peers...)
	for _, c := range all {
		c.before = func() error {
			syscall.Sync() // what is not on the disk stays in the page cache
			return errors.Join(os.RemoveAll(filepath.Join(s.dir, "cache")),
				os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0))
		}
	}
	if err := errors.Join(b.interleave(max(b.rounds/2, 1), all), stop()); err != nil {
		return err
	}
	t := b.report.add("The first message after a boot, 2 KB, 0 ms round trip",
		"From the call to the exit status, with nothing in the page cache but what runs, and for us and for the floor "+
			"without a token. The other programs find a token in a file, or sign in with a password.",
		"", "ms", "middle half", "× floor", "CPU ms", "token requests")
	for _, c := range all {
		t.row(c.name, ms(median(c.walls)), quartiles(c.walls), times(median(c.walls), median(yardstick.walls)),
			ms(mean(c.cpus)), fmt.Sprint(c.tokens))
	}
	return nil
}
