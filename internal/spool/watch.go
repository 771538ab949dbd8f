package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// ErrMissed means that there were more changes than the kernel keeps: what is known has to be read again.
var ErrMissed = errors.New("changes of the queue were missed")

// Watch hears of changes in queue/ from the kernel (inotify(7)), whichever process makes them.
type Watch struct{ f *os.File }

// gather is for how long further changes are waited for after the first, so that many are told at once.
const gather = 200 * time.Millisecond

// Watch begins to watch. What changes from now on is told by Next.
func (s *Spool) Watch() (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("the queue can't be watched: %w", err)
	}
	w := &Watch{os.NewFile(uintptr(fd), "inotify")}
	const changes = unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_MODIFY
	if _, err := unix.InotifyAddWatch(fd, s.dir(queueDir), changes|unix.IN_ONLYDIR); err != nil {
		return nil, errors.Join(fmt.Errorf("the queue can't be watched: %w", err), w.f.Close())
	}
	return w, nil
}

// Close ends it.
func (w *Watch) Close() error { return w.f.Close() }

// Next waits for changes, at most for a time, and returns the ids of messages that came, went or changed.
func (w *Watch) Next(ctx context.Context, most time.Duration) (ids []string, err error) {
	defer context.AfterFunc(ctx, func() { _ = w.f.SetReadDeadline(time.Now()) })()
	buf := make([]byte, 64<<10)
	for end, first := time.Now().Add(most), true; ; first = false {
		if err := errors.Join(w.f.SetReadDeadline(end), ctx.Err()); err != nil {
			return nil, err
		}
		n, err := w.f.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			slices.Sort(ids)
			return slices.Compact(ids), ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if ids, err = appendChanged(ids, buf[:n]); err != nil {
			return nil, err
		}
		if first {
			select {
			case <-time.After(gather):
			case <-ctx.Done():
			}
			end = time.Now().Add(time.Millisecond) // for what has come meanwhile
		}
	}
}

// appendChanged reads events as inotify(7) lays them out.
func appendChanged(ids []string, b []byte) ([]string, error) {
	for len(b) >= unix.SizeofInotifyEvent {
		mask, size := binary.NativeEndian.Uint32(b[4:]), int(binary.NativeEndian.Uint32(b[12:]))
		if mask&(unix.IN_Q_OVERFLOW|unix.IN_IGNORED) != 0 {
			return ids, ErrMissed
		}
		end := min(unix.SizeofInotifyEvent+size, len(b))
		name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:end], []byte{0})
		if id, suffix, ok := splitName(string(name)); ok && suffix == suffixMessage {
			ids = append(ids, id)
		}
		b = b[end:]
	}
	return ids, nil
}
