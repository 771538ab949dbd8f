package queueview

import "o365-sendmail/internal/quota"

// Fleet is how a fleet of hosts is, as one of them knows.
type Fleet struct {
	Name string `json:"name"`
	Host string `json:"host"` // the one that is asked
	// Centre is how the fleet's servers are; Unreachable says why they don't answer, "" when they do.
	Centre      *quota.Centre `json:"centre,omitempty"`
	Unreachable string        `json:"unreachable,omitempty"`
	// Faults are what is wrong but stops nothing.
	Faults []string     `json:"faults,omitempty"`
	Hosts  []quota.Peer `json:"hosts"`
	Silent []SilentHost `json:"silent,omitempty"`
	// Mailboxes are what the fleet shares.
	Mailboxes []FleetMailbox `json:"mailboxes"`
}

// SilentHost was there, and is not any more.
type SilentHost struct {
	Name    string `json:"name"`
	Seconds int64  `json:"seconds"` // since it was last heard
}

// FleetMailbox is what all hosts use of a mailbox: messages in the last minute and recipients in the last 24 hours.
type FleetMailbox struct {
	Name       string      `json:"name"`
	Slots      []FleetSlot `json:"slots,omitempty"`
	Messages   int         `json:"messages"`
	Recipients int         `json:"recipients"`
}

// FleetSlot is a session that a host may have now.
type FleetSlot struct {
	N    int    `json:"n"`
	Host string `json:"host"`
}
