// Package queue decides which message goes next, when a message is tried again, and what has to wait for what.
//
// Of each message in the queue it holds what that needs, about a hundred bytes. Messages go by turns: every local
// user in turn, and every sender of a user in turn; submissions whose callers wait go first, within limits. A gate
// before a mailbox, a sender, or everything shuts when a fault is met that is not a message's own, and opens when one
// message that is let through as a probe is taken.
//
// All of it is reached through a Queue, whose Do hands out a *Locked: what uses the queue is a method of that type or
// takes it. The package does no I/O, reads no clock, draws no random number and
// starts no goroutine: times come in as arguments, and Hooks say what is to be done.
package queue
