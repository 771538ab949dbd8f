package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/envelope"
)

// Info is what the spool knows of one message, read without a lock.
type Info struct {
	ID       string
	Meta     Meta
	Envelope envelope.Envelope
	Status   Status
	// Size is the number of bytes of the message.
	Size int64
	// Failed is set for a message in failed/.
	Failed bool
	// Err says why the rest could not be read: ErrDamaged, ErrNewer, or the system's error.
	Err error
}

// List calls fn for every message in the queue, oldest first, until fn returns false. It
// changes nothing. Messages that come or go meanwhile may be missing or listed.
func (s *Spool) List(ctx context.Context, fn func(Info) bool) error {
	return s.list(ctx, queueDir, fn)
}

// ListFailed is List for failed/.
func (s *Spool) ListFailed(ctx context.Context, fn func(Info) bool) error {
	return s.list(ctx, failedDir, fn)
}

func (s *Spool) list(ctx context.Context, dir string, fn func(Info) bool) error {
	keys, err := s.keys(dir)
	if err != nil {
		return err
	}
	buf := make([]byte, firstRead)
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i := s.info(dir, k.String(), buf); !errors.Is(i.Err, ErrGone) && !fn(i) {
			return nil
		}
	}
	return nil
}

// IDs returns the ids of the messages in the queue, oldest first; it opens no file.
func (s *Spool) IDs() ([]string, error) { return s.ids(queueDir) }

func (s *Spool) ids(dir string) ([]string, error) {
	keys, err := s.keys(dir)
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.String()
	}
	return ids, err
}

// Keys is IDs in a third of the room.
func (s *Spool) Keys() ([]Key, error) { return s.keys(queueDir) }

func (s *Spool) keys(dir string) ([]Key, error) {
	var keys []Key
	err := s.eachName(dir, func(name string) {
		if id, suffix, ok := splitName(name); ok && suffix == suffixMessage {
			k, _ := ParseKey(id)
			keys = append(keys, k)
		}
	})
	slices.SortFunc(keys, Key.Compare)
	return keys, err
}

// eachName shows fn what lies in a directory, a part at a time: it may be long.
func (s *Spool) eachName(dir string, fn func(name string)) error {
	d, err := os.Open(s.dir(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			fn(name)
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// Get returns what is known of one message in the queue or in failed/.
func (s *Spool) Get(id string) (Info, error) {
	if !ValidID(id) {
		return Info{}, ErrBadID
	}
	for _, dir := range [...]string{queueDir, failedDir} {
		if info := s.info(dir, id, make([]byte, firstRead)); !errors.Is(info.Err, ErrGone) {
			return info, info.Err
		}
	}
	return Info{}, ErrGone
}

// info reads one file; buf is room for its start.
func (s *Spool) info(dir, id string, buf []byte) Info {
	info := Info{ID: id, Failed: dir == failedDir}
	f, err := openRead(s.path(dir, id, suffixMessage))
	if err != nil {
		info.Err = readFault(err)
		return info
	}
	defer f.Close()
	h, status, err := readHead(f, id, buf)
	if err != nil {
		info.Err = err
		return info
	}
	info.Meta, info.Envelope, info.Status, info.Size = h.meta, h.env, status, h.size
	return info
}

// readHead reads and checks what stands before the message.
func readHead(f *os.File, id string, buf []byte) (h head, st Status, err error) {
	n, err := f.ReadAt(buf, 0)
	size := int64(n)
	switch {
	case err == nil: // only now is it unknown where the file ends
		fi, err := f.Stat()
		if err != nil {
			return h, st, err
		}
		size = fi.Size()
	case err != io.EOF:
		return h, st, readFault(err)
	}
	h, st, err = decodeFile(buf[:n], f, size)
	if err == nil && h.id != id {
		err = damaged("it is message %s by its head", h.id)
	}
	return h, st, err
}

// openRead leaves the time of access alone, for a look at the queue is not to write to the disk.
// Only the owner of a file and root may do so. What is not a plain file can't hold it up.
func openRead(path string) (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(path, flags|syscall.O_NOATIME, 0)
	if errors.Is(err, syscall.EPERM) {
		f, err = os.OpenFile(path, flags, 0)
	}
	return f, err
}

// readFault separates what is not a message at all from what can't be read now.
func readFault(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	switch errno {
	case syscall.ENOENT:
		return ErrGone
	case syscall.ELOOP, syscall.ENXIO, syscall.EISDIR, syscall.ESPIPE, syscall.EAGAIN:
		return damaged("it is not a plain file")
	}
	return err
}

// Stats is the size of the spool.
type Stats struct {
	Messages int
	Bytes    int64
	// Failed is how many messages lie in failed/.
	Failed int
}

// Stats is cheap however long the queue is. The counts may be off by what a
// killed process had in hand, until the next Sweep.
func (s *Spool) Stats() (Stats, error) {
	all, err := s.usage.read()
	if err != nil {
		return Stats{}, err
	}
	st := Stats{Messages: all.messages, Bytes: all.bytes}
	err = s.eachName(failedDir, func(name string) {
		if strings.HasSuffix(name, suffixMessage) {
			st.Failed++
		}
	})
	return st, err
}

// ReadLog returns the message's log, or nil when it has none.
func (s *Spool) ReadLog(id string) ([]byte, error) {
	if !ValidID(id) {
		return nil, ErrBadID
	}
	for _, dir := range [...]string{queueDir, failedDir} {
		f, err := openRead(s.path(dir, id, suffixLog))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		b := make([]byte, 2*maxLog)
		n, err := f.ReadAt(b, 0)
		if err == io.EOF {
			err = nil
		}
		return b[:n], err
	}
	return nil, nil
}

// Remove deletes a message for good, from queue/ or failed/, even a damaged one in failed/.
func (s *Spool) Remove(id string) error {
	it, dir, err := s.claimAnywhere(id)
	if errors.Is(err, ErrDamaged) && dir == failedDir {
		if err := s.ops.Unlink(s.path(failedDir, id, suffixMessage)); err != nil {
			return err
		}
		s.removeLog(failedDir, id)
		return s.failedSync.do()
	}
	if err != nil {
		return err
	}
	if err := it.Delete(); err != nil {
		it.Unlock()
		return err
	}
	if dir == failedDir {
		return s.failedSync.do()
	}
	return s.Sync()
}

func (s *Spool) claimAnywhere(id string) (it *Item, dir string, err error) {
	it, err = s.claim(queueDir, id)
	if !errors.Is(err, ErrGone) {
		return it, queueDir, err
	}
	it, err = s.claim(failedDir, id)
	return it, failedDir, err
}

// Retry makes a message due, at once or as soon as its last try lies floor back. One in failed/ goes
// back to the queue, with the recipients that had failed to do again.
func (s *Spool) Retry(id string, floor time.Duration) error {
	it, dir, err := s.claimAnywhere(id)
	if err != nil {
		return err
	}
	defer it.Unlock()
	next := it.st.Last.Add(floor)
	if now := s.o.Now(); !next.After(now) || next.After(now.Add(floor)) {
		next = time.Time{} // at once, as after a try whose time is that of a clock that was set
	}
	if dir == queueDir {
		return it.RetryAt(next)
	}
	for i := range it.st.Recipients {
		if r := &it.st.Recipients[i]; r.State == Failed {
			*r = RecipientStatus{State: Todo}
		}
	}
	it.st.Attempts, it.st.Others, it.st.Next, it.st.Held, it.st.Warned = 0, 0, next, false, false
	if err := it.writeStatus(true); err != nil {
		return err
	}
	s.usage.count(id, it.h.meta, it.h.size)
	if err := s.move(id, failedDir, queueDir); err != nil {
		s.usage.release(id, it.h.meta, it.h.size)
		return fmt.Errorf("can't move message %s to the queue: %w", id, err)
	}
	s.usage.settled(id)
	return nil
}

// RetryAll makes every message in the queue due at once, and says how many. Those
// that are in use or damaged are passed over; held ones stay held.
func (s *Spool) RetryAll(ctx context.Context) (n int, err error) {
	keys, err := s.Keys()
	if err != nil {
		return 0, err
	}
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		it, err := s.Claim(k.String())
		if err != nil {
			continue
		}
		if it.RetryNow() == nil {
			n++
		}
		it.Unlock()
	}
	return n, nil
}
