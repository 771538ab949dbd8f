//go:build !linux

package emulator

// peerGone can only be known by reading on these systems.
func (c *wireConn) peerGone() bool { return false }
