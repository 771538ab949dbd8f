// Package early runs before the packages that read the environment when they are
// initialised. The time zone database is opened there by a library, and a caller could name
// a FIFO in TZ and hold the program for ever, or have a file opened that only root may read.
// All times that this program writes are in UTC. The package imports nothing but syscall, so
// that nothing comes before it; it does nothing else.
package early

import "syscall"

func init() {
	_ = syscall.Unsetenv("TZ")
	_ = syscall.Unsetenv("ZONEINFO")
}
