package spool

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"o365-sendmail/internal/quota"
)

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
	if free := int64(st.Bavail) * int64(st.Bsize); free-size < keep {
		return &LimitError{What: "the spool's disk has too little room (spool.keep_free)", Have: free, Limit: keep,
			Unit: "bytes free"}
	}
	return nil
}

// Full returns why the spool, of which st are the counts, takes nothing more of users, or nil: the disk has less
// room than has to stay free, or all of a bound but root's reserve is used. The error is a *LimitError, or the
// system's.
func (s *Spool) Full(st Stats) error {
	if err := s.usage.checkDisk(Meta{}, 0); err != nil {
		return err
	}
	l := &s.o.Limits
	for _, c := range [...]struct {
		key         string
		have, limit int64
		unit        string
	}{
		{"max_messages", int64(st.Messages), int64(l.MaxMessages), "messages"},
		{"max_bytes", st.Bytes, l.MaxBytes, "bytes"},
	} {
		if users := c.limit - c.limit*int64(l.ReservePercent)/100; c.limit > 0 && c.have >= users {
			return &LimitError{What: "the queue is full (spool." + c.key + ")", Have: c.have, Limit: users,
				Unit: c.unit}
		}
	}
	return nil
}

func (u *usage) exceeds(t *table, meta Meta, size int64) error {
	l, all, own := &u.s.o.Limits, t.total(), t.of(u.s.sharer(meta))
	for _, c := range [...]struct {
		key         string
		have, limit int64
		unit        string
	}{
		{"max_messages", int64(all.messages) + 1, int64(l.MaxMessages), "messages"},
		{"max_bytes", all.bytes + size, l.MaxBytes, "bytes"},
		{"max_messages_per_user", int64(own.messages) + 1, int64(l.MaxMessagesPerUser), "messages"},
		{"max_bytes_per_user", own.bytes + size, l.MaxBytesPerUser, "bytes"},
	} {
		if c.limit <= 0 || c.have <= c.limit {
			continue
		}
		what := "the queue is full"
		if strings.HasSuffix(c.key, "_per_user") {
			what = meta.sender() + " has too much in the queue"
		}
		return &LimitError{What: what + " (spool." + c.key + ")", Have: c.have, Limit: c.limit, Unit: c.unit}
	}
	return u.overShare(all, own, meta, size)
}

// overShare reports that a message would take what is left to others.
func (u *usage) overShare(all, own userCount, meta Meta, size int64) error {
	l := &u.s.o.Limits
	trusted := meta.UID == 0 || meta.UID == os.Geteuid()
	for _, c := range [...]struct {
		key       string
		pool      quota.Pool
		own, more int64
		unit      string
	}{
		{"max_messages", quota.Pool{Size: int64(l.MaxMessages), Used: int64(all.messages), Reserve: l.ReservePercent},
			int64(own.messages), 1, "messages"},
		{"max_bytes", quota.Pool{Size: l.MaxBytes, Used: all.bytes, Reserve: l.ReservePercent}, own.bytes,
			size, "bytes"},
	} {
		if !c.pool.Gives(c.own, c.more, trusted) {
			return &LimitError{What: fmt.Sprintf("%s has its share of the queue (spool.%s, agent.reserve_percent)",
				meta.sender(), c.key), Have: c.own + c.more, Limit: c.pool.Size, Unit: c.unit}
		}
	}
	return nil
}
