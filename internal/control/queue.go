package control

import (
	"context"
	"fmt"
	"io"

	"o365-sendmail/internal/host"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

// Action is what can be done to a message.
type Action string

// The actions.
const (
	Retry   Action = "retry"   // try now; a message that was given up goes back to the queue
	Hold    Action = "hold"    // keep back until Release
	Release Action = "release" // end Hold
	Delete  Action = "delete"  // for good
)

// Known reports whether the action is one of the four.
func (a Action) Known() bool {
	switch a {
	case Retry, Hold, Release, Delete:
		return true
	}
	return false
}

// Result is what became of one message of an action.
type Result struct {
	ID    string `json:"id"`
	Error string `json:"error,omitempty"`
	Code  int    `json:"code,omitempty"` // sysexits, 0 for success
}

// Redirected is what became of a message's recipients.
type Redirected struct {
	ID   string   `json:"id"`
	From []string `json:"from"`
	To   []string `json:"to"`
}

// Queue is a queue as one viewer may use it, here (Local) or through the agent (Client).
// Errors carry an exit code.
type Queue interface {
	// Status says what keeps mail back.
	Status(ctx context.Context) (queueview.Status, error)
	// List calls fn for each message that the filter chooses, oldest first, until it returns an error. The message
	// is fn's only until it returns. Of is how many messages the viewer has where the filter looked.
	List(ctx context.Context, f queueview.Filter, fn func(*queueview.Message) error) (of int, err error)
	// Watch tells fn what the filter chooses, then each change of it, until ctx ends or fn returns an error. It
	// returns nil, or an error that may pass, when what is known has to be told from the start again.
	Watch(ctx context.Context, f queueview.Filter, fn func(*Event) error) error
	// Show returns one message.
	Show(ctx context.Context, id string) (*queueview.Detail, error)
	// Content reads the bytes of one message.
	Content(ctx context.Context, id string) (io.ReadCloser, error)
	// Apply acts on the messages of the filter and calls fn for each.
	Apply(ctx context.Context, a Action, f queueview.Filter, fn func(Result) error) error
	// Redirect gives a message to other recipients in place of those that do not have it, and returns whose place
	// they took. With dry it only says so.
	Redirect(ctx context.Context, id string, to []string, dry bool) (Redirected, error)
	// Flush tries the messages of the filter now, and does not wait for their delivery. It obeys what
	// is paused or held; with ask, which only root and the service user may, that is probed now, too.
	Flush(ctx context.Context, f queueview.Filter, ask bool) (Flushed, error)
	Close() error
}

// Viewer is who uses the queue.
type Viewer struct {
	UID int
	// All is set for root and the service user.
	All bool
}

// noOwner reports whether a user id stands for "unknown", so that nothing belongs to it. In a user namespace that
// lacks some users the kernel shows all of those as 65534, which elsewhere is the user nobody's.
func noOwner(uid int) bool { return uid < 0 || uid == host.OverflowUID && !host.KnowsAllUsers() }

func (v Viewer) owns(uid int) bool { return v.All || !noOwner(uid) && uid == v.UID }

func errAdmin(what string) error {
	return sysexits.With(sysexits.NoPerm, fmt.Errorf("%s: only root and the service user may ask for that", what))
}

func usage(err error) error { return sysexits.With(sysexits.Usage, err) }
