package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"o365-sendmail/internal/durable"
)

// Options say what is kept, and where.
type Options struct {
	// Dir is the folder; "" keeps nothing.
	Dir string
	// Days is how long a line is kept; 0 keeps nothing.
	Days int
	// Size bounds all files together, in bytes: the oldest go first.
	Size int64
}

// Writer writes the history. Its methods may be called from several goroutines, and several processes may write to one
// folder. The zero value and nil keep nothing.
type Writer struct {
	// Warn hears once a day that the history can't be written.
	Warn func(error)

	mu      sync.Mutex
	o       Options
	current segment
	file    *os.File // the current segment; nil when it is not open
	size    int64    // of it, as far as it is known
	used    bool     // since the last Tick
	begun   bool     // the last write ended with its line
	told    string   // the day of the last warning
	day     string   // that Tick has seen
	pruneAt time.Time
}

// segmentsOf is into how many files a full history is divided.
const segmentsOf = 16

// Configure puts options in force.
func (w *Writer) Configure(o Options) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.o != o {
		w.close()
		w.o, w.day = o, ""
	}
}

// On reports whether entries are kept.
func (w *Writer) On() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.o.on()
}

func (o *Options) on() bool { return o.Dir != "" && o.Days > 0 && o.Size > 0 }

// Record writes entries. It syncs nothing: a power loss may cost the last of them.
func (w *Writer) Record(now time.Time, entries []Entry) {
	if !w.On() || len(entries) == 0 {
		return
	}
	b := make([]byte, 1, 256*len(entries))
	b[0] = '\n'
	for i := range entries {
		b = entries[i].append(b)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun {
		b = b[1:]
	}
	err := w.write(now, b)
	if w.begun = err == nil; err != nil {
		w.close()
	}
	if today := dayOf(now); err != nil && w.Warn != nil && w.told != today {
		w.told = today
		w.Warn(fmt.Errorf("the history in %s can't be written, and mail goes on without it: %w", w.o.Dir, err))
	}
}

// write appends to the segment of the day.
func (w *Writer) write(now time.Time, b []byte) error {
	if w.file == nil || w.current.day != dayOf(now) || w.size >= w.o.Size/segmentsOf {
		w.close()
		if err := w.open(now); err != nil {
			return err
		}
	}
	n, err := w.file.Write(b)
	w.size, w.used = w.size+int64(n), true
	return err
}

// open opens the last segment of the day that is not full, or begins one.
func (w *Writer) open(now time.Time) error {
	if err := (&durable.Shared{Path: w.o.Dir, Ops: durable.System}).Prepare(); err != nil {
		return err
	}
	all, err := segments(w.o.Dir)
	if err != nil {
		return err
	}
	w.current = segment{day: dayOf(now)}
	for _, s := range all {
		if s.day == w.current.day {
			w.current = s
		}
	}
	for {
		w.file, w.size, err = durable.OpenAppend(filepath.Join(w.o.Dir, w.current.name()))
		if err != nil {
			w.file = nil
			return err
		}
		if w.size == 0 {
			w.begun = true
			return w.makeRoom(now)
		}
		if w.size < w.o.Size/segmentsOf {
			return nil
		}
		w.close()
		w.current.number++
	}
}

func (w *Writer) close() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
}

// Close closes the file; the next entry opens it again.
func (w *Writer) Close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.close()
}

// look closes a file that is not in use or was removed, and sees what others have written to it.
func (w *Writer) look() {
	if w.file == nil {
		return
	}
	fi, err := w.file.Stat()
	named, gone := os.Lstat(w.file.Name())
	if err != nil || gone != nil || !os.SameFile(fi, named) || !w.used {
		w.close()
		return
	}
	w.size, w.used = fi.Size(), false
}

// makeRoom is what a new segment costs: the oldest beyond the bounds go. Where all are too old, the clock may be
// wrong, and they stay.
func (w *Writer) makeRoom(now time.Time) error {
	all, err := segments(w.o.Dir)
	if err != nil {
		return err
	}
	first := w.firstDay(now)
	if !slices.ContainsFunc(all, func(s segment) bool { return s != w.current && s.day >= first }) {
		first = ""
	}
	return w.remove(all, first)
}

// firstDay is the oldest day that is kept.
func (w *Writer) firstDay(now time.Time) string { return dayOf(now.AddDate(0, 0, -w.o.Days)) }

// remove removes the segments of the days before first, and the oldest of those that are too much together with a new
// one. The current one stays.
func (w *Writer) remove(all []segment, first string) (err error) {
	room := w.o.Size - w.o.Size/segmentsOf
	for i := len(all) - 1; i >= 0; i-- {
		path := filepath.Join(w.o.Dir, all[i].name())
		fi, bad := os.Lstat(path)
		if bad != nil {
			continue // another process was faster
		}
		room -= fi.Size()
		if all[i] != w.current && (room < 0 || all[i].day < first) {
			if bad := os.Remove(path); !errors.Is(bad, fs.ErrNotExist) {
				err = errors.Join(err, bad)
			}
		}
	}
	return err
}

// settled is how long a day has to last before what is too old by it goes: a clock may be wrong for a while.
const settled = time.Hour

// Tick is for a process that stays, every minute or so: what is too old goes, and all where nothing is kept.
func (w *Writer) Tick(now time.Time) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	switch today := dayOf(now); {
	case w.o.Dir == "":
	case w.day != today:
		w.day, w.pruneAt = today, now.Add(settled)
	case !w.pruneAt.IsZero() && !now.Before(w.pruneAt):
		w.pruneAt = time.Time{}
		all, err := segments(w.o.Dir)
		first := w.firstDay(now)
		if !w.o.on() {
			first = "9999"
			w.close()
			w.current = segment{}
		}
		if err = errors.Join(err, w.remove(all, first)); err != nil && w.Warn != nil {
			w.Warn(fmt.Errorf("the history can't be shortened: %w", err))
		}
	}
}
