package spool

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"o365-sendmail/internal/durable"
)

const usageLine = 64 // bytes

// userCount is one line of the table.
type userCount struct {
	uid      int
	messages int
	bytes    int64
}

// table is the parsed file.
type table struct {
	counted time.Time
	users   []userCount
	changed []int // lines to write
	all     bool  // write everything
}

// of is what a user has.
func (t *table) of(uid int) userCount {
	for _, c := range t.users {
		if c.uid == uid {
			return c
		}
	}
	return userCount{uid: uid}
}

// find returns the line of a user, or makes it: its caller changes it.
func (t *table) find(uid int) int {
	free := -1
	for i, c := range t.users {
		if c.uid == uid {
			return i
		}
		if c.messages == 0 {
			free = i
		}
	}
	if free < 0 {
		free = len(t.users)
		t.users = append(t.users, userCount{})
	}
	t.users[free] = userCount{uid: uid}
	return free
}

// add never goes below nothing: the count may have been lost and started again.
func (t *table) add(uid, messages int, bytes int64) {
	i := t.find(uid)
	c := &t.users[i]
	c.messages = max(c.messages+messages, 0)
	c.bytes = max(c.bytes+bytes, 0)
	if c.messages == 0 {
		c.bytes = 0
	}
	t.changed = append(t.changed, i)
}

func (t *table) total() (sum userCount) {
	for _, c := range t.users {
		sum.messages += c.messages
		sum.bytes += c.bytes
	}
	return sum
}

func (t *table) headLine() []byte {
	return fmt.Appendf(nil, "%-*s\n", usageLine-1, "usage 1 counted "+timestamp(t.counted))
}

func (c userCount) line() []byte {
	return fmt.Appendf(nil, "%-*s\n", usageLine-1,
		fmt.Sprintf("uid %011d messages %010d bytes %018d", c.uid, c.messages, c.bytes))
}

func (t *table) store(ops *durable.Ops, f *os.File) error {
	if !t.all {
		for _, i := range t.changed {
			if _, err := ops.WriteAt(f, t.users[i].line(), int64(1+i)*usageLine); err != nil {
				return err
			}
		}
		return nil
	}
	b := t.headLine()
	for _, c := range t.users {
		b = append(b, c.line()...)
	}
	if _, err := ops.WriteAt(f, b, 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(b)))
}

// parseTable is not ok when the file is empty or damaged; it then has no users. The users take the place of those of an
// earlier file: a host may have thousands, and each message reads all lines, so that only those are parsed that differ.
func parseTable(b, earlier []byte, users []userCount) (t *table, ok bool) {
	t = &table{users: users[:0]}
	if len(b) < usageLine || len(b)%usageLine != 0 {
		return t, false
	}
	var err error
	stamp, found := bytes.CutPrefix(bytes.TrimRight(b[:usageLine], " \n"), []byte("usage 1 counted "))
	if t.counted, err = time.Parse(timestampFormat, string(stamp)); err != nil || !found {
		return t, false
	}
	for at := usageLine; at < len(b); at += usageLine {
		line, i := b[at:at+usageLine], len(t.users)
		if at < len(earlier) && i < len(users) && string(line) == string(earlier[at:at+usageLine]) {
			t.users = users[:i+1]
			continue
		}
		c, ok := parseCount(line)
		if !ok {
			t.users = nil
			return t, false
		}
		t.users = append(t.users, c)
	}
	return t, true
}

// parseCount reads a line without making strings.
func parseCount(b []byte) (c userCount, ok bool) {
	var all [3]int64
	for i, name := range [...]string{"uid ", "messages ", "bytes "} {
		if len(b) < len(name) || string(b[:len(name)]) != name {
			return c, false
		}
		b = b[len(name):]
		digits := b
		if i == 0 && len(b) > 0 && b[0] == '-' {
			digits = b[1:]
		}
		n := 0
		for ; n < len(digits) && '0' <= digits[n] && digits[n] <= '9'; n++ {
			all[i] = all[i]*10 + int64(digits[n]-'0')
		}
		if n == 0 || n > 18 || n == len(digits) {
			return c, false
		}
		if len(digits) < len(b) {
			all[i] = -all[i]
		}
		b = bytes.TrimLeft(digits[n:], " \n")
	}
	c = userCount{int(all[0]), int(all[1]), all[2]}
	return c, len(b) == 0 && int64(c.uid) == all[0] && int64(c.messages) == all[1]
}
