package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"o365-sendmail/internal/history"
	"o365-sendmail/internal/sysexits"
)

// History is what became of mail, as one viewer may see it, here (Past) or through the agent (Client). Errors carry
// an exit code.
type History interface {
	// Log calls fn for what the filter chooses, in the order in which it was written, until fn returns an error. The
	// entry is fn's only until it returns. With follow it begins with what comes from now on, unless the filter
	// says since when, and ends with ctx. It returns how many lines can't be read.
	Log(ctx context.Context, f history.Filter, follow bool, fn func(*history.Entry) error) (damaged int, err error)
	// Stats sums up the last days, of one user if uid is not nil.
	Stats(ctx context.Context, days int, uid *int) (*history.Stats, error)
	Close() error
}

// Past is a history that this process can read.
type Past struct {
	Dir    string
	Now    func() time.Time
	viewer Viewer
	round  func() error // after each look of a follower; may be nil
}

// NewPast returns the history in a folder for a viewer who may do everything.
func NewPast(dir string, now func() time.Time) *Past {
	return &Past{Dir: dir, Now: now, viewer: Viewer{All: true}}
}

// Close is in History.
func (p *Past) Close() error { return nil }

// lookEvery is how often a follower looks for what is new.
const lookEvery = time.Second

// own narrows a filter to what the viewer may see, and reports whether that can be anything.
func (p *Past) own(uid **int) bool {
	if p.viewer.All {
		return true
	}
	if noOwner(p.viewer.UID) || *uid != nil && **uid != p.viewer.UID {
		return false
	}
	*uid = &p.viewer.UID
	return true
}

// Log is in History.
func (p *Past) Log(ctx context.Context, f history.Filter, follow bool,
	fn func(*history.Entry) error) (damaged int, err error) {
	if err := f.Check(); err != nil {
		return 0, usage(err)
	}
	if !p.own(&f.UID) {
		fn = func(*history.Entry) error { return nil }
		f.Until = time.UnixMilli(1) // a follower hears nothing, and is not told so
	}
	r := history.NewReader(p.Dir)
	if follow && f.Since.IsZero() {
		if err := r.Skip(); err != nil {
			return 0, sysexits.With(sysexits.IOErr, err)
		}
	}
	for {
		err := r.Each(ctx, &f, fn)
		if err == nil && p.round != nil {
			err = p.round()
		}
		if err != nil || !follow {
			return r.Damaged, sysexits.With(sysexits.Code(err, sysexits.IOErr), err)
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return r.Damaged, nil
		}
	}
}

// maxDays is how far statistics go back.
const maxDays = 3650

// Stats is in History.
func (p *Past) Stats(ctx context.Context, days int, uid *int) (*history.Stats, error) {
	if days < 1 || days > maxDays {
		return nil, usage(fmt.Errorf("statistics are for 1 to %d days", maxDays))
	}
	dir := p.Dir
	if !p.own(&uid) {
		dir = ""
	}
	s, err := history.Sum(ctx, dir, days, uid, p.Now())
	return s, sysexits.With(sysexits.IOErr, err)
}

// NoHistory is the error where none is kept.
func NoHistory() error {
	return sysexits.With(sysexits.NoInput, errors.New("no history is kept: history.days is 0"))
}

// past is the history for a request.
func (a *answer) past() (*Past, error) {
	dir := ""
	if a.queue.hooks.History != nil {
		dir = a.queue.hooks.History()
	}
	if dir == "" {
		return nil, NoHistory()
	}
	return &Past{Dir: dir, Now: time.Now, viewer: a.viewer}, nil
}

// quietRounds is after how many looks without news a follower hears that the agent lives.
const quietRounds = 60

// quiet is what it hears, and the answer of a log that has damaged lines.
type quiet struct {
	Damaged int `json:"damaged,omitempty"`
}

func (a *answer) log(r *http.Request, _ []string) error {
	q := r.URL.Query()
	follow := q.Has("follow")
	q.Del("follow")
	f, err := history.ParseQuery(q.Encode())
	if err != nil {
		return usage(err)
	}
	p, err := a.past()
	if err == nil {
		err = a.scan.take()
	}
	if err != nil {
		return err
	}
	defer a.scan.give()
	out, silent := a.stream(), 0
	if follow {
		p.round = func() error {
			a.scan.give()
			if silent++; silent%quietRounds == 0 {
				_ = out.line(quiet{})
			}
			if out.w.Buffered() == 0 && silent > 1 {
				return nil
			}
			if err := out.w.Flush(); err != nil {
				return err
			}
			return a.rc.Flush()
		}
	}
	damaged, err := p.Log(r.Context(), f, follow, func(e *history.Entry) error { return out.line(e) })
	if damaged > 0 {
		_ = out.line(quiet{damaged})
	}
	return out.close(err)
}

func (a *answer) stats(r *http.Request, _ []string) error {
	q := r.URL.Query()
	days, err := strconv.Atoi(q.Get("days"))
	var uid *int
	if text := q.Get("uid"); text != "" && err == nil {
		uid = new(int)
		*uid, err = strconv.Atoi(text)
	}
	if err != nil {
		return usage(fmt.Errorf("the query can't be read: %w", err))
	}
	p, err := a.past()
	if err == nil {
		err = a.scan.take()
	}
	if err != nil {
		return err
	}
	defer a.scan.give()
	a.patience()
	s, err := p.Stats(r.Context(), days, uid)
	if err != nil {
		return err
	}
	return a.reply(s)
}

// Log is in History.
func (c *Client) Log(ctx context.Context, f history.Filter, follow bool,
	fn func(*history.Entry) error) (damaged int, err error) {
	q := f.Query()
	if follow {
		q.Set("follow", "1")
	}
	body, err := c.ask(ctx, http.MethodGet, "/v1/history", q)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	var e history.Entry
	type line struct {
		*history.Entry
		quiet
		End   bool   `json:"end"`
		Error string `json:"error"`
		Code  int    `json:"code"`
	}
	err = c.lines(body, func(b []byte) (bool, error) {
		e = history.Entry{}
		l := line{Entry: &e}
		if err := json.Unmarshal(b, &l); err != nil {
			return false, c.broken(err)
		}
		damaged += l.Damaged
		switch {
		case l.End:
			return true, end{Error: l.Error, Code: l.Code}.err()
		case e.Status == "":
			return false, nil
		}
		return false, fn(&e)
	})
	if follow && ctx.Err() != nil {
		err = nil // this is how a follower ends
	}
	return damaged, err
}

// Stats is in History.
func (c *Client) Stats(ctx context.Context, days int, uid *int) (*history.Stats, error) {
	q := url.Values{"days": {strconv.Itoa(days)}}
	if uid != nil {
		q.Set("uid", strconv.Itoa(*uid))
	}
	s := new(history.Stats)
	return s, c.answer(ctx, http.MethodGet, "/v1/stats", q, s)
}
