// Package control lets people look at the queue and change it: through the agent, which
// alone may read the spool, or on the spool itself. The agent listens on a Unix socket and
// speaks HTTP/1.1 with lines of JSON; the kernel names the caller. Root and the service
// user may do everything, others see, retry and delete their own messages only.
//
// The package delivers nothing, takes no message, reads no configuration and no secret, and
// never listens on a network.
package control
