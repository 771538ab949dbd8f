package cache

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	noteMagic = "note 1\n"
	maxNote   = 4 << 10
)

// notes are those of this process, for when the directory can't be used.
type notes struct {
	mu   sync.Mutex
	kept map[string]note
}

type note struct {
	text  string
	until time.Time
}

// SetNote keeps a line about name, such as what a server was found not to do, until the given time. All
// processes with this directory share it; when the directory can't be used, this one alone has it.
func (c *Cache) SetNote(name, text string, until time.Time) {
	n := note{oneLine(text), until}
	data := strconv.AppendInt([]byte(noteMagic), until.Unix(), 10)
	data = append(append(append(data, '\n'), n.text...), '\n')
	err := c.writeFile(c.accountPath("note", name, "note"), data)
	c.notes.mu.Lock()
	defer c.notes.mu.Unlock()
	if delete(c.notes.kept, name); err == nil {
		return
	}
	if c.notes.kept == nil {
		c.notes.kept = map[string]note{}
	}
	c.notes.kept[name] = n
}

// Note returns what SetNote kept about name; ok is false when there is nothing, or its time is over.
func (c *Cache) Note(name string) (text string, until time.Time, ok bool) {
	c.notes.mu.Lock()
	n, found := c.notes.kept[name]
	c.notes.mu.Unlock()
	if !found && c.dir != "" {
		uid := os.Geteuid()
		if uid == 0 {
			uid = -1 // root looks at the notes of the service's user
		}
		data, err := readOwned(c.accountPath("note", name, "note"), maxNote, uid)
		if err != nil {
			return "", time.Time{}, false
		}
		n, found = parseNote(data)
	}
	return n.text, n.until, found && c.clock.now().Before(n.until)
}

// DropNote forgets what is kept about name.
func (c *Cache) DropNote(name string) {
	if _, _, ok := c.Note(name); ok {
		c.SetNote(name, "", time.Unix(0, 0))
	}
}

func parseNote(data []byte) (note, bool) {
	rest, ok := bytes.CutPrefix(data, []byte(noteMagic))
	if !ok {
		return note{}, false
	}
	end, text, ok := bytes.Cut(rest, []byte{'\n'})
	seconds, err := strconv.ParseInt(string(end), 10, 64)
	line, whole := bytes.CutSuffix(text, []byte{'\n'})
	if !ok || err != nil || !whole || bytes.IndexByte(line, '\n') >= 0 {
		return note{}, false
	}
	return note{oneLine(string(line)), time.Unix(seconds, 0)}, true
}
