// Package envelope holds what travels beside a message: who sends it, who gets
// it, and what delivery reports the sender asked for (RFC 5321, RFC 3461), with
// the forms in which such values travel. It is plain data and opens nothing.
package envelope

import (
	"context"
	"io"
)

// Envelope is the SMTP envelope of one message.
type Envelope struct {
	// ID is the queue id, which the log has on each line of the message; "" until it gets one.
	ID string
	// Sender is the reverse-path without angle brackets; "" is the null sender.
	Sender string
	// Origin is the reverse-path that the caller gave, before the sender rule: reports on
	// the message go there when it can get mail. "" is the null sender: no report is ever sent.
	Origin string
	// SignIn is the mailbox that signs in (XOAUTH2 user=); "" means the configured one.
	SignIn string
	// Recipients are the forward-paths, in the order given, without duplicates.
	Recipients []Recipient
	// Ret says how much of the message a failure report carries: "", "FULL" or "HDRS" (RFC 3461 4.3).
	Ret string
	// EnvID is the sender's envelope identifier, decoded (RFC 3461 4.4); "" when none was given.
	EnvID string
	// EightBit is set when the body has bytes over 127, so that BODY=8BITMIME is needed (RFC 6152).
	EightBit bool
	// SMTPUTF8 is set when an address or a header needs RFC 6531.
	SMTPUTF8 bool
	// Mode is the delivery mode that the caller asked for ("interactive", "background",
	// "queue"); "" means the configured one.
	Mode string
	// Caller is who handed the message over.
	Caller Caller
}

// To returns the envelope for some of its recipients, by their places.
func (e *Envelope) To(places []int) *Envelope {
	part := *e
	part.Recipients = make([]Recipient, len(places))
	for k, i := range places {
		part.Recipients[k] = e.Recipients[i]
	}
	return &part
}

// Caller is who handed a message over, as the kernel or the listener tells it.
type Caller struct {
	UID  int    // -1 when unknown, as over TCP
	User string // the user's name, "" when unknown
	Via  string // for logs and the Received field, such as "userid 33"
}

// Recipient is one forward-path.
type Recipient struct {
	// Address is an addr-spec, its local part quoted where RFC 5321 needs it.
	Address string
	// Notify says when the sender wants a report; zero means that the sender left it open.
	Notify Notify
	// ORcpt is the original recipient as "type;address", decoded (RFC 3461 4.2); "" when none was given.
	ORcpt string
}

// Notify is the set of RFC 3461 4.1 NOTIFY conditions.
type Notify uint8

// The NOTIFY conditions. NotifyNever excludes the others.
const (
	NotifyNever Notify = 1 << iota
	NotifySuccess
	NotifyFailure
	NotifyDelay
)

// String returns the value of the NOTIFY parameter, "" for the zero set.
func (n Notify) String() string {
	if n&NotifyNever != 0 {
		return "NEVER"
	}
	s := ""
	for _, c := range [...]struct {
		bit  Notify
		name string
	}{{NotifySuccess, "SUCCESS"}, {NotifyFailure, "FAILURE"}, {NotifyDelay, "DELAY"}} {
		if n&c.bit == 0 {
			continue
		}
		if s != "" {
			s += ","
		}
		s += c.name
	}
	return s
}

// Message is a message in its wire form: every line ends in CRLF, no bare CR or
// LF anywhere, dots not stuffed. It can be read any number of times, so that a
// delivery can be tried again.
type Message interface {
	// Size is the number of bytes that a reader of Open returns.
	Size() int64
	// Open starts a reading from the first byte.
	Open() (io.ReadCloser, error)
}

// Submitter takes responsibility for a message, or says why it does not.
//
// A nil error means that every recipient in Receipt.Accepted is either delivered to the
// relay or on stable storage. Recipients in Receipt.Refused were refused for good and
// nothing of them was kept.
type Submitter interface {
	Submit(ctx context.Context, env *Envelope, msg Message) (Receipt, error)
}

// Receipt says what became of a submission.
type Receipt struct {
	// QueueID is the message's id when it was kept in the spool.
	QueueID string
	// Queued is true when at least one recipient waits in the spool.
	Queued bool
	// Reply is the relay's own words on the whole message, when it was delivered at once.
	Reply string
	// Accepted lists the recipients that are delivered or queued.
	Accepted []string
	// Refused holds the refused recipients and why.
	Refused []Refusal
}

// Refusal is one recipient that was refused for good.
type Refusal struct {
	Address string
	Err     error
}
