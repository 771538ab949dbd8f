package agent

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/spool"
)

// peer tells who is at the other end. Of a local process only the user counts: its
// process id may belong to another by the time it is looked at.
func (a *Agent) peer(c net.Conn, local bool) (envelope.Caller, error) {
	if !local {
		who := stranger(c)
		if uid, ok := tcpUID(addrPort(c.RemoteAddr()), addrPort(c.LocalAddr())); ok {
			who.UID, who.User = uid, a.users.name(uid)
		}
		return who, nil
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return envelope.Caller{}, fmt.Errorf("%T is no Unix socket", c)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return envelope.Caller{}, err
	}
	var cred *syscall.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err == nil {
		err = credErr
	}
	if err != nil {
		return envelope.Caller{}, err
	}
	uid := int(cred.Uid)
	return envelope.Caller{UID: uid, User: a.users.name(uid), Via: "userid " + strconv.Itoa(uid)}, nil
}

// stranger is a client of which the address is all that is known.
func stranger(c net.Conn) envelope.Caller {
	return envelope.Caller{UID: -1, Via: spool.Peer + c.RemoteAddr().String()}
}

// userNames keeps the names of users for a while, so that the user file is not read for
// each message.
type userNames struct {
	now func() time.Time

	mu    sync.Mutex
	until time.Time
	known map[int]string
}

// nameLife is how long a user's name is believed.
const nameLife = time.Minute

func (n *userNames) name(uid int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := n.now(); now.After(n.until) || n.until.Sub(now) > nameLife {
		n.until, n.known = now.Add(nameLife), map[int]string{}
	}
	name, ok := n.known[uid]
	if !ok {
		name = host.UserByID(uid).Name
		n.known[uid] = name
	}
	return name
}
