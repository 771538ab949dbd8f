package cache

import (
	"context"
	"crypto/sha256"
	"sync"

	"o365-sendmail/xoauth"
)

// memory holds what could not be put on disk, for the life of this process. A
// long-running process with an unwritable directory would else ask for a token
// with every message.
type memory struct {
	mu        sync.Mutex
	tokens    map[Key]*tokenRecord
	refusals  map[Key]*refusedRecord
	discarded map[Key][sha256.Size]byte
	gates     map[Key]chan struct{}
}

func (m *memory) token(k Key) *tokenRecord {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tokens[k]
}

// keepToken keeps r, or drops what is kept when r is nil.
func (m *memory) keepToken(k Key, r *tokenRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r == nil {
		delete(m.tokens, k)
		return
	}
	if m.tokens == nil {
		m.tokens = make(map[Key]*tokenRecord)
	}
	m.tokens[k] = r
}

func (m *memory) refused(k Key) *refusedRecord {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refusals[k]
}

// keepRefused keeps r, or drops what is kept when r is nil.
func (m *memory) keepRefused(k Key, r *refusedRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r == nil {
		delete(m.refusals, k)
		return
	}
	if m.refusals == nil {
		m.refusals = make(map[Key]*refusedRecord)
	}
	m.refusals[k] = r
}

// discard notes that t is no good, should its file stay because it can't be removed.
func (m *memory) discard(k Key, t xoauth.Token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.tokens[k]; r != nil && r.Token == t.Access.Reveal() {
		delete(m.tokens, k)
	}
	if m.discarded == nil {
		m.discarded = make(map[Key][sha256.Size]byte)
	}
	m.discarded[k] = sha256.Sum256([]byte(t.Access.Reveal()))
}

func (m *memory) isDiscarded(k Key, token string) bool {
	m.mu.Lock()
	sum, ok := m.discarded[k]
	m.mu.Unlock()
	return ok && sum == sha256.Sum256([]byte(token))
}

// enter lets one goroutine at a time fetch the token of k; leave must be called.
func (m *memory) enter(ctx context.Context, k Key) (leave func(), err error) {
	m.mu.Lock()
	if m.gates == nil {
		m.gates = make(map[Key]chan struct{})
	}
	gate := m.gates[k]
	if gate == nil {
		gate = make(chan struct{}, 1)
		m.gates[k] = gate
	}
	m.mu.Unlock()
	select {
	case gate <- struct{}{}:
		return func() { <-gate }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
