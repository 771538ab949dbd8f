package quota

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/printable"
)

const (
	noteMagic = "note 1\n"
	maxNote   = 4 << 10 // bytes of a file
	maxText   = 2000    // bytes of its text
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
func (l *Ledger) SetNote(name, text string, until time.Time) {
	n := note{printable.Cut(printable.OneLine(text), maxText), until}
	data := strconv.AppendInt([]byte(noteMagic), until.Unix(), 10)
	data = append(append(append(data, '\n'), n.text...), '\n')
	err := l.dir.Replace(l.path("note", name, "note"), data)
	l.notes.mu.Lock()
	defer l.notes.mu.Unlock()
	if delete(l.notes.kept, name); err == nil {
		return
	}
	if l.notes.kept == nil {
		l.notes.kept = map[string]note{}
	}
	l.notes.kept[name] = n
}

// Note returns what SetNote kept about name; ok is false when there is nothing, or its time is over.
func (l *Ledger) Note(name string) (text string, until time.Time, ok bool) {
	l.notes.mu.Lock()
	n, found := l.notes.kept[name]
	l.notes.mu.Unlock()
	if !found && l.dir.Path != "" {
		uid := os.Geteuid()
		if uid == 0 {
			uid = -1 // root looks at the notes of the service's user
		}
		data, err := durable.ReadPrivate(l.path("note", name, "note"), maxNote, uid)
		if err != nil {
			return "", time.Time{}, false
		}
		n, found = parseNote(data)
	}
	return n.text, n.until, found && l.now().Before(n.until)
}

// DropNote forgets what is kept about name.
func (l *Ledger) DropNote(name string) {
	if _, _, ok := l.Note(name); ok {
		l.SetNote(name, "", time.Unix(0, 0))
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
	return note{printable.Cut(printable.OneLine(string(line)), maxText), time.Unix(seconds, 0)}, true
}
