package fleet

import (
	"time"

	"golang.org/x/sys/unix"
)

// boottime is the time since the machine was started, sleep included; nobody can set it.
func boottime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // the kernel has had it since 2.6.39
	}
	return time.Duration(t.Nano())
}
