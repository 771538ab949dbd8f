// Package queueview shows the queue to people and to scripts: as mailq's list, as the page
// of one message, and as JSON whose field names stay. It says in plain words why a message
// waits. It opens no file and no socket, decides nothing, and lets no byte of foreign text
// reach a terminal unescaped.
package queueview

import (
	"errors"
	"strings"
	"time"

	"o365-sendmail/internal/spool"
)

// State says in one word where a message stands.
type State string

// The states of a message.
const (
	Queued   State = "queued"   // not tried yet
	Deferred State = "deferred" // tried, and to be tried again
	Held     State = "held"     // an administrator keeps it back, or there is no configuration yet
	Failed   State = "failed"   // given up, kept to be looked at
	Damaged  State = "damaged"  // the file can't be read as a message
)

// Message is one message of the queue as JSON shows it.
type Message struct {
	ID         string      `json:"id"`
	State      State       `json:"state"`
	Size       int64       `json:"size"` // bytes
	Arrived    time.Time   `json:"arrived"`
	UID        int         `json:"uid"` // of the local user who gave it, -1 if unknown
	Origin     string      `json:"origin,omitempty"`
	Sender     string      `json:"sender"`            // "" is the null sender
	Mailbox    string      `json:"mailbox,omitempty"` // that signs in, "" is the configured one
	Attempts   int         `json:"attempts"`          // that failed by the message's own fault
	Tries      int         `json:"tries"`             // all that failed
	Last       time.Time   `json:"last,omitzero"`
	Next       time.Time   `json:"next,omitzero"` // zero means at once
	Class      string      `json:"class,omitempty"`
	Reason     string      `json:"reason,omitempty"`
	Recipients []Recipient `json:"recipients"`
	// InFailed is set for what lies in failed/.
	InFailed bool `json:"in_failed,omitempty"`
	// Stop is what keeps the mail of this sender back, when the sender alone is meant.
	Stop *Stop `json:"stop,omitempty"`
	// Waiting is the explanation in words; it is made where it is shown.
	Waiting string `json:"waiting,omitempty"`
	// Host is the fleet's host whose message it is, when more than one is asked.
	Host string `json:"host,omitempty"`
}

// unprocessed reports whether no configuration has judged the message yet, and it waits for one.
func (m *Message) unprocessed() bool {
	return strings.HasPrefix(m.Origin, spool.Unprocessed) && strings.HasPrefix(m.Reason, spool.NotProcessed)
}

// Recipient is one recipient of a message.
type Recipient struct {
	Address  string `json:"address"`
	State    string `json:"state"` // todo, done or failed
	Code     int    `json:"code,omitempty"`
	Enhanced string `json:"enhanced,omitempty"`
}

// The states of a recipient.
const (
	RecipientTodo   = "todo"
	RecipientDone   = "done"
	RecipientFailed = "failed"
)

// Detail is all that is known of one message, but for its bytes.
type Detail struct {
	Message
	EnvID string `json:"envid,omitempty"`
	Ret   string `json:"ret,omitempty"`
	Log   string `json:"log,omitempty"` // the tries, a line each
	// Header is the message's, as much as is shown.
	Header string `json:"header,omitempty"`
}

// FromSpool turns what the spool knows into what is shown. The slices are the message's own.
func FromSpool(info *spool.Info, m *Message) {
	*m = Message{
		ID: info.ID, Size: info.Size, Arrived: info.Meta.Arrived, UID: info.Meta.UID, Origin: info.Meta.Origin,
		Sender: info.Envelope.Sender, Mailbox: info.Envelope.SignIn,
		Attempts: info.Status.Attempts, Tries: info.Status.Tries(), Last: info.Status.Last, Next: info.Status.Next,
		Class: info.Status.Class, Reason: info.Status.Reason,
		Recipients: m.Recipients[:0], InFailed: info.Failed,
	}
	m.State = stateOf(info)
	if info.Err != nil {
		m.UID, m.Reason = -1, info.Err.Error()
		if key, ok := spool.ParseKey(info.ID); ok && m.Arrived.IsZero() {
			m.Arrived = key.Time()
		}
	}
	for i, r := range info.Envelope.Recipients {
		m.Recipients = append(m.Recipients, recipient(r.Address, info.Status.Recipients, i))
	}
}

func stateOf(info *spool.Info) State {
	switch {
	case info.Err != nil && !errors.Is(info.Err, spool.ErrNewer):
		return Damaged
	case info.Failed:
		return Failed
	case info.Status.Held:
		return Held
	case info.Status.Reason != "" || info.Status.Tries() > 0:
		return Deferred
	}
	return Queued
}

func recipient(address string, states []spool.RecipientStatus, i int) Recipient {
	r := Recipient{Address: address, State: RecipientTodo}
	if i >= len(states) {
		return r
	}
	r.Code, r.Enhanced = states[i].Code, states[i].Enhanced
	switch states[i].State {
	case spool.Done:
		r.State = RecipientDone
	case spool.Failed:
		r.State = RecipientFailed
	}
	return r
}
