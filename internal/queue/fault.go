package queue

import (
	"time"

	"o365-sendmail/internal/diagnose"
)

// Scope says what a fault stops.
type Scope uint8

// The scopes. Their numbers stand in the state file.
const (
	ScopeMessage Scope = iota // one message
	ScopeSender               // the messages of one sender address
	ScopeMailbox              // everything that one mailbox signs in for
	ScopeAll                  // everything
	ScopeAuthor               // the messages of one From address that a caller chose
	ScopeOutside              // the recipients outside the organization
)

// The classes as they stand in a message's status.
const (
	ClassTemporary     = "temporary"
	ClassAccount       = "account"
	ClassConfiguration = "configuration"
	ClassShare         = "share"   // there is no room for it in its user's share of the day
	ClassOwn           = "own"     // a fault that others of the mailbox don't meet
	ClassSender        = "sender"  // the sender that its caller chose is refused
	ClassOutside       = "outside" // what is left is for recipients outside the organization
)

// The keys of faults that no server names.
const (
	KeyNoAccount = "no-account"        // the configuration can't be used
	KeyPace      = "rates"             // the account's messages a minute are used up
	KeyShare     = "share"             // a message does not fit into the day
	KeyUnknown   = "limits-unknown"    // nobody can tell what the account's other hosts have used
	KeySlow      = "refusals-in-a-row" // a user's refusals
	keyLost      = "sessions-lost"
)

// Fault is why a try failed, when that is not the message's own doing.
type Fault struct {
	Scope  Scope
	Hold   bool   // an administrator has to act; else waiting helps
	Early  bool   // it showed before a message was named, so a session proves that it is gone
	Key    string // stable identifier of the fault
	Err    error  // nil for one that was restored, or is no server's or token endpoint's
	Reason string // one line
	Remedy string // what to do, "" when there is nothing but to wait
	After  time.Duration
}

// Class is what the status of a message says that met the fault.
func (f *Fault) Class() string {
	switch {
	case f.Key == KeyShare:
		return ClassShare
	case f.Scope == ScopeMessage:
		return ClassOwn
	case f.Scope == ScopeAuthor:
		return ClassSender
	case f.Scope == ScopeOutside:
		return ClassOutside
	case f.Hold:
		return ClassConfiguration
	}
	return ClassAccount
}

// accountWide reports whether a message waits for something that is not its own: then the gates say when it
// goes, not its time.
func accountWide(class string) bool { return class == ClassAccount || class == ClassConfiguration }

// Spares reports whether the pauses of a message of this class spare the account: the server counts what it met.
func Spares(class string) bool {
	return class == ClassOwn || class == ClassSender || class == ClassOutside
}

// throttle reports whether the server refuses everything because one error came too often. Nobody
// goes through before the probe: that would be one more.
func (f *Fault) throttle() bool { return f.Key == diagnose.KeyThrottled }

// Counted reports whether the server counts the fault, so that a probe adds to what it is throttled for.
// Such probes come in growing pauses, across restarts.
func (f *Fault) Counted() bool {
	switch f.Key {
	case diagnose.KeyThrottled, diagnose.KeyUnknownLimit, diagnose.KeyMailboxFull, diagnose.KeyLicence:
		return true
	}
	return f.Scope == ScopeSender || f.Scope == ScopeAuthor || f.Scope == ScopeOutside
}

// worse reports whether f replaces the cause of a gate that is shut already.
func (f *Fault) worse(cause *Fault) bool {
	if f.throttle() || cause.throttle() {
		return !cause.throttle()
	}
	return f.Hold && !cause.Hold
}

// alone is the fault as one message's own.
func (f *Fault) alone() *Fault {
	own := *f
	own.Scope = ScopeMessage
	return &own
}

// pause is how long a gate stays shut.
func (l *Locked) pause(f *Fault, failures int) time.Duration {
	probe := l.rules.ProbeInterval
	if f.Counted() {
		return ProbePause(failures, probe)
	}
	if f.Hold {
		return max(probe, min(f.After, time.Hour))
	}
	pause := AccountPause(failures, f.After, l.hooks.Jitter())
	if f.After <= 0 {
		pause = min(pause, probe)
	}
	return pause
}
