package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine notes where the run takes place and what nobody can go below there.
func (b *bench) machine() error {
	say := func(format string, args ...any) {
		b.report.machine = append(b.report.machine, fmt.Sprintf(format, args...))
	}
	say("%s, %d CPUs, %s, %s", cpuModel(), runtime.NumCPU(), kernel(), runtime.Version())
	say("load of the last minute before the run: %s (a load of its own makes ratios, not times, the thing to read)",
		firstWord("/proc/loadavg"))
	sync, err := b.fsync(25)
	if err != nil {
		return err
	}
	say("spools on %s, where a commit (fsync of a 2 KB file and of its directory) takes %s ms", fileSystem(b.dir),
		ms(sync))
	var starts []time.Duration
	for range 25 {
		c, err := once("/dev/null", "/bin/true")
		if err != nil {
			return err
		}
		starts = append(starts, c.wall)
	}
	say("to start a process that does nothing takes %s ms", ms(median(starts)))
	for _, p := range []struct{ path, what string }{{b.ours, "the program"}, {b.front, "the small one before it"}} {
		if fi, err := os.Stat(p.path); err == nil {
			say("%s has %s MiB", p.what, mib(fi.Size()))
		}
	}
	if !isolated() {
		say("not run by root: the agent is called with -C")
	}
	if names := b.absent(); len(names) > 0 {
		say("left out, since they are not there: %s", strings.Join(names, ", "))
	}
	return nil
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(b))
}

func firstWord(path string) string {
	b, _ := os.ReadFile(path)
	word, _, _ := strings.Cut(string(b), " ")
	return word
}

func fileSystem(dir string) string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return "an unknown file system"
	}
	switch uint32(st.Type) { // 32 bits, signed on some machines
	case 0xEF53:
		return "ext4"
	case 0x58465342:
		return "xfs"
	case 0x9123683E:
		return "btrfs"
	case 0x01021994:
		return "tmpfs"
	case 0x794C7630:
		return "overlayfs"
	}
	return fmt.Sprintf("a file system of type %#x", st.Type)
}
