package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"o365-sendmail/internal/durable"
)

// Reader reads a history. It remembers how far it has come: what it reads next is what was added since. It is for one
// goroutine.
type Reader struct {
	dir string
	// at is up to where each segment was read, in bytes.
	at map[segment]int64
	// Damaged counts the lines that can't be read, and the files.
	Damaged int
	buf     []byte
}

// NewReader returns a reader that begins at the oldest line.
func NewReader(dir string) *Reader { return &Reader{dir: dir, at: map[segment]int64{}} }

// blockSize is how much is read at once. A line that is longer is damaged.
const blockSize = 64 << 10

// Skip has the reader begin with what is added from now on.
func (r *Reader) Skip() error {
	return r.eachSegment(&Filter{}, func(s segment, f *os.File, size int64) error {
		r.at[s] = size
		return nil
	})
}

// Each calls fn for what the filter chooses, in the order in which it was written, until fn returns an error. The
// entry is fn's only until it returns.
func (r *Reader) Each(ctx context.Context, f *Filter, fn func(*Entry) error) error {
	m, e := f.matcher(), new(Entry)
	return r.rows(ctx, f, func(row *row) error {
		if !m.match(row) {
			return nil
		}
		row.entry(e)
		return fn(e)
	})
}

// rows calls fn for each line of the segments that the filter may mean.
func (r *Reader) rows(ctx context.Context, f *Filter, fn func(*row) error) error {
	if r.buf == nil {
		r.buf = make([]byte, blockSize)
	}
	return r.eachSegment(f, func(s segment, file *os.File, _ int64) error { return r.segment(ctx, s, file, fn) })
}

// eachSegment opens the segments. One that is gone, or is not what this program makes, is passed over.
func (r *Reader) eachSegment(f *Filter, fn func(segment, *os.File, int64) error) error {
	all, err := segments(r.dir)
	if err != nil {
		return fmt.Errorf("the history can't be read: %w", err)
	}
	for _, s := range all {
		if !f.covers(s) {
			continue
		}
		fd, size, err := durable.OpenPrivate(filepath.Join(r.dir, s.name()), syscall.O_RDONLY, -1)
		if err == nil && size < r.at[s] {
			r.at[s] = 0 // it was removed, and begun again
		}
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && size == r.at[s]:
		case err != nil:
			r.Damaged++
		default:
			file := os.NewFile(uintptr(fd), s.name())
			err := fn(s, file, size)
			_ = file.Close()
			if err != nil {
				return err
			}
			continue
		}
		if err == nil {
			_ = syscall.Close(fd)
		}
	}
	return nil
}

// segment reads whole lines from where the reader has come to.
func (r *Reader) segment(ctx context.Context, s segment, file *os.File, fn func(*row) error) error {
	var line row
	held, tooLong := 0, false
	for at := r.at[s]; ; {
		n, err := file.ReadAt(r.buf[held:], at)
		at += int64(n)
		b := r.buf[:held+n]
		for {
			end := bytes.IndexByte(b, '\n')
			if end < 0 {
				break
			}
			ok := !tooLong && line.parse(b[:end])
			if !ok && end > 0 || tooLong {
				r.Damaged++
			}
			tooLong, b = false, b[end+1:]
			r.at[s] = at - int64(len(b))
			if !ok {
				continue
			}
			if err := fn(&line); err != nil {
				return err
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == io.EOF:
			return nil
		case err != nil:
			r.Damaged++
			return nil
		}
		if len(b) == len(r.buf) {
			tooLong, b = true, nil
		}
		held = copy(r.buf, b)
	}
}
