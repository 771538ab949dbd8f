package fleet

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/quota"
)

// sayHost writes what this host says of itself.
func (f *Fleet) sayHost(within time.Duration) error {
	h := quota.Peer{Name: f.o.Host, ID: f.id, Version: f.o.Version}
	if f.o.Backlog != nil {
		h.Backlog = f.o.Backlog()
	}
	f.mu.Lock()
	for mailbox, n := range f.wants {
		if n > 0 {
			h.Wants = append(h.Wants, mailbox)
		}
	}
	f.mu.Unlock()
	slices.Sort(h.Wants)
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(f.ctx, within)
	defer cancel()
	_, err = f.put(ctx, f.hostKey(), data, ttl(f.o.TTL))
	return err
}

// want notes that this host waits for a slot, or one waiter less.
func (f *Fleet) want(mailbox string, n int) {
	mailbox = strings.ToLower(mailbox)
	f.mu.Lock()
	f.wants[mailbox] += n
	tell := n > 0 && f.wants[mailbox] == n
	f.mu.Unlock()
	if !tell {
		return
	}
	select {
	case f.view.wanting <- struct{}{}:
	default:
	}
}

const (
	hostsNote = "fleet hosts "
	noteLife  = 30 * 24 * time.Hour
)

// rememberHosts keeps the number of hosts on disk, for a start without the servers.
func (f *Fleet) rememberHosts(n int) {
	if text, _, ok := f.o.Local.Note(hostsNote + f.o.Name); n < 1 || ok && text == strconv.Itoa(n) {
		return
	}
	f.o.Local.SetNote(hostsNote+f.o.Name, strconv.Itoa(n), time.Now().Add(noteLife))
}

// hosts is how many there were last. Who has never heard has to take it that there are many.
func (f *Fleet) hosts() int {
	text, _, _ := f.o.Local.Note(hostsNote + f.o.Name)
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return n
	}
	return 1000
}
