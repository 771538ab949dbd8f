package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"o365-sendmail/internal/envelope"
)

// Item is a message that this process alone may work on, until Unlock, Finish,
// Fail or Quarantine. It is for one goroutine at a time; readers of its Message may run beside it.
type Item struct {
	s    *Spool
	f    *os.File // locked
	h    head
	st   Status
	dir  string // queueDir or failedDir
	body []byte // the message, when the first read brought all of it

	logged  bool             // something went into the message's log
	room    *[firstRead]byte // where body is; for the next item when nobody reads it any more
	readers atomic.Int32     // of body
}

// rooms are for the first reads: half of what a drain allocates.
var rooms = sync.Pool{New: func() any { return new([firstRead]byte) }}

// firstRead is how much of a file is read at once: head, status and a usual message.
const firstRead = 4 << 10

// Claim locks the message. Its errors are ErrBadID, ErrBusy, ErrGone, ErrNewer,
// ErrDamaged (the file was moved to failed/ and Warn told), or the system's, which say nothing
// about the message. Claim works on queue/ only.
func (s *Spool) Claim(id string) (*Item, error) { return s.claim(queueDir, id) }

func (s *Spool) claim(dir, id string) (*Item, error) {
	if !ValidID(id) {
		return nil, ErrBadID
	}
	f, size, err := s.lockFile(dir, id)
	if err != nil {
		return nil, s.quarantineIfDamaged(dir, id, err)
	}
	it := &Item{s: s, f: f, dir: dir}
	if err := it.read(id, size); err != nil {
		err = s.quarantineIfDamaged(dir, id, err)
		s.letGo(f)
		return nil, err
	}
	return it, nil
}

// lockFile opens and locks a message's file, makes sure that it is what it should be, and
// tells its size.
func (s *Spool) lockFile(dir, id string) (f *os.File, size int64, err error) {
	path := s.path(dir, id, suffixMessage)
	flags := os.O_RDWR | syscall.O_NONBLOCK
	f, err = s.ops.Open(path, flags|syscall.O_NOATIME, 0)
	if is(err, syscall.EPERM) { // another's file
		f, err = s.ops.Open(path, flags, 0)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, ErrGone
	case is(err, syscall.ELOOP, syscall.EISDIR, syscall.ENXIO, syscall.EACCES, syscall.ENODEV):
		return nil, 0, damaged("it can't be opened: %v", err)
	case err != nil:
		return nil, 0, err
	}
	if size, err = s.checkLocked(f, path); err != nil {
		s.letGo(f)
		return nil, 0, err
	}
	return f, size, nil
}

func (s *Spool) checkLocked(f *os.File, path string) (size int64, err error) {
	err = s.ops.Flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, ErrBusy
	}
	if err != nil {
		return 0, err
	}
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.New("the system does not tell whose file it is")
	}
	// The file may have been removed, or moved away, between open and lock.
	var named syscall.Stat_t
	switch err := lstat(path, &named); {
	case err == syscall.ENOENT, err == nil && (named.Dev != sys.Dev || named.Ino != sys.Ino):
		return 0, ErrGone
	case err != nil:
		return 0, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return sys.Size, s.checkFile(sys)
}

func lstat(path string, st *syscall.Stat_t) error {
	for {
		if err := syscall.Lstat(path, st); err != syscall.EINTR {
			return err
		}
	}
}

// checkFile trusts only a plain file of the spool's owner that has no second name.
func (s *Spool) checkFile(st *syscall.Stat_t) error {
	switch {
	case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return damaged("it is not a plain file")
	case st.Nlink != 1:
		return damaged("it has %d names", st.Nlink)
	case int(st.Uid) != s.owner:
		return damaged("it belongs to uid %d, not to uid %d", st.Uid, s.owner)
	}
	return nil
}

func (it *Item) read(id string, size int64) error {
	it.room = rooms.Get().(*[firstRead]byte)
	b := it.room[:min(size, firstRead)] // no more, to be spared a second read that finds the end
	n, err := it.f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return err
	}
	b = b[:n]
	h, status, err := decodeFile(b, it.f, size)
	if err != nil {
		return err
	}
	if h.id != id {
		return damaged("it is message %s by its head", h.id)
	}
	it.h, it.st = h, status
	if status.Lost {
		it.s.o.Warn(fmt.Errorf("message %s: its status was damaged, it counts as new and may be sent twice", id))
	}
	if int64(len(b)) == h.fileSize() {
		it.body = b[h.messageOffset():]
		if checksum(0, it.body) != h.sum {
			return damaged("the message has another checksum")
		}
	}
	return nil
}

// decodeFile decodes a file of which b is the start, reads on if the head is longer,
// and checks that the file has the size that its head says.
func decodeFile(b []byte, r io.ReaderAt, size int64) (h head, st Status, err error) {
	h, st, err = decodeHead(b)
	if err == errShort && h.messageOffset() <= size {
		b = make([]byte, h.messageOffset())
		if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
			return h, st, err
		}
		h, st, err = decodeHead(b)
	}
	if err == errShort || err == nil && size != h.fileSize() {
		err = damaged("it has %d bytes, but its head says %d", size, h.fileSize())
	}
	return h, st, err
}

// ID returns the queue id.
func (it *Item) ID() string { return it.h.id }

// Meta returns what was recorded at arrival.
func (it *Item) Meta() Meta { return it.h.meta }

// Envelope returns the whole envelope, with the recipients that are done.
func (it *Item) Envelope() *envelope.Envelope { return &it.h.env }

// Status returns the state; the caller must not change its Recipients.
func (it *Item) Status() Status { return it.st }

// Todo returns the indices of the recipients that are to do.
func (it *Item) Todo() []int {
	var todo []int
	for i, r := range it.st.Recipients {
		if r.State == Todo {
			todo = append(todo, i)
		}
	}
	return todo
}

// Message returns the bytes to send. A reading that meets a damaged message ends in ErrDamaged
// before the last bytes are handed over, so that it can't be sent as whole; then call Quarantine.
func (it *Item) Message() envelope.Message { return message{it} }

type message struct{ it *Item }

func (m message) Size() int64 { return m.it.h.size }

func (m message) Open() (io.ReadCloser, error) {
	if m.it.f == nil {
		return nil, os.ErrClosed
	}
	if m.it.body != nil || m.it.h.size == 0 {
		m.it.readers.Add(1)
		r := &bodyReader{it: m.it}
		r.Reset(m.it.body)
		return r, nil
	}
	r := io.NewSectionReader(m.it.f, m.it.h.messageOffset(), m.it.h.size)
	return io.NopCloser(&verifier{r: r, left: m.it.h.size, want: m.it.h.sum}), nil
}

// bodyReader reads a message that is in memory.
type bodyReader struct {
	bytes.Reader
	it *Item // nil once it is closed
}

func (r *bodyReader) Close() error {
	if r.it != nil {
		r.Reset(nil)
		r.it.readers.Add(-1)
		r.it = nil
	}
	return nil
}

// leaveRoom gives back the room of an item that is let go. Whoever forgets to close
// a reader keeps it.
func (it *Item) leaveRoom() {
	if it.room != nil && it.readers.Load() == 0 {
		rooms.Put(it.room)
		it.room, it.body = nil, nil
	}
}

// verifier holds back the end of a message whose checksum is wrong.
type verifier struct {
	r         io.Reader
	left      int64
	sum, want uint32
	err       error
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil || v.left == 0 {
		return 0, cmpErr(v.err, io.EOF)
	}
	n, err := v.r.Read(p)
	v.sum = checksum(v.sum, p[:n])
	v.left -= int64(n)
	switch {
	case v.left == 0 && v.sum != v.want:
		n, v.err = 0, damaged("the message has another checksum")
	case v.left > 0 && err == io.EOF:
		v.err = damaged("the message is shorter than its head says")
	case err != nil && err != io.EOF:
		v.err = err
	}
	return n, v.err
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// Unlock lets the others have the message.
func (it *Item) Unlock() {
	if it.f != nil {
		it.s.letGo(it.f)
		it.f = nil
		it.leaveRoom()
	}
}

// letGo unlocks before it closes: a child process that is just being started may
// still have a copy of the descriptor, which would keep the lock.
func (s *Spool) letGo(f *os.File) {
	_ = s.ops.Flock(f, syscall.LOCK_UN)
	_ = s.ops.Close(f)
}

// Mark records what became of some recipients, for good: it is synced. After an
// error the new states hold in this process, but may be lost with it.
func (it *Item) Mark(states map[int]RecipientStatus) error {
	for i, r := range states {
		if i < 0 || i >= len(it.st.Recipients) {
			return fmt.Errorf("message %s has no recipient %d", it.h.id, i)
		}
		it.st.Recipients[i] = r
	}
	return it.writeStatus(true)
}

// Defer records a try that failed for now by the message's own fault, and when the next is due. It is not
// synced: what is lost is only a try too early.
func (it *Item) Defer(next time.Time, class, reason string) error {
	it.st.Attempts++
	return it.tried(next, class, reason)
}

// Excuse is Defer for a fault that is not the message's own: the try counts among Others, not Attempts.
func (it *Item) Excuse(next time.Time, class, reason string) error {
	it.st.Others++
	return it.tried(next, class, reason)
}

// tried notes a try in the message's log, which is the history of its tries.
func (it *Item) tried(next time.Time, class, reason string) error {
	it.st.Last = it.s.o.Now()
	it.Log(fmt.Sprintf("try %d: %s", it.st.Tries(), reason))
	return it.postpone(next, class, reason)
}

// Postpone records when the next try is due and why, without a try.
func (it *Item) Postpone(next time.Time, class, reason string) error {
	if !it.st.reasonFits(reason) {
		it.Log(reason)
	}
	return it.postpone(next, class, reason)
}

func (it *Item) postpone(next time.Time, class, reason string) error {
	it.st.Next, it.st.Class, it.st.Reason = next, class, reason
	return it.writeStatus(false)
}

// Hold keeps the message back until Release.
func (it *Item) Hold(reason string) error {
	it.st.Held, it.st.Reason = true, reason
	return it.writeStatus(true)
}

// Release ends Hold; the message is due at once.
func (it *Item) Release() error {
	it.st.Held, it.st.Next = false, time.Time{}
	return it.writeStatus(true)
}

// RetryNow makes the message due at once.
func (it *Item) RetryNow() error { return it.RetryAt(time.Time{}) }

// RetryAt makes the message due at that time, if it is not due sooner.
func (it *Item) RetryAt(t time.Time) error {
	if it.st.Next.Before(t) {
		return nil
	}
	it.st.Next = t
	return it.writeStatus(false)
}

// SetWarned records that the sender was told about the delay.
func (it *Item) SetWarned() error {
	it.st.Warned = true
	return it.writeStatus(true)
}

// writeStatus overwrites bytes that the file has already, which needs no room on the disk.
func (it *Item) writeStatus(sync bool) error {
	if it.f == nil {
		return os.ErrClosed
	}
	_, err := it.s.ops.WriteAt(it.f, encodeStatus(&it.st), int64(it.h.headSize))
	if err == nil && sync {
		err = it.s.ops.Datasync(it.f)
	}
	if err != nil {
		return fmt.Errorf("can't record the state of message %s: %w", it.h.id, err)
	}
	it.st.Lost = false
	return nil
}
