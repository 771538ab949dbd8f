package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

// Unprocessed begins the origin of a message that was accepted as it came, because nothing could
// judge it yet: neither its sender nor its recipients are what may be sent.
const Unprocessed = "unprocessed, "

// NotProcessed begins the reason for which such a message waits.
const NotProcessed = "not processed yet"

// Unprocessed reports whether the message lies in the spool as it came.
func (m Meta) Unprocessed() bool { return strings.HasPrefix(m.Origin, Unprocessed) }

// HeldBack reports whether an administrator keeps the message back. The hold that a message is
// kept with because it is not processed is none: to process it ends that.
func (m Meta) HeldBack(st *Status) bool {
	return st.Held && !(m.Unprocessed() && strings.HasPrefix(st.Reason, NotProcessed))
}

// Replace puts what an unprocessed message has become in its place, for those recipients that env names. The
// id, the user and the time of arrival stay. One rename does it, so that a crash leaves the
// one or the other, never both. The old item is unlocked, the new one is locked. After an error
// the old item is as it was, unless the directory could not be synced: then a claim finds
// the new one. The bounds do not hold the message up, for they counted it when it came.
func (it *Item) Replace(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (*Item, error) {
	meta := it.h.meta
	meta.Origin, meta.Internal = strings.TrimPrefix(meta.Origin, Unprocessed), true
	if it.f == nil || it.dir != queueDir {
		return nil, os.ErrClosed
	}
	return it.replace(ctx, meta, env, msg, newStatus(len(env.Recipients)))
}

// replace puts another form of the message, with its status, into its place.
func (it *Item) replace(ctx context.Context, meta Meta, env *envelope.Envelope, msg envelope.Message, st Status) (*Item,
	error) {
	p, err := it.s.Begin(meta, env)
	if err != nil {
		return nil, err
	}
	defer p.Abort() // does nothing after the commit
	p.h.id, p.replaces, p.dir, p.st = it.h.id, true, it.dir, st
	// Who holds the message's lock is the only one to replace it: this is a dead one's.
	if err := it.s.ops.Unlink(it.s.path(queueDir, it.h.id, suffixNew)); err != nil && !errors.Is(err, syscall.ENOENT) {
		return nil, sysexits.With(sysexits.IOErr, fmt.Errorf("message %s can't be replaced: %w", it.h.id, err))
	}
	if err := p.Fill(ctx, msg); err != nil {
		return nil, err
	}
	n, err := p.CommitClaimed(ctx)
	if err != nil {
		return nil, err
	}
	n.logged = it.mayHaveLog()
	it.s.usage.release(it.h.id, it.h.meta, it.h.size)
	it.Unlock()
	return n, nil
}

// SetAside puts a copy of an unprocessed message into failed/, for some of its recipients
// only, with the reason why they don't get it.
func (it *Item) SetAside(ctx context.Context, recipients []envelope.Recipient, reason string) error {
	env, meta := it.h.env, it.h.meta
	env.Recipients, meta.Internal = recipients, true
	p, err := it.s.Begin(meta, &env)
	if err != nil {
		return err
	}
	defer p.Abort() // does nothing after the commit
	if err := p.Fill(ctx, it.Message()); err != nil {
		return err
	}
	aside, err := p.CommitClaimed(ctx)
	if err != nil {
		return err
	}
	defer aside.Unlock()
	return aside.Fail(reason)
}
