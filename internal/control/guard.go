package control

import (
	"net"
	"sync"
	"time"
)

// The limits on connections. Root and the service user are not counted, so that others
// can't keep an administrator out.
const (
	maxConns        = 64
	maxConnsPerUser = 6
)

// When all connections are taken, one gives way to a user who has fewer. Where nobody has more than the caller would
// have, one that asks nothing gives way after settled, one that is being answered after longEnough.
const (
	settled    = 50 * time.Millisecond
	longEnough = 10 * time.Second
)

// guard is a listener that knows who connects, and shares the connections among the users.
type guard struct {
	net.Listener
	peer func(net.Conn) (uid int, err error)
	all  func(uid int) bool

	mu    sync.Mutex
	conns map[*guarded]struct{} // those that count
	users map[int]int           // how many of them each user has
}

// guarded is a connection whose peer is known.
type guarded struct {
	net.Conn
	uid   int
	guard *guard

	busy  bool      // a request is being answered
	since time.Time // when that, or the wait for a request, began
}

const busyReply = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

func (g *guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := g.peer(c)
		mine := &guarded{Conn: c, uid: uid, guard: g}
		if err == nil && g.enter(mine) {
			return mine, nil
		}
		refuse(c)
	}
}

// refuse says that there is no room. A few bytes always fit into the socket: this does not wait for the peer.
func refuse(c net.Conn) {
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte(busyReply))
	_ = c.Close()
}

func (g *guard) enter(c *guarded) bool {
	if g.all(c.uid) {
		return true
	}
	g.mu.Lock()
	var victim *guarded
	if len(g.conns) >= maxConns {
		victim = g.victim(g.users[c.uid]+1, time.Now())
	}
	ok := g.users[c.uid] < maxConnsPerUser && (len(g.conns) < maxConns || victim != nil)
	said := true
	if ok {
		if victim != nil {
			said = victim.busy
			g.drop(victim)
		}
		if g.users == nil {
			g.users, g.conns = map[int]int{}, map[*guarded]struct{}{}
		}
		c.since = time.Now()
		g.conns[c] = struct{}{}
		g.users[c.uid]++
	}
	g.mu.Unlock()
	switch {
	case !ok || victim == nil:
	case said:
		_ = victim.Conn.Close() // in the middle of an answer there is nothing to say
	default:
		refuse(victim.Conn)
	}
	return ok
}

// victim is the connection that gives way to a user who then has so many: of the user who has most, one that
// asks nothing before one that is answered, and the oldest of them.
func (g *guard) victim(then int, now time.Time) *guarded {
	var worst *guarded
	for c := range g.conns {
		age := now.Sub(c.since)
		switch held := g.users[c.uid]; {
		case held < then, held == then && (then > 1 || age < settled || c.busy && age < longEnough):
		case worst == nil, g.worse(c, worst):
			worst = c
		}
	}
	return worst
}

func (g *guard) worse(c, other *guarded) bool {
	if n, m := g.users[c.uid], g.users[other.uid]; n != m {
		return n > m
	}
	if c.busy != other.busy {
		return other.busy
	}
	return c.since.Before(other.since)
}

// drop stops counting a connection.
func (g *guard) drop(c *guarded) {
	if _, ok := g.conns[c]; !ok {
		return
	}
	delete(g.conns, c)
	if g.users[c.uid]--; g.users[c.uid] == 0 {
		delete(g.users, c.uid)
	}
}

// answering notes that a request is being answered, or that it was.
func (c *guarded) answering(busy bool) {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c.busy, c.since = busy, time.Now()
}

func (c *guarded) Close() error {
	err := c.Conn.Close()
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c.guard.drop(c)
	return err
}
