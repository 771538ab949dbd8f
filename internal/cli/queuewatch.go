package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

const (
	redraw    = time.Second      // between two screens at least
	freshAges = 10 * time.Second // between two screens at most
	againIn   = 2 * time.Second  // an agent that does not answer is asked again
	// drawShare is how many times as long as it takes to draw a screen passes before the next: a long queue takes
	// its time.
	drawShare = 60
)

// watcher shows the queue until it is interrupted.
type watcher struct {
	r      *queueRunner
	screen bool // draws; else writes lines
	out    bytes.Buffer

	mu    sync.Mutex
	board queueview.Board
	note  string // why nothing is heard
	gone  error  // of standard output
}

// watch tells what changes in the queue.
func (r *queueRunner) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watcher{r: r, screen: isTerminal(r.env.Stdout)}
	var drawn sync.WaitGroup
	if w.screen {
		drawn.Go(func() { w.draw(ctx, cancel) })
	} else {
		w.board.Changes = &w.out
	}
	err := w.follow(ctx, cancel)
	cancel()
	drawn.Wait()
	if w.gone != nil {
		return readerGone(w.gone)
	}
	return err
}

// follow hears the queue, again and again if it breaks off.
func (w *watcher) follow(ctx context.Context, cancel func()) error {
	for heard := false; ; {
		err := w.r.queue.Watch(ctx, w.r.args.filter, func(e *control.Event) error {
			heard = true
			w.hear(e, cancel)
			return nil
		})
		switch {
		case ctx.Err() != nil:
			return nil // it was interrupted, as it always ends
		case err != nil && (!heard || sysexits.Code(err, 0) != sysexits.TempFail):
			return err
		}
		w.mu.Lock()
		w.board.Reset()
		if told := w.note != ""; err != nil {
			w.note = err.Error() + "; asking again"
			if !w.screen && !told {
				w.r.env.errorf("o365-sendmail", "%s", w.note)
			}
		}
		w.mu.Unlock()
		select {
		case <-time.After(againIn):
		case <-ctx.Done():
		}
	}
}

func (w *watcher) hear(e *control.Event, cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.r.env.Now()
	w.note = ""
	switch {
	case e.Message != nil:
		w.board.Message(e.Message, now)
	case e.Status != nil:
		w.board.Status(*e.Status, now)
	default:
		w.board.Gone(e.Gone, now)
	}
	if w.out.Len() > 0 {
		if _, w.gone = w.out.WriteTo(w.r.env.Stdout); w.gone != nil {
			cancel()
		}
	}
}

// draw draws the screen when something has changed, and from time to time because ages change.
func (w *watcher) draw(ctx context.Context, cancel func()) {
	user := func(uid int) string { return host.UserByID(uid).Name }
	for last, wait := (time.Time{}), redraw; ; {
		select {
		case <-ctx.Done():
			fmt.Fprintln(w.r.env.Stdout)
			return
		case <-time.After(wait):
		}
		now, start := w.r.env.Now(), time.Now()
		w.mu.Lock()
		if w.board.Changed() || now.Sub(last) >= freshAges || w.note != "" {
			last = now
			var b bytes.Buffer
			width, color := screen(w.r.env.Stdout, w.r.env.Getenv)
			_ = w.board.Draw(&b, now, width, height(w.r.env.Stdout)-1, color, user)
			if w.note != "" {
				b.WriteString("\n" + printable.Cut(printable.Line(w.note), max(width-1, 40)))
			}
			// What was there is written over, line by line: nothing flickers.
			text := "\x1b[H" + strings.ReplaceAll(b.String(), "\n", "\x1b[K\n") + "\x1b[K\x1b[J"
			if _, w.gone = io.WriteString(w.r.env.Stdout, text); w.gone != nil {
				cancel()
			}
		}
		w.mu.Unlock()
		wait = max(redraw, drawShare*time.Since(start))
	}
}

// height returns the rows of the terminal that w is, 1 if it is none or does not say.
func height(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if raw, err := f.SyscallConn(); err == nil {
			rows := 0
			err = raw.Control(func(fd uintptr) {
				if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
					rows = int(size.Row)
				}
			})
			if err == nil && rows > 0 {
				return rows
			}
		}
	}
	return 1
}
