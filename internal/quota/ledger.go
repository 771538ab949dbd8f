// Package quota is what the processes of a host share about what they may use: Exchange's connections, messages and
// recipients of an account, and what was found out about it, in the token cache's directory; and how much of a pool of
// the agent's one user may take. It sends nothing and waits for nothing but a slot. A Limiter
// is what an engine asks: this host's ledger, or one for many hosts.
//
// Its files, by the SHA-256 of the account:
//
//	slot-<account>.<n>.lock held while connection slot n is in use
//	count-<account>.window  what was sent; count-<account>.lock guards it
//	note-<name>.note        a line about name, until a time
package quota

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"time"

	"o365-sendmail/internal/durable"
)

// What of the directory may fail by itself.
const (
	theSlots = "the connection slots"
	theCount = "the count of sent messages"
)

// Ledger is what is shared about accounts. It may be used by many goroutines and, through any number of
// Ledgers with the same directory, by many processes.
type Ledger struct {
	dir   *durable.Shared
	now   func() time.Time
	notes notes
}

// New returns the ledger in dir, by the wall clock now; nil means time.Now. It touches nothing on disk.
func New(dir *durable.Shared, now func() time.Time) *Ledger {
	if now == nil {
		now = time.Now
	}
	return &Ledger{dir: dir, now: now}
}

// path is a file of what kind says for an account; mailbox names know no case.
func (l *Ledger) path(kind, account, suffix string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(account)))
	return filepath.Join(l.dir.Path, kind+"-"+hex.EncodeToString(sum[:12])+"."+suffix)
}
