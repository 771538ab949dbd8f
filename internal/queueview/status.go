package queueview

import (
	"strings"
	"time"
)

// Status is what the agent says of itself and of the whole queue.
type Status struct {
	// Agent is false when no agent runs, and the queue's files were read directly.
	Agent   bool      `json:"agent"`
	Version string    `json:"version,omitempty"`
	Mailbox string    `json:"mailbox,omitempty"` // the configured one
	Since   time.Time `json:"since,omitzero"`
	// Config is the file that the agent reads, and ConfigRead when it did so last.
	Config     string    `json:"config,omitempty"`
	ConfigRead time.Time `json:"config_read,omitzero"`
	// Messages, Bytes and Failed are the size of the spool; -1 when the viewer may not know.
	Messages int   `json:"messages"`
	Bytes    int64 `json:"bytes"`
	Failed   int   `json:"failed"`
	// Ready messages wait only for their turn; Active ones are being delivered.
	Ready    int `json:"ready"`
	Active   int `json:"active"`
	Sessions int `json:"sessions"`
	// Sent, Deferred and Bounced count recipients since the agent's start.
	Sent     int `json:"sent"`
	Deferred int `json:"deferred"`
	Bounced  int `json:"bounced"`
	// Stops say what keeps mail back.
	Stops []Stop `json:"stops"`
	// Alerts are what else the administrator should know.
	Alerts []Alert `json:"alerts,omitempty"`
}

// Alert is something other than a held queue that the administrator should know.
type Alert struct {
	// Kind is "paused", "spool-full", "queue-old" or "expiry".
	Kind     string `json:"kind"`
	Critical bool   `json:"critical,omitempty"`
	Text     string `json:"text"` // one line
}

// Stop is something that keeps more than one message back.
type Stop struct {
	// Mailbox is whose mail is meant; All is set when everybody's is, and Sender when only
	// that sender's mail stops.
	Mailbox string `json:"mailbox,omitempty"`
	All     bool   `json:"all,omitempty"`
	Sender  string `json:"sender,omitempty"`
	// Author narrows it to messages with that From address, which their caller chose; Outside to recipients
	// outside the organization, and each message says itself whether it is meant; UID to a local user.
	Author  string `json:"author,omitempty"`
	Outside bool   `json:"outside,omitempty"`
	UID     *int   `json:"uid,omitempty"`
	// Hold is set when an administrator has to act; else waiting helps.
	Hold   bool      `json:"hold"`
	Key    string    `json:"key,omitempty"`
	Reason string    `json:"reason"`
	Remedy string    `json:"remedy,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Next   time.Time `json:"next,omitzero"` // the next probe
	// Tries is how often a try found that the stop is not over; these count as no message's own tries.
	Tries int `json:"tries,omitempty"`
}

// Covers reports whether the stop keeps the message back. configured is the mailbox that signs
// in where a message names none.
func (s *Stop) Covers(m *Message, configured string) bool {
	if s.Author != "" || s.Outside || s.UID != nil && *s.UID != m.UID {
		return false
	}
	mailbox := m.Mailbox
	if mailbox == "" {
		mailbox = configured
	}
	return s.All || strings.EqualFold(s.Mailbox, mailbox) && (s.Sender == "" || s.Sender == m.Sender)
}

// Harmless returns the status as any local user may see it: no counts of other people's
// mail, no sender's name, and no name of a file.
func (s Status) Harmless() Status {
	h := Status{Agent: s.Agent, Version: s.Version, Mailbox: s.Mailbox, Since: s.Since, Messages: -1, Bytes: -1, Failed: -1}
	for i := range s.Stops {
		if st := &s.Stops[i]; st.Sender == "" && !st.Users() {
			h.Stops = append(h.Stops, s.Stops[i].Harmless())
		}
	}
	return h
}

// Users reports whether the stop is a local user's own doing, and concerns nobody else.
func (s *Stop) Users() bool { return s.Author != "" || s.UID != nil }

// Harmless returns the stop without names of files, and without the remedy, which is the
// administrator's business.
func (s Stop) Harmless() Stop {
	s.Reason, s.Remedy = WithoutPaths(s.Reason), ""
	return s
}

// WithoutPaths takes the names of files out of a text.
func WithoutPaths(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		if !namesFile(w) {
			continue
		}
		words[i] = "(a file)"
		if last := w[len(w)-1]; strings.IndexByte(":,;", last) >= 0 {
			words[i] += string(last)
		}
	}
	return strings.Join(words, " ")
}

// namesFile reports whether a path begins in the word, at its start or behind a mark.
func namesFile(w string) bool {
	for i := range len(w) {
		begins := i == 0 || strings.IndexByte("\"'(<=[\n\t", w[i-1]) >= 0
		if rest := w[i:]; begins && (rest[0] == '/' || strings.HasPrefix(rest, "~/") || strings.HasPrefix(rest, "./") || strings.HasPrefix(rest, "../")) {
			return true
		}
	}
	return false
}
