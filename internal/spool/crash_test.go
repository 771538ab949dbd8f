package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// play does all that is done to a spool, and tells what is promised as soon as it is.
func play(s *Spool, tell func(promise, id string)) error {
	put := func(name string, msg text) (string, error) {
		id, err := s.Put(context.Background(), Meta{UID: 33, Origin: name},
			to("b@example.com", "c@example.com", "d@example.com"), msg)
		if err == nil {
			tell("accepted", id)
		}
		return id, err
	}
	mark := func(it *Item, i int, state State) error {
		err := it.Mark(map[int]RecipientStatus{i: {State: state, Code: 250}})
		if err == nil {
			tell(fmt.Sprintf("%d%c", i, state), it.ID())
		}
		return err
	}
	a, err := put("a", hello)
	if err != nil {
		return err
	}
	b, err := put("b", large)
	if err != nil {
		return err
	}
	tail, err := putTailed(context.Background(), s, Meta{UID: 33, Origin: "tail"}, to("b@example.com"), large)
	if err != nil {
		return err
	}
	tell("accepted", tail)
	p, err := s.Begin(Meta{UID: 34}, to("x@example.com"))
	if err != nil {
		return err
	}
	if _, err := p.Write([]byte(large)); err != nil {
		return err
	}
	p.Abort()
	it, err := s.Claim(a)
	if err != nil {
		return err
	}
	err = errors.Join(mark(it, 0, Done), it.Defer(time.Now(), "temporary", strings.Repeat("long ", 100)),
		mark(it, 1, Failed), mark(it, 2, Done))
	if err != nil {
		return err
	}
	tell("finishing", a)
	if err := errors.Join(it.Finish(), s.Sync()); err != nil {
		return err
	}
	tell("finished", a)
	if it, err = s.Claim(b); err != nil {
		return err
	}
	if err := errors.Join(mark(it, 1, Failed), it.Fail("no way")); err != nil {
		return err
	}
	tell("failed", b)
	if _, err := put("c", hello); err != nil {
		return err
	}
	tell("retrying", b)
	if err := s.Retry(b, 0); err != nil {
		return err
	}
	tell("back", b)
	if _, err := put("d", hello); err != nil {
		return err
	}
	r, err := put(Unprocessed+"r", hello)
	if err != nil {
		return err
	}
	if it, err = s.Claim(r); err != nil {
		return err
	}
	if it, err = it.Replace(context.Background(), to("z@example.com"), large); err != nil {
		return err
	}
	tell("replaced", r)
	it.Unlock()
	for _, name := range []string{"redirected", "redirected from failed/"} {
		id, err := put(name, hello)
		if err != nil {
			return err
		}
		if it, err = s.Claim(id); err != nil {
			return err
		}
		if name == "redirected" {
			err = mark(it, 0, Done)
			it.Unlock()
		} else if err = errors.Join(mark(it, 0, Failed), it.Fail("no")); err == nil {
			tell("failed", id)
			tell("retrying", id)
		}
		if err != nil {
			return err
		}
		if _, err := s.Redirect(context.Background(), id, []string{"new@example.com"}, "by hand", false); err != nil {
			return err
		}
		tell("redirected", id)
		if name != "redirected" {
			tell("back", id)
		}
	}
	_, err = s.Sweep(context.Background())
	return err
}

// promises is what a spool must keep after a crash.
type promises struct {
	accepted map[string]map[string]bool // id, then all that was said about it
}

func (p *promises) tell(promise, id string) {
	if p.accepted == nil {
		p.accepted = map[string]map[string]bool{}
	}
	if p.accepted[id] == nil {
		p.accepted[id] = map[string]bool{}
	}
	p.accepted[id][promise] = true
}

// check opens the spool as if after the crash.
func (p *promises) check(t *testing.T, s *Spool, powerLoss bool) {
	t.Helper()
	found := map[string]bool{}
	see := func(i Info) bool {
		if i.Err != nil {
			t.Errorf("%s: %v", i.ID, i.Err)
			return true
		}
		if found[i.ID] {
			t.Errorf("%s is in queue/ and in failed/", i.ID)
		}
		found[i.ID] = true
		p.checkMessage(t, s, i)
		return true
	}
	if err := errors.Join(s.List(t.Context(), see), s.ListFailed(t.Context(), see)); err != nil {
		t.Fatal(err)
	}
	for id, told := range p.accepted {
		// Between "finishing" and "finished" either is right; after a power loss a finished one may come back.
		if !found[id] && !told["finishing"] {
			t.Errorf("%s was accepted (%v) and is lost", id, told)
		}
		if found[id] && told["finished"] && !powerLoss {
			t.Errorf("%s was finished and is back", id)
		}
	}
	if extra := len(found) - len(p.accepted); extra > 1 {
		t.Errorf("%d messages more than were accepted", extra)
	}
}

func (p *promises) checkMessage(t *testing.T, s *Spool, i Info) {
	t.Helper()
	dir, want := queueDir, hello
	if i.Failed {
		dir = failedDir
	}
	switch i.Meta.Origin {
	case "b", "r", "tail":
		want = large
	case Unprocessed + "r":
		if p.accepted[i.ID]["replaced"] {
			t.Errorf("%s was processed, and is not", i.ID)
		}
	}
	it, err := s.claim(dir, i.ID)
	if err != nil {
		t.Errorf("claim %s: %v", i.ID, err)
		return
	}
	defer it.Unlock()
	if got, err := contentOf(it.Message()); err != nil || got != string(want) {
		t.Errorf("%s: %d bytes, %v", i.ID, len(got), err)
	}
	told := p.accepted[i.ID]
	if told["failed"] && !told["retrying"] && !i.Failed || told["back"] && i.Failed {
		t.Errorf("%s: in failed/ is %v, but %v was told", i.ID, i.Failed, told)
	}
	var todo []string
	for _, k := range it.Todo() {
		todo = append(todo, it.Envelope().Recipients[k].Address)
	}
	if to := strings.Join(todo, " "); told["redirected"] && to != "new@example.com" ||
		strings.Contains(to, "new@") && to != "new@example.com" {
		t.Errorf("%s: to %s, but %v was told", i.ID, to, told)
	}
	for k, r := range it.Status().Recipients {
		for _, state := range []State{Done, Failed} {
			if told[fmt.Sprintf("%d%c", k, state)] && r.State != state && !(told["failed"] && r.State == Todo) {
				t.Errorf("%s: recipient %d is %c, not %c", i.ID, k, r.State, state)
			}
		}
	}
}

// crashChild kills itself at the system call number arg; every second time in the
// middle of it, if it is a write.
func crashChild(dir string, arg int) error {
	at, half, count := arg/2, arg%2 == 1, 0
	ops := hooked(func(c call) error {
		count++
		switch {
		case count-1 == at:
		case c.op == "fsync" || c.op == "fdatasync":
			return nil // only a power loss needs it
		default:
			return c.do()
		}
		if half && c.op == "write" {
			_, _ = c.f.Write(c.data[:len(c.data)/2])
		} else if half {
			_ = c.do()
		}
		return errors.Join(syscall.Kill(os.Getpid(), syscall.SIGKILL), errors.New("still alive"))
	})
	s, err := Open(Options{Dir: dir, Ops: ops})
	if err != nil {
		return err
	}
	return play(s, func(promise, id string) { say("%s %s", promise, id) })
}

// TestKillAtEverySystemCall is the crash test: kill -9 at, and within, each call.
func TestKillAtEverySystemCall(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts some hundred processes")
	}
	points := 0
	for arg := 0; ; arg++ {
		dir := t.TempDir() + "/spool"
		out, err := child(t, "crash", dir, arg).Output()
		if err != nil && !strings.Contains(err.Error(), "killed") {
			t.Fatalf("point %d: %v", arg, err)
		}
		p := &promises{}
		for line := range strings.Lines(string(out)) {
			promise, id, _ := strings.Cut(strings.TrimSpace(line), " ")
			p.tell(promise, id)
		}
		c := &clock{now: time.Now().Add(37 * time.Hour)}
		s, w := open(t, Options{Dir: dir, Now: c.Now})
		p.check(t, s, false)
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range files(t, s) {
			if !strings.HasSuffix(name, suffixMessage) && !strings.HasPrefix(name, failedDir) &&
				p.accepted[name[6:6+idLength]] == nil {
				t.Errorf("point %d: left after the sweep: %s", arg, name)
			}
		}
		w.none(t)
		_ = s.Close()
		if t.Failed() {
			t.Fatalf("at point %d, after\n%s", arg, out)
		}
		if err == nil {
			break
		}
		points++
	}
	t.Logf("%d points", points)
}
