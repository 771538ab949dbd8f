// Package front is what a call of sendmail needs when an agent takes the message: it reads
// the message, hands it over at the agent's socket and tells the caller what became of it.
// The quick program (cmd/front) is this package and no more; the whole program uses it for
// messages from standard input whichever way they take. It never reads a configuration and
// brings neither TLS nor HTTP with it, for both cost every caller a start-up.
package front
