package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

// smallMessage is up to how many bytes of a message are held in memory, so that one
// write makes the file and a message that is never committed costs no file.
const smallMessage = 64 << 10

// Put accepts a message: after a nil error it survives a crash and a power loss.
// After any error nothing of it is kept; the error carries an exit code.
func (s *Spool) Put(ctx context.Context, meta Meta, env *envelope.Envelope, msg envelope.Message) (id string,
	err error) {
	p, err := s.Begin(meta, env)
	if err != nil {
		return "", err
	}
	defer p.Abort() // does nothing after Commit
	if err := p.Fill(ctx, msg); err != nil {
		return "", err
	}
	return p.Commit(ctx)
}

// Pending is a message that is not accepted yet. It is an io.Writer for its bytes, and not safe for concurrent
// writers.
type Pending struct {
	s        *Spool
	h        head
	offset   int64    // of the message in the file
	expected int64    // bytes, if known beforehand
	buf      []byte   // head, status and message, until the file is made
	f        *os.File // locked; nil until the message outgrows the buffer
	err      error    // the first failure; nothing works after it
	over     bool     // committed or aborted
	replaces bool     // a message that has the id already
	given    bool     // the id came with the envelope
	dir      string   // where it comes to lie: queueDir, or failedDir in place of one that lies there
	st       Status   // that it begins with
	tail     *Tail    // that has brought the file; nil else
}

// Begin starts a message under the envelope's id, a new one if it has none. The caller must end it with Commit or
// Abort.
func (s *Spool) Begin(meta Meta, env *envelope.Envelope) (*Pending, error) {
	if len(env.Recipients) == 0 {
		return nil, sysexits.With(sysexits.Software, errors.New("a message without recipients can't be queued"))
	}
	now := s.o.Now()
	if meta.Arrived.IsZero() {
		meta.Arrived = now
	}
	id := env.ID
	if !ValidID(id) {
		var err error
		if id, err = newID(now, s.o.Rand); err != nil {
			return nil, sysexits.With(sysexits.OSErr, err)
		}
	}
	p := &Pending{s: s, h: head{id: id, meta: meta, env: *env}, given: id == env.ID, dir: queueDir,
		st: newStatus(len(env.Recipients))}
	p.st.Held, p.st.Reason = meta.Hold != "", meta.Hold
	p.h.env.EightBit, p.h.env.SMTPUTF8 = true, true // room for both: of a Tail they are not known yet
	layOut(&p.h)
	if p.h.headSize > maxHead || p.h.statusSize > maxHead {
		return nil, sysexits.With(sysexits.DataErr,
			fmt.Errorf("%d recipients are too many for one message in the queue", len(env.Recipients)))
	}
	p.h.env.EightBit, p.h.env.SMTPUTF8 = env.EightBit, env.SMTPUTF8
	p.offset = p.h.messageOffset()
	p.buf = make([]byte, p.offset, p.offset+4<<10)
	return p, nil
}

func (p *Pending) grow(size int64) {
	p.expected = size
	if size > 0 && size <= smallMessage {
		p.buf = append(make([]byte, 0, p.offset+size), p.buf...)
	}
}

// Fill writes a message, of which nothing was written yet.
func (p *Pending) Fill(ctx context.Context, msg envelope.Message) error {
	if taken, err := p.take(msg); taken || err != nil {
		return err
	}
	p.grow(msg.Size())
	r, err := msg.Open()
	if err != nil {
		return sysexits.With(sysexits.IOErr, fmt.Errorf("can't read the message: %w", err))
	}
	defer r.Close()
	buf := make([]byte, min(max(msg.Size(), 512), smallMessage))
	for {
		n, readErr := r.Read(buf)
		if _, err := p.Write(buf[:n]); err != nil {
			return err
		}
		switch {
		case readErr == io.EOF && p.h.size == msg.Size():
			return nil
		case readErr == io.EOF:
			return sysexits.With(sysexits.IOErr, fmt.Errorf("the message has %d bytes, but %d were expected", p.h.size,
				msg.Size()))
		case readErr != nil:
			return sysexits.With(sysexits.IOErr, fmt.Errorf("can't read the message: %w", readErr))
		case ctx.Err() != nil:
			return fault(ctx.Err())
		}
	}
}

// Write adds bytes of the message.
func (p *Pending) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if p.over {
		return 0, errors.New("write to a message that is committed or aborted")
	}
	if err := p.write(b); err != nil {
		p.err = fault(err)
		return 0, p.err
	}
	p.h.sum = checksum(p.h.sum, b)
	p.h.size += int64(len(b))
	return len(b), nil
}

func (p *Pending) write(b []byte) error {
	if p.f == nil && p.h.size+int64(len(b)) <= smallMessage {
		p.buf = append(p.buf, b...)
		return nil
	}
	if p.f == nil {
		if err := p.s.usage.check(p.h.meta, max(p.expected, p.h.size+int64(len(b)))); err != nil {
			return err
		}
		if err := p.create(); err != nil {
			return err
		}
		if _, err := p.s.ops.Write(p.f, p.buf); err != nil {
			return err
		}
		p.buf = nil
	}
	_, err := p.s.ops.Write(p.f, b)
	return err
}

// create makes the file under the name of one that is not accepted, and locks it: an
// unlocked one has no writer any more. A sweep that comes in between takes the file for a dead writer's; it
// is made again then.
func (p *Pending) create() error {
	for tries := 0; ; tries++ {
		f, err := p.s.ops.Open(p.newPath(), os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		switch {
		case errors.Is(err, fs.ErrExist) && 0 < tries && tries < maxCreate:
			time.Sleep(time.Millisecond) // the sweep has locked the last one, and not removed it yet
			continue
		case err != nil:
			return err
		}
		if err = p.s.own(f); err == nil {
			err = p.s.ops.Flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		}
		swept := errors.Is(err, syscall.EWOULDBLOCK) || err == nil && !linked(f)
		if !swept || tries >= maxCreate {
			p.f = f
			return err
		}
		_ = p.s.ops.Close(f)
	}
}

// linked reports whether the file still has a name. A sweep may have removed it between its creation and its lock.
func linked(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return true
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || st.Nlink > 0
}

// maxCreate is how often the file of a message is tried to be made again.
const maxCreate = 100

// Commit accepts the message: with its nil return the promise begins.
func (p *Pending) Commit(ctx context.Context) (id string, err error) {
	if err := p.commit(ctx); err != nil {
		return "", err
	}
	p.s.letGo(p.f)
	p.f = nil
	return p.h.id, nil
}

// CommitClaimed is Commit for a caller that is delivering the message already: it
// keeps the lock, so that nobody else starts on it.
func (p *Pending) CommitClaimed(ctx context.Context) (*Item, error) {
	if err := p.commit(ctx); err != nil {
		return nil, err
	}
	it := &Item{s: p.s, f: p.f, h: p.h, st: p.st, dir: p.dir}
	p.f = nil
	return it, nil
}

// commit is the only place where a message becomes an accepted one. Any error
// before its end takes everything back.
func (p *Pending) commit(ctx context.Context) error {
	switch {
	case p.err != nil:
		p.Abort()
		return p.err
	case p.over:
		return errors.New("the message is committed or aborted already")
	case ctx.Err() != nil:
		p.Abort()
		return fault(ctx.Err())
	}
	need := p.h.size
	if p.f != nil {
		need = 0
	}
	if err := p.s.usage.reserve(p.h.id, p.h.meta, p.h.size, need); err != nil {
		p.Abort()
		return fault(err)
	}
	if err := p.save(); err != nil {
		p.s.usage.release(p.h.id, p.h.meta, p.h.size)
		p.Abort()
		return fault(err)
	}
	p.s.usage.settled(p.h.id)
	p.over = true
	if p.tail != nil {
		p.tail.p.over = true
	}
	p.buf = nil
	return nil // From here on the message is safe.
}

func (p *Pending) save() error {
	front := append(encodeHead(&p.h), encodeStatus(&p.st)...)
	if err := p.saveFile(front); err != nil {
		return err
	}
	if err := p.s.ops.Sync(p.f); err != nil {
		return err
	}
	final := p.s.path(p.dir, p.h.id, suffixMessage)
	if p.given && !p.replaces {
		if _, err := os.Lstat(final); err == nil { // an envelope that was used twice
			return fmt.Errorf("there is a message %s already", p.h.id)
		}
	}
	if err := p.s.ops.Rename(p.newPath(), final); err != nil {
		return err
	}
	err := p.s.queueSync.do()
	if p.dir != queueDir && err == nil {
		err = p.s.syncOf(p.dir).do()
	}
	if err != nil && !p.replaces {
		if undo := p.s.ops.Unlink(final); undo != nil {
			p.s.o.Warn(fmt.Errorf("message %s was refused, but its file can't be removed and it may be delivered: %w",
				p.h.id, undo))
		}
	}
	return err
}

// saveFile brings the whole content into the file.
func (p *Pending) saveFile(front []byte) error {
	if p.f != nil {
		_, err := p.s.ops.WriteAt(p.f, front, 0)
		return err
	}
	copy(p.buf, front)
	if err := p.create(); err != nil {
		return err
	}
	_, err := p.s.ops.Write(p.f, p.buf)
	return err
}

func newStatus(recipients int) Status {
	st := Status{Recipients: make([]RecipientStatus, recipients)}
	for i := range st.Recipients {
		st.Recipients[i].State = Todo
	}
	return st
}

// Abort forgets the message. After Commit or Abort it does nothing.
func (p *Pending) Abort() {
	if p.over {
		return
	}
	p.over = true
	p.buf = nil
	if p.f == nil {
		return
	}
	// After a failed fsync of the directory the file has its final name, and save removed it.
	_ = p.s.ops.Unlink(p.newPath())
	if p.tail == nil { // else its end may still be read
		p.s.letGo(p.f)
	}
}

// newPath is the name that the file has until the message is accepted.
func (p *Pending) newPath() string {
	if p.tail != nil {
		p = p.tail.p
	}
	return p.s.path(queueDir, p.h.id, suffixNew)
}
