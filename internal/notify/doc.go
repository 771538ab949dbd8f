// Package notify tells people what the program has found: the administrator of conditions that last, by alerts,
// and senders of the fate of their messages, by delivery status notifications (RFC 3464). It gets conditions and
// fates from the engine and gives it messages to submit. It decides nothing about delivery and holds no lock
// of the engine's.
package notify
