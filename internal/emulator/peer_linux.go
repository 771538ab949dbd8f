package emulator

import (
	"encoding/binary"
	"net"
	"syscall"
)

// peerGone reports whether the peer has closed the connection, even when bytes of it
// are still unread. Connection limits count by it: a client that closes one connection
// and opens the next at once never has two.
func (c *wireConn) peerGone() bool {
	t, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return true
	}
	const established = 1 // TCP_ESTABLISHED of linux/include/net/tcp_states.h
	state := -1
	err = raw.Control(func(fd uintptr) {
		// The first byte of struct tcp_info is the state.
		if v, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO); err == nil {
			state = int(binary.NativeEndian.AppendUint32(nil, uint32(v))[0])
		}
	})
	return err != nil || state != established
}
