package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"time"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// Event is something that Watch tells: one of these.
type Event struct {
	// Message came, or has changed. It is the hearer's.
	Message *queueview.Message `json:"message,omitempty"`
	// Gone is the id of a message that the filter does not choose any more.
	Gone string `json:"gone,omitempty"`
	// Status comes first, again when all messages were told, and then every few seconds.
	Status *queueview.Status `json:"status,omitempty"`
}

const (
	// beat is how often a watch tells the status.
	beat = 5 * time.Second
	// lostBeat is after what time without any event the agent counts as stopped.
	lostBeat = 4 * beat
)

// Watch is in Queue.
func (l *Local) Watch(ctx context.Context, f queueview.Filter, fn func(*Event) error) error {
	if f.Failed || f.IDs != nil {
		return usage(errors.New("what is watched is the queue, with filters and without ids"))
	}
	w, err := l.spool.Watch()
	if err != nil {
		return sysexits.With(sysexits.TempFail, err)
	}
	defer w.Close()
	status := func() (st queueview.Status, err error) {
		if st, err = l.Status(ctx); err == nil {
			err = fn(&Event{Status: &st})
		}
		return st, err
	}
	st, err := status()
	if err != nil {
		return err
	}
	c, shown := l.chooser(f), map[string]struct{}{}
	_, err = l.List(ctx, f, func(m *queueview.Message) error {
		shown[m.ID] = struct{}{}
		own := *m
		own.Recipients = append([]queueview.Recipient(nil), m.Recipients...)
		return fn(&Event{Message: &own})
	})
	for told := (time.Time{}); err == nil; {
		if now := time.Now(); now.Sub(told) >= beat {
			stops := st.Stops
			if st, err = status(); err != nil || !reflect.DeepEqual(stops, st.Stops) && f.NeedsWhy() {
				return err // other messages are chosen now
			}
			told, c.stops = now, l.senderStops()
		}
		var ids []string
		if ids, err = w.Next(ctx, beat); errors.Is(err, spool.ErrMissed) {
			return nil
		}
		for _, id := range ids {
			if e := c.event(id, shown); e != nil && err == nil {
				err = fn(e)
			}
		}
	}
	return err
}

// event is what a change of a message means to the viewer, nil for nothing.
func (c *chooser) event(id string, shown map[string]struct{}) *Event {
	info, err := c.l.get(id)
	if err != nil || info.Failed || !c.takes(&info) {
		_, was := shown[id]
		delete(shown, id)
		if !was {
			return nil
		}
		return &Event{Gone: id}
	}
	m := new(queueview.Message)
	c.l.view(&info, m, &c.stops)
	shown[id] = struct{}{}
	return &Event{Message: m}
}

func (a *answer) watch(r *http.Request, _ []string) error {
	f, err := a.filter(r)
	if err != nil {
		return err
	}
	if err := a.scan.take(); err != nil {
		return err
	}
	defer a.scan.give()
	out, listed := a.stream(), 0
	return out.close(a.queue.Watch(r.Context(), f, func(e *Event) error {
		if err := out.line(e); err != nil || e.Status == nil && listed < 2 {
			return err
		}
		if e.Status != nil {
			listed++
		}
		if listed > 1 {
			a.scan.give()
		}
		a.moreTime()
		return errors.Join(out.w.Flush(), a.rc.Flush())
	}))
}

// Watch is in Queue.
func (c *Client) Watch(ctx context.Context, f queueview.Filter, fn func(*Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(lostBeat, func() { cancel(errSilent) })
	defer silent.Stop()
	body, err := c.do(ctx, http.MethodGet, "/v1/watch", f)
	if err == nil {
		defer body.Close()
		err = c.lines(body, func(b []byte) (bool, error) {
			silent.Reset(lostBeat)
			var l struct {
				Event
				end
			}
			if err := json.Unmarshal(b, &l); err != nil {
				return false, c.broken(err)
			}
			if l.End {
				return true, l.err()
			}
			return false, fn(&l.Event)
		})
	}
	if context.Cause(ctx) == errSilent {
		return c.silent()
	}
	return err
}

var errSilent = errors.New("nothing was heard for too long")
