package control

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is a control socket at which each connection is of the user that comes next in uids, and of a user of
// its own when that list is over.
type crowd struct {
	t    *testing.T
	path string
}

func newCrowd(t *testing.T, r *rig, uids ...int) *crowd {
	t.Helper()
	var n atomic.Int64
	c := r.as(0, func(s *Server) {
		s.peer = func(net.Conn) (int, error) {
			i := int(n.Add(1)) - 1
			if i == 0 {
				return 0, nil // the rig's own
			}
			if i <= len(uids) {
				return uids[i-1], nil
			}
			return 20000 + i, nil
		}
	})
	return &crowd{t, c.path}
}

// open connects and sends something. A server that makes room may have closed the connection before: whoever reads
// the reply judges that.
func (c *crowd) open(request string) net.Conn {
	c.t.Helper()
	conn, err := net.Dial("unix", c.path)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	_, _ = fmt.Fprint(conn, request)
	return conn
}

// ask is the status code of the answer to a request.
func (c *crowd) ask(request string) int {
	c.t.Helper()
	conn := c.open(request)
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode
}

const (
	askStatus = "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	askList   = "GET /v1/queue HTTP/1.1\r\nHost: x\r\n\r\n"
)

// TestManyUsersAtTheSocket: whether many users have a connection each or few have all, and whether they ask
// nothing, half of something or read no answer: who has none gets one.
func TestManyUsersAtTheSocket(t *testing.T) {
	t.Parallel()
	var few []int
	for i := range 11 {
		for range maxConnsPerUser {
			few = append(few, 20000+i)
		}
	}
	for _, form := range []string{"", "GET /v1/st", askList} {
		for name, uids := range map[string][]int{"one each": nil, "few users": few} {
			t.Run(fmt.Sprintf("%s %.10q", name, form), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				for _, uid := range few[:1] {
					r.put(uid, "a@example.com",
						strings.Split(strings.Repeat("x@example.org,", 9000)[:14*9000-1], ",")...)
				}
				c := newCrowd(t, r, uids...)
				for range maxConns + 8 {
					c.open(form)
				}
				// On a busy machine the last of them are accepted late, and have their time from then on.
				status := 0
				for tries := 0; tries < 10 && status != http.StatusOK; tries++ {
					time.Sleep(2 * settled)
					status = c.ask(askStatus)
				}
				if status != http.StatusOK {
					t.Errorf("status %d", status)
				}
			})
		}
	}
}

// TestSlowReader: two users who ask for long lists and read nothing keep no third one waiting.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	many := strings.Split(strings.Repeat("someone@example.org,", 2000)[:20*2000-1], ",")
	for _, uid := range []int{alice, bob} {
		for range 40 { // some megabytes of list, far more than a socket holds
			r.put(uid, "a@example.com", many...)
		}
	}
	r.put(1003, "c@example.com", "x@example.org")
	c := newCrowd(t, r, alice, bob, 1003)
	for range 2 {
		if _, err := c.open(askList).Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	if status := c.ask(askList); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if took := time.Since(begun); took > readWait/2 {
		t.Errorf("it took %v", took)
	}
}

// TestVictim: which connection gives way.
func TestVictim(t *testing.T) {
	t.Parallel()
	now := time.Now()
	conn := func(uid int, busy bool, age time.Duration) *guarded {
		return &guarded{uid: uid, busy: busy, since: now.Add(-age)}
	}
	for _, c := range []struct {
		name  string
		conns []*guarded
		then  int
		want  int // index, -1 for none
	}{
		{"the user who has most", []*guarded{conn(1, false, time.Hour), conn(2, false, 1), conn(2, false, 0),
			conn(2, false, 0)}, 1, 1},
		{"the idle one before the busy", []*guarded{conn(2, true, time.Hour), conn(2, false, 0)}, 1, 1},
		{"the busy one of who has most", []*guarded{conn(2, true, 0), conn(2, true, 1), conn(1, false, time.Hour)}, 1,
			1},
		{"all alike: the oldest", []*guarded{conn(1, false, settled), conn(2, false, 2*settled)}, 1, 1},
		{"all alike and new", []*guarded{conn(1, false, 0), conn(2, false, settled/2)}, 1, -1},
		{"all alike and busy", []*guarded{conn(1, true, settled), conn(2, true, longEnough-1)}, 1, -1},
		{"all alike and long busy", []*guarded{conn(1, true, settled), conn(2, true, longEnough)}, 1, 1},
		{"not for a second one", []*guarded{conn(1, false, time.Hour), conn(1, false, time.Hour),
			conn(2, false, time.Hour)}, 2, -1},
	} {
		g := &guard{conns: map[*guarded]struct{}{}, users: map[int]int{}}
		for _, one := range c.conns {
			g.conns[one] = struct{}{}
			g.users[one.uid]++
		}
		got := -1
		for i, one := range c.conns {
			if one == g.victim(c.then, now) {
				got = i
			}
		}
		if got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
