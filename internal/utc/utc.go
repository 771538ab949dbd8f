// Package utc has the whole program run in UTC, whatever its caller's environment says. It is initialised before the
// packages that read the environment: a library opens the time zone database there, and a caller could name
// a FIFO in TZ and hold the program for ever, or have a file opened that only root may read.
// The package imports nothing but syscall, so that nothing comes before it; it does nothing else.
package utc

import "syscall"

func init() {
	_ = syscall.Unsetenv("TZ")
	_ = syscall.Unsetenv("ZONEINFO")
}
