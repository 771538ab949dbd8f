package route

import (
	"fmt"
	"syscall"
)

// What a way needs of descriptors beside those that the process was started with.
const (
	// ForAgent is for a call that hands its message to the agent. The runtime needs two beside the first file
	// that is opened, and ends the process with a page of its own state if it does not get them.
	ForAgent = 3
	// ForDelivery is for a process that delivers by itself, with spool, cache, token and session.
	ForDelivery = 10
)

// EnoughDescriptors finds out whether n more descriptors can be had, so that a call fails as a whole and not
// with each thing that it does. Its error is temporary.
func EnoughDescriptors(n int) error {
	var limit syscall.Rlimit
	if n > ForAgent && syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur > 1024 {
		n = ForAgent // so many are not in use, and to try costs time
	}
	for range n {
		fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		if err != nil {
			return fmt.Errorf("not enough files can be opened: %w; raise the limit (ulimit -n)", err)
		}
		defer syscall.Close(fd)
	}
	return nil
}
