package front

import (
	"fmt"
	"syscall"
)

// EnoughDescriptors finds out whether three more descriptors can be had. The runtime needs
// two beside the first file that is opened, and ends the process with a page of its own
// state if it does not get them.
func EnoughDescriptors() error {
	for range 3 {
		fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		if err != nil {
			return fmt.Errorf("no file can be opened: %w; raise the limit (ulimit -n)", err)
		}
		defer syscall.Close(fd)
	}
	return nil
}
