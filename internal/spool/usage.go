package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// usage counts messages and bytes for each user, so that the bounds cost no look at
// the queue. The file "usage" holds the counts for all processes: a table of lines of
// fixed length, changed in place under flock(2). It is never synced and may be deleted:
// then the queue is counted again. A process that dies between counting and storing
// leaves a count too high, which is why nothing is refused on an old count.
type usage struct {
	s        *Spool
	mu       sync.Mutex // the lock on the file is the process's
	f        *os.File
	buf, old []byte      // of f, now and the last time
	users    []userCount // what buf says
	unlock   func()      // gives the lock on f back
	counting sync.Mutex  // held by the one that counts afresh

	debts   sync.Mutex
	owed    []userCount // what has left and is still counted
	owes    int         // messages in owed
	lastOff time.Time   // when the last of them left
	// moving are messages that are counted and on their way into the queue or out of it: a look at the
	// directory may find them or not.
	moving map[string]userCount
}

const (
	usageName  = "usage"
	maxUsage   = 1 << 20 // bytes
	usageTrust = time.Minute
	usageWait  = 2 * time.Second // for a process that was stopped in mid-change
	maxOwed    = 256             // messages
)

func (u *usage) open(s *Spool) { u.s = s }

func (u *usage) close() {
	u.settle()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.f != nil {
		_ = u.f.Close()
		u.f = nil
	}
}

// check reports whether one more message of size bytes would be taken.
func (u *usage) check(meta Meta, size int64) error {
	return u.admit(meta, size, size, func(*table) {})
}

// reserve counts one more message, if the bounds allow it. Need is how many bytes of
// it are not on the disk yet. Settled or release follows.
func (u *usage) reserve(id string, meta Meta, size, need int64) error {
	return u.admit(meta, size, need, func(t *table) {
		t.add(u.s.sharer(meta), 1, size)
		u.move(id, meta, size)
	})
}

// move notes that a message is counted whether a look finds it or not.
func (u *usage) move(id string, meta Meta, size int64) {
	u.debts.Lock()
	defer u.debts.Unlock()
	if u.moving == nil {
		u.moving = map[string]userCount{}
	}
	u.moving[id] = userCount{u.s.sharer(meta), 1, size}
}

// settled notes that a message is in the queue for all to see.
func (u *usage) settled(id string) {
	u.debts.Lock()
	defer u.debts.Unlock()
	delete(u.moving, id)
}

// admit counts afresh before it refuses.
func (u *usage) admit(meta Meta, size, need int64, then func(*table)) error {
	if err := u.checkDisk(meta, need); err != nil {
		return err
	}
	old, err := u.tryAdmit(meta, size, then)
	if err == nil || !old {
		return err
	}
	if countErr := u.recount(context.Background()); countErr != nil {
		u.s.o.Warn(fmt.Errorf("the queue can't be counted: %w", countErr))
		return err
	}
	_, err = u.tryAdmit(meta, size, then)
	return err
}

// tryAdmit also reports whether the counts are too old to refuse a message for.
func (u *usage) tryAdmit(meta Meta, size int64, then func(*table)) (old bool, err error) {
	unusable := u.update(func(t *table) {
		age := u.s.o.Now().Sub(t.counted)
		old = age < 0 || age >= usageTrust
		if !meta.Internal {
			err = u.exceeds(t, meta, size)
		}
		if err == nil {
			then(t)
		}
	})
	// On a read-only disk the message can't be written either, which says it all.
	if unusable != nil && !errors.Is(unusable, syscall.EROFS) {
		// KeepFree still guards the disk.
		u.s.o.Warn(fmt.Errorf("the spool's counts can't be used, so its bounds do not hold: %w", unusable))
	}
	return old, err
}

// release takes a message off the count, count puts one on that is in the queue already. A
// failure leaves a wrong count, or none, which the next counting corrects.
//
// Five system calls for each message that leaves are a tenth of a drain, so that those are
// gathered until the file is changed anyway, settle is called, or they have become many.
func (u *usage) release(id string, meta Meta, size int64) {
	u.debts.Lock()
	delete(u.moving, id)
	u.owe(u.s.sharer(meta), 1, size)
	u.lastOff = u.s.o.Now()
	many := u.owes >= maxOwed
	u.debts.Unlock()
	if many {
		u.settle()
	}
}

// owe adds to what is to be taken off the count. The mutex over the debts is held.
func (u *usage) owe(uid, messages int, bytes int64) {
	u.owes += messages
	for i := range u.owed {
		if c := &u.owed[i]; c.uid == uid {
			c.messages += messages
			c.bytes += bytes
			return
		}
	}
	u.owed = append(u.owed, userCount{uid, messages, bytes})
}

// settle takes off the count what has left.
func (u *usage) settle() {
	u.debts.Lock()
	none := u.owes == 0
	u.debts.Unlock()
	if !none {
		_ = u.tryUpdate(func(*table) {}, false)
	}
}

// takeOff does so in a table that is about to be changed. A counting that began after the last
// of them had left has not seen them.
func (u *usage) takeOff(t *table) {
	u.debts.Lock()
	defer u.debts.Unlock()
	if !t.counted.After(u.lastOff) {
		for _, c := range u.owed {
			t.add(c.uid, -c.messages, -c.bytes)
		}
	}
	u.owed, u.owes = u.owed[:0], 0
}

func (u *usage) count(id string, meta Meta, size int64) {
	_ = u.tryUpdate(func(t *table) {
		t.add(u.s.sharer(meta), 1, size)
		u.move(id, meta, size)
	}, false)
}

// read returns the total.
func (u *usage) read() (sum userCount, err error) {
	err = u.update(func(t *table) { sum = t.total() })
	return sum, err
}

// update changes the table under the lock. One that is missing or damaged is made
// from the queue first.
func (u *usage) update(change func(*table)) error {
	err := u.tryUpdate(change, false)
	if !errors.Is(err, errNoTable) {
		return err
	}
	if err := u.recount(context.Background()); err != nil {
		return err
	}
	return u.tryUpdate(change, false)
}

var errNoTable = errors.New("its file is damaged")

// tryUpdate is update, with an empty table for a damaged one if fresh is set.
func (u *usage) tryUpdate(change func(*table), fresh bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.lock(); err != nil {
		return err
	}
	defer u.unlock()
	info, err := u.f.Stat()
	if err != nil {
		return err
	}
	u.buf, u.old = slices.Grow(u.old[:0], int(min(info.Size(), maxUsage+1))), u.buf
	n, err := u.f.ReadAt(u.buf[:min(info.Size(), maxUsage+1)], 0)
	if err != nil && err != io.EOF {
		return err
	}
	u.buf = u.buf[:n]
	t, ok := parseTable(u.buf, u.old, u.users)
	defer func() {
		if u.users = t.users; t.all {
			u.buf = u.buf[:0]
		}
		for _, i := range t.changed { // they are no longer what buf says
			clear(u.buf[min((1+i)*usageLine, len(u.buf)):min((2+i)*usageLine, len(u.buf))])
		}
	}()
	if !ok && !fresh {
		return errNoTable
	}
	if ok {
		u.takeOff(t)
	}
	change(t)
	return t.store(u.s.ops, u.f)
}

// recount makes the table from the queue itself.
func (u *usage) recount(ctx context.Context) error {
	return u.recountBy(func(see func(Info)) error {
		return u.s.List(ctx, func(i Info) bool { see(i); return true })
	})
}

// recountBy lets scan show it every message. Meanwhile the lock is free, so that nobody waits. What
// has come and gone by then tells a look at the directory under the lock.
func (u *usage) recountBy(scan func(see func(Info)) error) error {
	u.counting.Lock()
	defer u.counting.Unlock()
	var counted time.Time
	begin := func(t *table) {
		t.counted, t.all = u.s.o.Now().UTC().Truncate(time.Second), true
		counted = t.counted
	}
	if err := u.tryUpdate(begin, true); err != nil {
		return err
	}
	var seen []seenMessage
	if err := scan(func(i Info) {
		if k, ok := ParseKey(i.ID); ok && i.Err == nil {
			seen = append(seen, seenMessage{k, userCount{u.s.sharer(i.Meta), 1, i.Size}})
		}
	}); err != nil {
		return err
	}
	slices.SortFunc(seen, func(a, b seenMessage) int { return a.id.Compare(b.id) })
	var failed error
	err := u.tryUpdate(func(t *table) {
		if !t.counted.Equal(counted) {
			return // another process has counted meanwhile
		}
		var found table
		if found, failed = u.sumUp(seen); failed == nil {
			t.users, t.all = found.users, true
		}
	}, true)
	return errors.Join(err, failed)
}

// seenMessage is a message that a look through the queue has found.
type seenMessage struct {
	id Key
	c  userCount
}

// sumUp counts each message once that is in the queue, or on its way. The lock is held. No message of this process
// begins or ends its way before the look at the directory is over: what left meanwhile would be taken off twice.
func (u *usage) sumUp(seen []seenMessage) (found table, err error) {
	u.debts.Lock()
	defer u.debts.Unlock()
	u.owed, u.owes = u.owed[:0], 0 // no look finds them any more
	for _, c := range u.moving {
		found.add(c.uid, 1, c.bytes)
	}
	err = u.s.eachName(queueDir, func(name string) {
		id, suffix, ok := splitName(name)
		if _, counted := u.moving[id]; !ok || suffix != suffixMessage || counted {
			return
		}
		k, _ := ParseKey(id)
		if at, ok := slices.BinarySearchFunc(seen, k, func(m seenMessage, k Key) int { return m.id.Compare(k) }); ok {
			found.add(seen[at].c.uid, 1, seen[at].c.bytes)
		} else if i, err := u.s.Get(id); err == nil && !i.Failed {
			found.add(u.s.sharer(i.Meta), 1, i.Size)
		}
	})
	return found, err
}

// lock takes the lock on the file and makes unlock give it back.
func (u *usage) lock() error {
	for tries := 0; ; tries++ {
		err := u.openFile()
		if err == nil && tries > 0 {
			err = u.s.own(u.f) // it may have been made by LockAny
		}
		if err != nil {
			return err
		}
		err = u.s.ops.Flock(u.f, syscall.LOCK_EX|syscall.LOCK_NB)
		u.unlock = func() { _ = u.s.ops.Flock(u.f, syscall.LOCK_UN) }
		if errors.Is(err, syscall.EWOULDBLOCK) {
			ctx, cancel := context.WithTimeout(context.Background(), usageWait)
			u.unlock, err = u.s.ops.LockAny(ctx, []string{u.s.dir(usageName)}, fileMode)
			cancel()
		}
		if err != nil {
			return err
		}
		if linked(u.f) {
			return nil
		}
		u.unlock()
		u.drop() // somebody deleted it to have it made again
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

func (u *usage) drop() {
	_ = u.f.Close()
	u.f = nil
}
