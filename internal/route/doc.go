// Package route takes a message from standard input to whoever delivers it, and tells the caller what became of it:
// the draft, the interface that every way implements, and the way by the agent's socket, a small SMTP client that says
// everything in one flight and reads the answers. What the agent did not acknowledge is the caller's. The quick program
// (cmd/front) is this package and little more. It never reads a configuration and brings neither TLS nor HTTP with
// it, for both cost every caller a start-up.
package route
