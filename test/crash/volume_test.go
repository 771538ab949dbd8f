//go:build crash

package crash

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/route"
)

// resident reads a line of /proc/PID/status, in KiB: VmRSS is the resident memory, VmHWM its peak.
func (p *process) resident(name string) int {
	p.s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		p.s.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name+":" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				p.s.t.Fatal(err)
			}
			return n
		}
	}
	p.s.t.Fatalf("no %s", name)
	return 0
}

// as does something as another user. It is the thread that changes its user, and the thread that
// the kernel asks when it tells the agent who connects.
func as(uid int, do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := func(uid int) error {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			return errno
		}
		return nil
	}
	if err := set(uid); err != nil {
		return err
	}
	err := do()
	if back := set(0); back != nil {
		panic(back) // the thread is of no use any more
	}
	return err
}

// handIn gives messages of so many users to the agent.
func (s *site) handIn(messages, users int, mode string) {
	s.t.Helper()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < messages; i += 8 {
				if err := s.handInOne(i, 20000+i%users, mode); err != nil {
					s.t.Errorf("message %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (s *site) handInOne(i, uid int, mode string) error {
	var c *route.Conn
	err := as(uid, func() (err error) {
		c, err = route.Dial(context.Background(), route.AgentOptions{Path: s.socket, HostName: "web1"})
		return err
	})
	if err != nil {
		return err
	}
	defer c.Close()
	env := &envelope.Envelope{Sender: "user", Recipients: []envelope.Recipient{{Address: "a@example.org"}}}
	r, err := c.Send(context.Background(), env, envelope.Options{Mode: mode},
		message(fmt.Sprintf("Subject: m-%d\r\n\r\n%s", i, strings.Repeat("some text of a usual message\r\n", 50))))
	if err == nil && len(r.Refused) > 0 {
		err = r.Refused[0].Err
	}
	return err
}

// onceEach checks that every message arrived once.
func (s *site) onceEach(messages int) {
	s.t.Helper()
	got := map[string]int{}
	for _, m := range s.Messages() {
		got[m.Header("Subject")]++
	}
	for i := range messages {
		if n := got[fmt.Sprintf("m-%d", i)]; n != 1 {
			s.t.Errorf("m-%d arrived %d times", i, n)
		}
	}
	if len(got) != messages {
		s.t.Errorf("%d different messages arrived", len(got))
	}
}

// TestBacklog: what 50 users have handed in while the server was down is delivered exactly once, by
// three connections, without a refusal, and in little memory.
func TestBacklog(t *testing.T) {
	t.Parallel()
	messages, users := 2000, 50
	if *long {
		messages = 10000
	}
	s := newSite(t, "[agent]\nprobe_interval = \"1s\"\n")
	s.down(true)
	p := s.agent()
	if !p.answers() {
		t.Fatal(p.stderr.String())
	}
	start := time.Now()
	s.handIn(messages, users, "background")
	accepting := time.Since(start)
	if n := s.queued(); n != messages {
		t.Fatalf("%d messages are in the queue", n)
	}
	users = s.users()
	s.down(false)
	start = time.Now()
	// The account rests for up to an hour after many failures; an administrator would say so.
	for s.queued() == messages && time.Since(start) < 5*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	if s.queued() == messages {
		if r := s.sendmail("", "-q"); r.code != 0 {
			t.Errorf("-q: %+v", r)
		}
	}
	for s.queued() > 0 {
		if time.Since(start) > 10*time.Minute || p.ended() {
			t.Fatalf("%d messages are left\n%s", s.queued(), s.log())
		}
		time.Sleep(20 * time.Millisecond)
	}
	draining := time.Since(start)
	peak, now := p.resident("VmHWM"), p.resident("VmRSS")
	if r := p.end(); r.code != 0 {
		t.Errorf("%+v %s", r, p.stderr.String())
	}
	s.onceEach(messages)
	if n := s.Refused("4"); n != 0 || s.MaxConcurrent() > 3 {
		t.Errorf("%d refusals, %d connections at once", n, s.MaxConcurrent())
	}
	if peak > 64<<10 {
		t.Errorf("the agent took %d KiB of memory", peak)
	}
	s.clean()
	t.Logf("%d messages of %d users: accepted in %v (%.0f/s), delivered in %v (%.0f/s) by %d connections; resident %d KiB, at most %d KiB", messages, users,
		accepting.Round(time.Millisecond), float64(messages)/accepting.Seconds(), draining.Round(time.Millisecond), float64(messages)/draining.Seconds(), s.MaxConcurrent(), now, peak)
}

// users counts the users whose messages are in the queue.
func (s *site) users() int {
	s.t.Helper()
	b, err := os.ReadFile(s.spoolDir() + "/usage")
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Count(string(b), "\nuid ")
}

// TestRate keeps to the limit on messages a minute, which the server has, too.
func TestRate(t *testing.T) {
	t.Parallel()
	const perMinute = 600
	s := newSite(t, fmt.Sprintf("[delivery]\nmessages_per_minute = %d\n", perMinute))
	s.Update(func(st *emulator.State) { st.Limits.PerMinute = perMinute })
	p := s.agent()
	if !p.answers() {
		t.Fatal(p.stderr.String())
	}
	messages := perMinute + 60
	start := time.Now()
	s.handIn(messages, 10, "background")
	for s.queued() > 0 {
		if time.Since(start) > 3*time.Minute {
			t.Fatalf("%d messages are left\n%s", s.queued(), s.log())
		}
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(start)
	p.end()
	s.onceEach(messages)
	if n := s.Refused("4") + s.Refused("5"); n != 0 {
		t.Errorf("the limit was hit %d times", n)
	}
	if took < time.Minute {
		t.Errorf("%d messages went in %v", messages, took)
	}
	t.Logf("%d messages at %d a minute took %v", messages, perMinute, took.Round(time.Millisecond))
}
