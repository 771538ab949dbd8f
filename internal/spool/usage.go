package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// usage counts messages and octets for each user, so that the bounds cost no look at
// the queue. The file "usage" holds the counts for all processes: a table of lines of
// fixed length, changed in place under flock(2). It is never synced and may be deleted:
// then the queue is counted again. A process that dies between counting and storing
// leaves a count too high, which is why nothing is refused on an old count.
type usage struct {
	s  *Spool
	mu sync.Mutex
	f  *os.File
}

const (
	usageName  = "usage"
	usageLine  = 64
	maxUsage   = 1 << 20 // octets
	usageTrust = time.Minute
	usageWait  = 2 * time.Second // for a process that was stopped in mid-change
)

// userCount is one line of the table.
type userCount struct {
	uid      int
	messages int
	bytes    int64
}

func (u *usage) open(s *Spool) { u.s = s }

func (u *usage) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.f != nil {
		_ = u.f.Close()
		u.f = nil
	}
}

// check tells whether one more message of size octets would be taken.
func (u *usage) check(meta Meta, size int64) error {
	if err := u.checkDisk(meta, size); err != nil {
		return err
	}
	return u.update(func(t *table) error { return u.bound(t, meta, size) })
}

// reserve counts one more message, if the bounds allow it.
func (u *usage) reserve(meta Meta, size int64, onDisk bool) error {
	need := size
	if onDisk {
		need = 0
	}
	if err := u.checkDisk(meta, need); err != nil {
		return err
	}
	return u.update(func(t *table) error {
		if err := u.bound(t, meta, size); err != nil {
			return err
		}
		t.add(meta.UID, 1, size)
		return nil
	})
}

// release takes a message off the count.
func (u *usage) release(meta Meta, size int64) {
	_ = u.update(func(t *table) error {
		t.add(meta.UID, -1, -size)
		return nil
	})
}

// count is reserve for a message that is in the queue already.
func (u *usage) count(meta Meta, size int64) {
	_ = u.update(func(t *table) error {
		t.add(meta.UID, 1, size)
		return nil
	})
}

// read returns the total.
func (u *usage) read() (sum userCount, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t, err := u.load()
	if err != nil {
		return sum, err
	}
	defer u.unlock()
	return t.total(), t.store(u.s.ops.WriteAt, u.f)
}

// refresh counts again.
func (u *usage) refresh() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	t, err := u.load()
	if err != nil {
		return err
	}
	defer u.unlock()
	if err := u.recount(t); err != nil {
		return err
	}
	return t.store(u.s.ops.WriteAt, u.f)
}

// checkDisk asks the file system first: it is what must never fill up.
func (u *usage) checkDisk(meta Meta, size int64) error {
	keep := u.s.o.Limits.KeepFree
	if keep <= 0 || meta.Internal {
		return nil
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(u.s.o.Dir, &st); err != nil {
		return &fs.PathError{Op: "statfs", Path: u.s.o.Dir, Err: err}
	}
	if free := int64(st.Bavail) * st.Bsize; free-size < keep {
		return &LimitError{What: "the spool's disk has too little room (spool.keep_free)", Have: free, Limit: keep, Unit: "octets free"}
	}
	return nil
}

// bound compares what would be with the limits, and counts again before it refuses.
func (u *usage) bound(t *table, meta Meta, size int64) error {
	if meta.Internal {
		return nil
	}
	err := u.exceeds(t, meta.UID, size)
	if err == nil {
		return nil
	}
	if age := u.s.o.Now().Sub(t.counted); age >= 0 && age < usageTrust {
		return err
	}
	if countErr := u.recount(t); countErr != nil {
		return err
	}
	return u.exceeds(t, meta.UID, size)
}

func (u *usage) exceeds(t *table, uid int, size int64) error {
	l, all, own := &u.s.o.Limits, t.total(), t.users[t.find(uid)]
	for _, c := range []struct {
		what        string
		have, limit int64
		unit        string
	}{
		{"the queue is full (spool.max_messages)", int64(all.messages) + 1, int64(l.MaxMessages), "messages"},
		{"the queue is full (spool.max_bytes)", all.bytes + size, l.MaxBytes, "octets"},
		{fmt.Sprintf("uid %d has too much in the queue (spool.max_messages_per_user)", uid), int64(own.messages) + 1, int64(l.MaxMessagesPerUser), "messages"},
		{fmt.Sprintf("uid %d has too much in the queue (spool.max_bytes_per_user)", uid), own.bytes + size, l.MaxBytesPerUser, "octets"},
	} {
		if c.limit > 0 && c.have > c.limit {
			return &LimitError{What: c.what, Have: c.have, Limit: c.limit, Unit: c.unit}
		}
	}
	return nil
}

// update changes the table under the lock. If the table can't be used, the
// message is not refused for it: KeepFree still guards the disk.
func (u *usage) update(change func(t *table) error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	t, err := u.load()
	if err != nil {
		u.s.o.Warn(fmt.Errorf("the spool's counts can't be used, so its bounds do not hold: %w", err))
		return nil
	}
	defer u.unlock()
	result := change(t)
	if err := t.store(u.s.ops.WriteAt, u.f); err != nil {
		u.s.o.Warn(fmt.Errorf("the spool's counts can't be written: %w", err))
	}
	return result
}

// load locks and reads the table, and counts if there is none yet.
func (u *usage) load() (*table, error) {
	if err := u.lock(); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.NewSectionReader(u.f, 0, maxUsage+1))
	if err == nil && len(b) > maxUsage {
		err = errors.New("the file is too large")
	}
	if err != nil {
		u.unlock()
		return nil, err
	}
	t, ok := parseTable(b)
	if !ok || t.counted.After(u.s.o.Now()) {
		if err := u.recount(t); err != nil {
			u.unlock()
			return nil, err
		}
	}
	return t, nil
}

func (u *usage) lock() error {
	deadline := time.Now().Add(usageWait)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		if err := u.openFile(); err != nil {
			return err
		}
		err := u.s.ops.Flock(u.f, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			if st, err := u.f.Stat(); err == nil && st.Sys().(*syscall.Stat_t).Nlink > 0 {
				return nil
			}
			u.drop() // somebody deleted it to have it made anew
			continue
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause/2 + rand.N(pause))
	}
}

func (u *usage) openFile() error {
	if u.f != nil {
		return nil
	}
	path := u.s.dir(usageName)
	f, err := u.s.ops.Open(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = u.s.ops.Open(path, os.O_RDWR|os.O_CREATE, fileMode)
		if err == nil {
			err = u.s.own(f)
		}
	}
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return err
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		_ = f.Close()
		return fmt.Errorf("%s is not a plain file", path)
	}
	u.f = f
	return nil
}

func (u *usage) unlock() {
	if u.f != nil {
		_ = u.s.ops.Flock(u.f, syscall.LOCK_UN)
	}
}

func (u *usage) drop() {
	_ = u.f.Close()
	u.f = nil
}

// recount fills the table from the queue itself.
func (u *usage) recount(t *table) error {
	fresh := table{counted: u.s.o.Now(), old: t.old, all: true}
	err := u.s.List(context.Background(), func(i Info) bool {
		if i.Err == nil {
			fresh.add(i.Meta.UID, 1, i.Size)
		}
		return true
	})
	if err != nil {
		return err
	}
	*t = fresh
	return nil
}

// table is the parsed file.
type table struct {
	counted time.Time
	users   []userCount
	changed []int // lines to write
	all     bool  // write everything
	old     int   // lines in the file
}

func (t *table) find(uid int) int {
	free := -1
	for i, c := range t.users {
		if c.uid == uid {
			return i
		}
		if c.messages == 0 {
			free = i
		}
	}
	if free < 0 {
		free = len(t.users)
		t.users = append(t.users, userCount{})
	}
	t.users[free] = userCount{uid: uid}
	return free
}

// add never goes below nothing: the count may have been lost and begun anew.
func (t *table) add(uid, messages int, bytes int64) {
	i := t.find(uid)
	c := &t.users[i]
	c.messages = max(c.messages+messages, 0)
	c.bytes = max(c.bytes+bytes, 0)
	if c.messages == 0 {
		c.bytes = 0
	}
	t.changed = append(t.changed, i)
}

func (t *table) total() (sum userCount) {
	for _, c := range t.users {
		sum.messages += c.messages
		sum.bytes += c.bytes
	}
	return sum
}

func (t *table) headLine() []byte {
	return fmt.Appendf(nil, "%-*s\n", usageLine-1, "usage 1 counted "+timestamp(t.counted))
}

func (c userCount) line() []byte {
	return fmt.Appendf(nil, "%-*s\n", usageLine-1, fmt.Sprintf("uid %011d messages %010d bytes %018d", c.uid, c.messages, c.bytes))
}

func (t *table) store(writeAt func(*os.File, []byte, int64) (int, error), f *os.File) error {
	if !t.all {
		for _, i := range t.changed {
			if _, err := writeAt(f, t.users[i].line(), int64(1+i)*usageLine); err != nil {
				return err
			}
		}
		return nil
	}
	b := t.headLine()
	for _, c := range t.users {
		b = append(b, c.line()...)
	}
	for i := len(t.users); i < t.old; i++ {
		b = append(b, userCount{}.line()...)
	}
	_, err := writeAt(f, b, 0)
	return err
}

// parseTable is not ok when the file is empty or damaged; it then has no users.
func parseTable(b []byte) (t *table, ok bool) {
	t = &table{old: len(b)/usageLine - 1}
	if len(b) < usageLine || len(b)%usageLine != 0 {
		return t, false
	}
	var err error
	stamp, found := bytes.CutPrefix(bytes.TrimRight(b[:usageLine], " \n"), []byte("usage 1 counted "))
	if t.counted, err = time.Parse(timestampFormat, string(stamp)); err != nil || !found {
		return t, false
	}
	for rest := b[usageLine:]; len(rest) > 0; rest = rest[usageLine:] {
		c, ok := parseCount(rest[:usageLine])
		if !ok {
			t.users = nil
			return t, false
		}
		t.users = append(t.users, c)
	}
	return t, true
}

func parseCount(b []byte) (c userCount, ok bool) {
	f := bytes.Fields(b)
	if len(f) != 6 {
		return c, false
	}
	var errs [3]error
	c.uid, errs[0] = strconv.Atoi(string(f[1]))
	c.messages, errs[1] = strconv.Atoi(string(f[3]))
	c.bytes, errs[2] = strconv.ParseInt(string(f[5]), 10, 64)
	return c, errs == [3]error{} && c.messages >= 0 && c.bytes >= 0
}
