package agent

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/sysexits"
)

// hall is limits with a clock and the connections in it.
type hall struct {
	limits
	t       *testing.T
	c       *config.Config
	clock   time.Time
	evicted []*guest
}

func newHall(t *testing.T) *hall {
	h := &hall{t: t, c: &config.Config{}, clock: time.Unix(1e9, 0)}
	h.now = func() time.Time { return h.clock }
	h.c.Agent.MaxConnections, h.c.Agent.ReservePercent, h.c.Agent.MaxHeaderMemory = 512, 10, 8<<20
	return h
}

// come lets a connection of a user in, if there is room.
func (h *hall) come(uid int) *guest {
	g := &guest{who: who{uid: uid}, trusted: uid == 0}
	g.evict = func() { h.evicted = append(h.evicted, g) }
	h.clock = h.clock.Add(time.Millisecond)
	if h.enter(g, h.c) != nil {
		return nil
	}
	return g
}

// fill lets a user have all the connections that it can get.
func (h *hall) fill(uid int) (all []*guest) {
	for g := h.come(uid); g != nil && len(all) < 10000; g = h.come(uid) {
		all = append(all, g)
	}
	return all
}

func (h *hall) held(uid int) int { return len(h.user(who{uid: uid}).guests) }

func TestAloneAUserGetsNearlyAll(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	if n := len(h.fill(33)); n < 370 || n > 460 {
		t.Errorf("a user who is alone got %d of 512 connections", n)
	}
	if h.come(1001) == nil || len(h.evicted) != 0 {
		t.Errorf("another user did not get in, or one was evicted (%d)", len(h.evicted))
	}
	if n := len(h.fill(0)); n < 250 || h.come(1002) == nil {
		t.Errorf("root got %d, and a user who has nothing open gets none", n)
	}
}

// TestUsersShareAlike: who comes later gets as much as who was there first.
func TestUsersShareAlike(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.fill(33)
	h.fill(34)
	h.fill(35)
	for _, uid := range []int{33, 34, 35} {
		if n := h.held(uid); n < 100 || n > 180 {
			t.Errorf("uid %d has %d", uid, n)
		}
	}
	if h.total > 512 {
		t.Errorf("%d connections", h.total)
	}
}

// TestManyUsersOfOneAttacker: with any number of user ids nobody is kept out.
func TestManyUsersOfOneAttacker(t *testing.T) {
	t.Parallel()
	for _, uids := range []int{2, 50, 500, 5000} {
		h := newHall(t)
		for uid := range uids {
			for range 10 {
				h.come(100_000 + uid)
			}
		}
		h.clock = h.clock.Add(settled)
		if h.come(0) == nil {
			t.Errorf("%d attackers: root does not get in", uids)
		}
		for range 20 {
			g := h.come(1001)
			if g == nil {
				t.Errorf("%d attackers: a user who has nothing open does not get in", uids)
				break
			}
			h.leave(g)
		}
		if h.total > 512 {
			t.Errorf("%d connections", h.total)
		}
	}
}

// TestWhoGivesWay: the connection of the largest user that made no progress for longest, but none whose
// message is being handled.
func TestWhoGivesWay(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.c.Agent.MaxConnections, h.c.Agent.ReservePercent = 6, 1
	small := h.come(34)
	all := h.fill(33)
	for _, g := range all[:2] {
		if _, err := h.begin(g, h.c); err != nil {
			t.Fatal(err)
		}
	}
	h.end(all[0]) // has made progress
	h.fill(35)
	if len(h.evicted) == 0 || h.evicted[0] != all[2] {
		t.Errorf("of %d, %d were evicted", len(all), len(h.evicted))
	}
	for _, g := range h.evicted {
		if g == all[1] || g == small {
			t.Error("a message that is being handled, or a small user, gave way")
		}
		if _, err := h.begin(g, h.c); sysexits.Code(err, 0) != sysexits.TempFail {
			t.Errorf("an evicted connection hands in a message: %v", err)
		}
		h.leave(g)
	}
	if h.total != h.held(33)+h.held(34)+h.held(35) {
		t.Errorf("%d connections are counted", h.total)
	}
}

func TestHeaderMemory(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	var mine []*meter
	for {
		m := &meter{l: &h.limits, g: h.come(33), c: h.c}
		if m.Header(1<<20) != nil {
			break
		}
		mine = append(mine, m)
	}
	if n := len(mine); n < 4 || n > 7 {
		t.Errorf("a user who is alone has %d MiB of 8", n)
	}
	for _, uid := range []int{34, 0, 34} {
		if err := (&meter{l: &h.limits, g: h.come(uid), c: h.c}).Header(1 << 20); err != nil {
			t.Errorf("uid %d: %v", uid, err)
		}
	}
	if h.header > 8<<20 || len(h.evicted) == 0 || h.evicted[0] != mine[0].g {
		t.Errorf("%d bytes, %d evicted", h.header, len(h.evicted))
	}
	if mine[0].Header(1) == nil || mine[0].Body(1) {
		t.Error("an evicted message gets more")
	}
	for _, m := range mine {
		m.done()
	}
	if n := h.user(who{uid: 33}).header; n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
	h.c.Agent.MaxHeaderMemoryPerUser = 100
	if err := (&meter{l: &h.limits, g: h.come(33), c: h.c}).Header(101); err == nil ||
		!strings.Contains(err.Error(), "max_header_memory_per_user") {
		t.Errorf("got %v", err)
	}
}

func TestRefusalsInTheLog(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.c.Agent.RefusalsPerMinute = 5
	written := 0
	for range 1000 {
		if ok, _ := h.mayLog(who{uid: 33}, h.c); ok {
			written++
		}
	}
	if ok, _ := h.mayLog(who{uid: 34}, h.c); written != 5 || !ok {
		t.Errorf("%d lines were written, another user's %t", written, ok)
	}
	h.clock = h.clock.Add(time.Minute)
	if ok, left := h.mayLog(who{uid: 33}, h.c); !ok || left != 995 {
		t.Errorf("%t, %d left out", ok, left)
	}
	written = 0
	for uid := range 1000 {
		if ok, _ := h.mayLog(who{uid: uid}, h.c); ok {
			written++
		}
	}
	if written > quota.Greed*5 {
		t.Errorf("%d lines of all users", written)
	}
}

// admitted returns a connection that was greeted. The agent looks at its own socket when it starts, and may hold the
// place that this one wants.
func (s *site) admitted() net.Conn {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		c, err := net.Dial("unix", s.socket)
		if err != nil {
			s.t.Fatal(err)
		}
		greeting := make([]byte, 3)
		if _, err := io.ReadFull(c, greeting); err == nil && string(greeting) == "220" {
			return c
		}
		c.Close()
	}
	s.t.Fatal("no connection is greeted")
	return nil
}

// TestEvicted: a connection gives way wherever it stands and hears why, and who waited is served.
func TestEvicted(t *testing.T) {
	t.Parallel()
	s := newSite(t, "max_connections = 4\nreserve_percent = 1\n")
	var uid atomic.Int64 // of whoever comes now
	s.sharer = func(envelope.Caller, net.Conn) who { return who{uid: int(uid.Load())} }
	s.start()
	const start = "EHLO x\r\nMAIL FROM:<x@y.org>\r\nRCPT TO:<a@example.org>\r\n"
	stopped := map[string]net.Conn{}
	for _, input := range []string{"", "EHL", start + "DATA\r\nSubject: x\r\n",
		start + "BDAT 100000 LAST\r\nSubject: x\r\n"} {
		uid.Store(int64(500 + len(stopped)/3)) // three of one, the most that one gets
		c := s.admitted()
		defer c.Close()
		// that was evicted at once
		if _, err := io.WriteString(c, input); err != nil && !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
		stopped[input] = c
	}
	uid.Store(1000)
	all := make(chan string, len(stopped))
	for _, c := range stopped {
		go func() {
			b, _ := io.ReadAll(c)
			all <- string(b)
		}()
	}
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() {
			if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	s.arrived(8) // while connections are short, messages go by the queue
	evicted := 0
	s.stop() // the others end with the agent
	for range stopped {
		if text := <-all; strings.HasSuffix(text,
			"421 4.3.2 others wait, and this connection has made no progress for longest; try again\r\n") {
			evicted++
		}
	}
	if evicted < 1 || len(s.Messages()) != 8 || !strings.Contains(s.log(), "status=evicted") {
		t.Errorf("%d were evicted, %d messages arrived\n%s", evicted, len(s.Messages()), s.log())
	}
}
