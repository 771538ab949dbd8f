package quota

import (
	"context"
	"time"
)

// Member is a host's membership of a fleet: the Limiter that all of its hosts share, and what is known of them.
type Member interface {
	Limiter
	// Reach returns nil while the fleet's servers answer, else why they don't.
	Reach() error
	// Faults are what is wrong but stops nothing: a limit that differs from the fleet's, two hosts of one name.
	Faults() []error
	// Peers are the hosts that are there, by name; silent are those that were, with the time since.
	Peers() (hosts []Peer, silent map[string]time.Duration)
	// Held are the slots that somebody has, by mailbox and number.
	Held() []Held
	// Ask sends a request to the agent of a host and calls part for each piece of its answer. What either means is not
	// the fleet's to know.
	Ask(ctx context.Context, host string, request []byte, part func([]byte) error) error
	// Used is what all hosts together have used: the messages of the last minute and the recipients of the last day,
	// in each case with what is taken ahead.
	Used(ctx context.Context, mailbox string) (messages, recipients int, err error)
	// Expires proves that what has a time to live expires at the fleet's servers, which takes some seconds; the error
	// says that it does not.
	Expires(ctx context.Context) error
	// Centre says how the fleet's servers are.
	Centre(ctx context.Context) (Centre, error)
	// Counts are what this host has met in the fleet.
	Counts() Counts
	// Close leaves the fleet once all slots are released.
	Close()
}

// Peer is what a host says of itself.
type Peer struct {
	Name string `json:"name"`
	// ID is of its process: two of one name are two hosts, or one that was started again a moment ago.
	ID      string `json:"id"`
	Version string `json:"version"`
	Backlog
	// Wants are mailboxes for which it waits for a slot.
	Wants []string `json:"wants,omitempty"`
}

// Backlog is how a host's queue is.
type Backlog struct {
	Messages int   `json:"messages"`
	Oldest   int64 `json:"oldest,omitempty"` // the age of the oldest, in seconds
}

// Held is a slot that somebody has.
type Held struct {
	Mailbox  string `json:"mailbox"`
	N        int    `json:"n"`
	Host, ID string
}

// Centre is how the servers of a fleet are.
type Centre struct {
	Server  string `json:"server"`  // the one that this host is connected to
	Version string `json:"version"` // of that server
	// Leader is the one that keeps slots and hosts, "" where there is one server alone, and Replicas how often
	// they are kept; Behind are servers that do not have all of it.
	Leader   string   `json:"leader,omitempty"`
	Replicas int      `json:"replicas"`
	Behind   []string `json:"behind,omitempty"`
}
