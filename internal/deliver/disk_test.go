package deliver

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/spool"
)

// disk is a spool's file system that can be made to fail.
type disk struct{ noUnlink, noWriteAt, noNew atomic.Bool }

func (d *disk) options(o *spool.Options) {
	ops := *durable.System
	ops.Unlink = func(path string) error {
		if d.noUnlink.Load() && strings.HasSuffix(path, ".msg") {
			return &os.PathError{Op: "unlink", Path: path, Err: syscall.EROFS}
		}
		return durable.System.Unlink(path)
	}
	ops.WriteAt = func(f *os.File, p []byte, off int64) (int, error) {
		if d.noWriteAt.Load() && strings.HasSuffix(f.Name(), ".msg") {
			return 0, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.EIO}
		}
		return durable.System.WriteAt(f, p, off)
	}
	open := ops.Open
	ops.Open = func(path string, flag int, perm os.FileMode) (*os.File, error) {
		if d.noNew.Load() && flag&os.O_EXCL != 0 {
			return nil, &os.PathError{Op: "open", Path: path, Err: syscall.ENOSPC}
		}
		return open(path, flag, perm)
	}
	o.Ops = &ops
}

// A delivered message whose file can't be removed is not sent again.
func TestDeliveredButNotRemoved(t *testing.T) {
	t.Parallel()
	d := &disk{}
	d.noUnlink.Store(true)
	d.noWriteAt.Store(true)
	r := newRig(t, rigOptions{spool: d.options, fakeClock: true})
	r.put(1000, 0)
	r.run()
	r.until("it is delivered", func() bool { return r.e.sent() == 1 })
	for range 5 {
		r.clock.advance(2 * time.Minute)
		time.Sleep(10 * time.Millisecond)
	}
	d.noUnlink.Store(false)
	d.noWriteAt.Store(false)
	r.step("it is removed", time.Minute, func() bool { return len(r.ids()) == 0 })
	if n := r.subjects()["1000-0"]; n != 1 {
		t.Errorf("it arrived %d times", n)
	}
}

// A recipient who got the message does not get it again because that could not be written down.
func TestPartlyDeliveredButNotMarked(t *testing.T) {
	t.Parallel()
	d := &disk{}
	r := newRig(t, rigOptions{spool: d.options, fakeClock: true})
	if err := r.em.Script(emulator.Rule{Stage: "rcpt", Match: "later@", Reply: "451 4.7.1 try later", First: 1}); err != nil {
		t.Fatal(err)
	}
	r.put(1000, 0, "now@example.com", "later@example.com")
	d.noWriteAt.Store(true)
	r.run()
	r.until("one has it", func() bool { return r.e.sent() == 1 })
	for range 5 {
		r.clock.advance(2 * time.Minute)
		time.Sleep(10 * time.Millisecond)
	}
	d.noWriteAt.Store(false)
	r.step("it is removed", time.Minute, func() bool { return len(r.ids()) == 0 })
	got := r.arrivals("1000-0")
	if len(got) != 2 || got[0] == got[1] {
		t.Errorf("it went to %v", got)
	}
}

// A refusal about which nobody can be told because the disk is full is not final.
func TestNoRoomForTheReport(t *testing.T) {
	t.Parallel()
	d := &disk{}
	r := newRig(t, rigOptions{spool: d.options, fakeClock: true})
	if err := r.em.Script(emulator.Rule{Stage: "rcpt", Match: "never@", Reply: "550 5.1.1 no such user"}); err != nil {
		t.Fatal(err)
	}
	id := r.put(1000, 0, "never@example.com")
	d.noNew.Store(true)
	r.run()
	r.until("it was tried", func() bool { return r.status(id).Status.Attempts == 1 })
	if st := r.status(id).Status; !strings.Contains(st.Reason, "report") {
		t.Errorf("%+v", st)
	}
	d.noNew.Store(false)
	r.step("all is settled", time.Minute, func() bool { return len(r.ids()) == 0 })
	if n := r.countAlerts("Undelivered"); n != 1 {
		t.Errorf("%d reports", n)
	}
}

// When the wait is over and the disk is full, the outcome of the try is the answer.
func TestWaitEndsOnAFullDisk(t *testing.T) {
	t.Parallel()
	d := &disk{}
	d.noNew.Store(true)
	r := newRig(t, rigOptions{spool: d.options, config: func(c *Config) { c.Wait = 20 * time.Millisecond }}).run()
	if err := r.em.Script(emulator.Rule{Stage: "dot", Delay: 300 * time.Millisecond, First: 1}); err != nil {
		t.Fatal(err)
	}
	receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox), testMessage(r.em.Mailbox, "one"))
	if err != nil || receipt.Queued || len(receipt.Accepted) != 1 {
		// The session may not have been there in time: then nothing was begun, and nothing kept.
		if !errors.Is(err, syscall.ENOSPC) || len(r.em.Messages()) > 0 {
			t.Errorf("%+v, %v", receipt, err)
		}
	}
	r.em.ClearScript()
	if err := r.em.Script(emulator.Rule{Stage: "dot", Delay: 300 * time.Millisecond, Reply: "451 4.3.0 later"}); err != nil {
		t.Fatal(err)
	}
	if receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox),
		testMessage(r.em.Mailbox, "two")); err == nil || receipt.Queued {
		t.Errorf("%+v, %v", receipt, err)
	}
}

// A message that brings out a fault of this program is held, and the others go on.
func TestFaultOfThisProgram(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{account: func(a *Account) {
		a.Submit.Trace = func(_ byte, line string) {
			if strings.Contains(line, "panic@") {
				panic("as planned")
			}
		}
	}})
	bad := r.put(1000, 0, "panic@example.com")
	for i := 1; i < 10; i++ {
		r.put(1000, i)
	}
	r.run()
	r.until("the others are delivered", func() bool { return len(r.ids()) == 1 && r.e.State().Held == 1 })
	if st := r.status(bad).Status; !st.Held || !strings.Contains(st.Reason, "as planned") {
		t.Errorf("%+v", st)
	}
	receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox, "panic@example.com"),
		testMessage(r.em.Mailbox, "interactive"))
	if err != nil || !receipt.Queued {
		t.Errorf("%+v, %v", receipt, err)
	}
	if n := r.e.State().Counters.Faults; n < 2 {
		t.Errorf("%d faults", n)
	}
}
