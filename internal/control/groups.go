package control

import (
	"net"
	"slices"
	"syscall"
	"unsafe"
)

// soPeerGroups is SO_PEERGROUPS of <asm-generic/socket.h> (Linux 4.13), which package syscall does not name.
const soPeerGroups = 59

// unknownGroup stands for any group of another user namespace that this one does not know (overflowgid).
const unknownGroup = 65534

// peerInGroup asks the kernel whether the process that connected was in a group then, by its own or a supplementary
// one (unix(7)). What /etc/group says of its user does not count.
func peerInGroup(c net.Conn, gid int) (in bool, err error) {
	if gid < 0 || gid == unknownGroup {
		return false, nil
	}
	err = withSocket(c, func(fd int) error {
		cred, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if err != nil || int64(cred.Gid) == int64(gid) {
			in = err == nil
			return err
		}
		groups, err := peerGroups(fd)
		in = slices.Contains(groups, uint32(gid))
		return err
	})
	return in && err == nil, err
}

// peerGroups are the supplementary groups.
func peerGroups(fd int) ([]uint32, error) {
	for groups := make([]uint32, 64); ; {
		size := uint32(len(groups) * 4)
		_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, soPeerGroups,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == syscall.ERANGE && int(size/4) > len(groups): // the size that it takes
			groups = make([]uint32, size/4)
		case errno != 0:
			return nil, errno
		default:
			return groups[:size/4], nil
		}
	}
}

// withSocket calls fn with the descriptor of a Unix socket.
func withSocket(c net.Conn, fn func(fd int) error) error {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return errNotUnix
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = fn(int(fd)) }); err != nil {
		return err
	}
	return failed
}
