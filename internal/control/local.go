package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// Hooks tie a queue to the engine that delivers it. Each may be nil.
type Hooks struct {
	// Status says what keeps mail back; the sizes are filled in here.
	Status func() queueview.Status
	// Wake tells the engine that a message has changed and may be due.
	Wake func(id string)
	// RetryFloor is the least time between two tries of a message that its owner asks for; nil means none.
	RetryFloor func() time.Duration
	// Flush tries the messages of the filter now, as Queue's; nil means that each is made due.
	Flush func(ctx context.Context, f queueview.Filter, ask bool) (Flushed, error)
	// Note writes a line about a message into the log.
	Note func(id, text string)
	// History returns the folder of the history; "" where none is kept.
	History func() string
	// Reload reads the configuration again, and returns its path when that is done. It fails when the one
	// before stays in force.
	Reload func(ctx context.Context) (path string, err error)
	// Fleet says how the fleet is, with probe also whether things expire there, and Ask has the agent of another of its hosts answer a request, in parts. Both
	// are nil without a fleet.
	Fleet func(ctx context.Context, probe bool) (queueview.Fleet, error)
	Ask   func(ctx context.Context, host string, request []byte, part func([]byte) error) error
}

// Local is a queue whose spool this process can read.
type Local struct {
	spool  *spool.Spool
	hooks  Hooks
	viewer Viewer
}

// NewLocal returns the queue for a viewer who may do everything.
func NewLocal(s *spool.Spool, h Hooks) *Local {
	return &Local{spool: s, hooks: h, viewer: Viewer{UID: os.Geteuid(), All: true}}
}

// As returns the queue as another viewer may use it.
func (l *Local) As(v Viewer) *Local {
	as := *l
	as.viewer = v
	return &as
}

// Close leaves the spool open: it is the caller's.
func (l *Local) Close() error { return nil }

func (l *Local) state() queueview.Status {
	if l.hooks.Status == nil {
		return queueview.Status{}
	}
	return l.hooks.Status()
}

// Status is in Queue.
func (l *Local) Status(context.Context) (queueview.Status, error) {
	st := l.state()
	if !l.viewer.All {
		return st.Harmless(), nil
	}
	size, err := l.spool.Stats()
	if err != nil {
		return st, sysexits.With(sysexits.IOErr, err)
	}
	st.Messages, st.Bytes, st.Failed = size.Messages, size.Bytes, size.Failed
	return st, nil
}

// Reload has the agent read its configuration again, and returns its path when that is done.
func (l *Local) Reload(ctx context.Context) (path string, err error) {
	if !l.viewer.All {
		return "", errAdmin("reload")
	}
	if l.hooks.Reload == nil {
		return "", sysexits.With(sysexits.NoInput,
			errors.New("there is no agent that could read its configuration again"))
	}
	return l.hooks.Reload(ctx)
}

// List is in Queue.
func (l *Local) List(ctx context.Context, f queueview.Filter, fn func(*queueview.Message) error) (of int, err error) {
	if err := f.Check(); err != nil {
		return 0, usage(err)
	}
	c := l.chooser(f)
	return l.each(ctx, f, func(info *spool.Info) error {
		if !c.takes(info) {
			return nil
		}
		if !c.viewed {
			l.view(info, &c.m, &c.stops)
		}
		return fn(&c.m)
	})
}

// chooser judges messages by a filter.
type chooser struct {
	l       *Local
	f       queueview.Filter
	stops   queueview.Status
	explain queueview.Explainer
	m       queueview.Message
	viewed  bool // m is the message that was judged last
}

func (l *Local) chooser(f queueview.Filter) *chooser {
	c := &chooser{l: l, f: f, stops: l.senderStops(), explain: queueview.Explainer{Status: l.state()}}
	if !l.viewer.All {
		c.explain.Status = c.explain.Status.Harmless()
	}
	return c
}

func (c *chooser) takes(info *spool.Info) bool {
	c.viewed = false
	if !c.f.Match(info) || !c.f.NeedsWhy() {
		return c.f.Match(info)
	}
	c.l.view(info, &c.m, &c.stops)
	c.viewed = true
	return c.f.MatchWhy(&c.m, &c.explain)
}

// each calls fn for what the viewer may see where the filter looks, and counts it.
func (l *Local) each(ctx context.Context, f queueview.Filter, fn func(*spool.Info) error) (of int, err error) {
	if !l.viewer.All && noOwner(l.viewer.UID) {
		return 0, nil
	}
	if f.IDs != nil {
		for _, id := range f.IDs {
			info, err := l.get(id)
			if err == nil {
				err = fn(&info)
			}
			if err != nil {
				return of, fmt.Errorf("%s: %w", id, err)
			}
			of++
		}
		return of, nil
	}
	list := l.spool.List
	if f.Failed {
		list = l.spool.ListFailed
	}
	var failed error
	err = list(ctx, func(info spool.Info) bool {
		if l.viewer.All || info.Err == nil && l.viewer.owns(info.Meta.UID) {
			of++
			failed = fn(&info)
		}
		return failed == nil
	})
	if failed != nil {
		return of, failed
	}
	return of, sysexits.With(sysexits.IOErr, err)
}

// get returns a message that the viewer may see. Another's is not told from one that isn't there.
func (l *Local) get(id string) (spool.Info, error) {
	info, err := l.spool.Get(id)
	switch {
	case errors.Is(err, spool.ErrBadID), errors.Is(err, spool.ErrGone):
		return info, coded(err)
	case l.viewer.All:
		return info, nil // a damaged file is shown as such
	case err != nil || !l.viewer.owns(info.Meta.UID):
		return info, coded(spool.ErrGone)
	}
	return info, nil
}

// senderStops is the status with only those stops that concern one sender or one user, which are told
// with their messages.
func (l *Local) senderStops() queueview.Status {
	st := l.state()
	all := st.Stops
	st.Stops = nil
	for _, s := range all {
		if s.Sender == "" && s.UID == nil {
			continue
		}
		if !l.viewer.All {
			s = s.Harmless()
		}
		st.Stops = append(st.Stops, s)
	}
	return st
}

func (l *Local) view(info *spool.Info, m *queueview.Message, st *queueview.Status) {
	queueview.FromSpool(info, m)
	if !l.viewer.All {
		m.Reason = queueview.WithoutPaths(m.Reason)
	}
	for i := range st.Stops {
		if st.Stops[i].Covers(m, st.Mailbox) {
			m.Stop = &st.Stops[i]
		}
	}
}

// Show is in Queue.
func (l *Local) Show(_ context.Context, id string) (*queueview.Detail, error) {
	info, err := l.get(id)
	if err != nil {
		return nil, err
	}
	var d queueview.Detail
	st := l.senderStops()
	l.view(&info, &d.Message, &st)
	d.EnvID, d.Ret = info.Envelope.EnvID, info.Envelope.Ret
	log, err := l.spool.ReadLog(id)
	if err != nil {
		return nil, coded(err)
	}
	d.Log = string(log)
	if !l.viewer.All {
		d.Log = queueview.WithoutPaths(d.Log)
	}
	return &d, nil
}

// Content is in Queue.
func (l *Local) Content(_ context.Context, id string) (io.ReadCloser, error) {
	if _, err := l.get(id); err != nil {
		return nil, err
	}
	r, err := l.spool.OpenContent(id)
	return r, coded(err)
}

// Apply is in Queue.
func (l *Local) Apply(ctx context.Context, a Action, f queueview.Filter, fn func(Result) error) error {
	if err := f.Check(); err != nil {
		return usage(err)
	}
	if !a.Known() {
		return usage(fmt.Errorf("%.32q is no action", a))
	}
	if !l.viewer.All && (a == Hold || a == Release) {
		return errAdmin(string(a))
	}
	ids, err := l.choose(ctx, f)
	if err != nil {
		return err
	}
	err = l.applyAll(ctx, a, ids, fn)
	// The removals are made durable once for all of them.
	return errors.Join(err, sysexits.With(sysexits.IOErr, l.spool.Sync()))
}

func (l *Local) applyAll(ctx context.Context, a Action, ids []string, fn func(Result) error) error {
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return sysexits.With(sysexits.TempFail, err)
		}
		r := Result{ID: id}
		if err := l.apply(a, id); err != nil {
			r.Error, r.Code = err.Error(), sysexits.Code(err, sysexits.IOErr)
			if errors.Is(err, spool.ErrDamaged) {
				r.Error += "; it is kept in the spool's folder failed; to remove it: o365-sendmail queue delete --failed " + id
			}
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// choose returns the ids first, so that a message that comes back while it is retried is
// not met twice.
func (l *Local) choose(ctx context.Context, f queueview.Filter) ([]string, error) {
	if f.IDs != nil {
		return f.IDs, nil // each is judged by itself
	}
	var ids []string
	c := l.chooser(f)
	_, err := l.each(ctx, f, func(info *spool.Info) error {
		if c.takes(info) {
			ids = append(ids, info.ID)
		}
		return nil
	})
	return ids, err
}

func (l *Local) apply(a Action, id string) error {
	info, err := l.get(id)
	if err != nil {
		return err
	}
	switch a {
	case Delete:
		err := l.remove(&info)
		if err == nil {
			l.note(id, fmt.Sprintf("deleted by uid %d", l.viewer.UID))
		}
		return coded(err)
	case Retry:
		return l.retry(&info)
	}
	if info.Failed {
		return sysexits.With(sysexits.DataErr, errors.New("the message was given up; retry brings it back"))
	}
	it, err := l.spool.Claim(id)
	if err != nil {
		return coded(err)
	}
	if a == Hold {
		err = it.Hold("")
	} else {
		err = it.Release()
	}
	it.Unlock()
	l.wake(id)
	return coded(err)
}

func (l *Local) remove(info *spool.Info) error {
	if info.Failed || info.Err != nil {
		return l.spool.Remove(info.ID)
	}
	it, err := l.spool.Claim(info.ID)
	if err != nil {
		return err
	}
	defer it.Unlock()
	return it.Delete()
}

func (l *Local) retry(info *spool.Info) error {
	if info.Meta.HeldBack(&info.Status) && !info.Failed {
		return sysexits.With(sysexits.DataErr, errors.New("the message is held back by an administrator; "+
			"release it first"))
	}
	var floor time.Duration
	if !l.viewer.All && l.hooks.RetryFloor != nil {
		floor = l.hooks.RetryFloor()
	}
	if err := l.spool.Retry(info.ID, floor); err != nil {
		return coded(err)
	}
	l.wake(info.ID)
	return nil
}

func (l *Local) note(id, text string) {
	if l.hooks.Note != nil {
		l.hooks.Note(id, text)
	}
}

// maxRedirect bounds the recipients of a redirected message, and the length of an address in bytes (RFC 5321 4.5.3.1).
const maxRedirect = 256

// Redirect is in Queue.
func (l *Local) Redirect(ctx context.Context, id string, to []string, dry bool) (r Redirected, err error) {
	if !l.viewer.All {
		return r, errAdmin("redirect")
	}
	if len(to) == 0 || len(to) > maxRedirect {
		return r, usage(fmt.Errorf("a message is redirected to 1 to %d recipients", maxRedirect))
	}
	for _, address := range to {
		if a, err := rfc822.ParseAddress(address); err != nil || a.Domain == "" || a.Addr() != address ||
			len(address) > maxRedirect || !printable.IsASCII(a.Domain) {
			return r, usage(fmt.Errorf("%.128q is no address to redirect to", address))
		}
	}
	if _, err := l.get(id); err != nil {
		return r, err
	}
	r = Redirected{ID: id, To: to}
	why := fmt.Sprintf("redirected to %s by uid %d", strings.Join(to, ", "), l.viewer.UID)
	if r.From, err = l.spool.Redirect(ctx, id, to, why, dry); err != nil || dry {
		if errors.Is(err, spool.ErrHasIt) {
			return r, sysexits.With(sysexits.DataErr, err)
		}
		return r, coded(err)
	}
	l.note(id, why+", in place of "+printable.Cut(strings.Join(r.From, ", "), 1000))
	l.wake(id)
	return r, nil
}

func (l *Local) wake(id string) {
	if l.hooks.Wake != nil {
		l.hooks.Wake(id)
	}
}

// Flush is in Queue.
func (l *Local) Flush(ctx context.Context, f queueview.Filter, ask bool) (done Flushed, err error) {
	if err := f.Check(); err != nil {
		return done, usage(err)
	}
	if f.Failed || f.Held {
		return done, usage(errors.New("a flush is for the queue alone: retry what was given up, release what is held"))
	}
	if !f.Plain() {
		return done, usage(errors.New("a flush chooses by ids, sender, recipient and user alone; retry takes every filter"))
	}
	if l.viewer.All && l.hooks.Flush != nil {
		return l.hooks.Flush(ctx, f, ask)
	}
	ids, err := l.choose(ctx, f)
	if err != nil {
		return done, err
	}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return done, sysexits.With(sysexits.TempFail, err)
		}
		err := l.apply(Retry, id)
		if f.IDs != nil && err != nil && sysexits.Code(err, 0) == sysexits.NoInput {
			return done, fmt.Errorf("%s: %w", id, err)
		}
		if err == nil {
			done.Messages++
		}
	}
	return done, nil
}

// coded gives the spool's errors their exit codes.
func coded(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, spool.ErrBadID):
		return usage(err)
	case errors.Is(err, spool.ErrGone):
		return sysexits.With(sysexits.NoInput, err)
	case errors.Is(err, spool.ErrBusy):
		return sysexits.With(sysexits.TempFail, errors.New("the message is being delivered right now"))
	case errors.Is(err, spool.ErrDamaged), errors.Is(err, spool.ErrNewer):
		return sysexits.With(sysexits.DataErr, err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return sysexits.With(sysexits.NoPerm, err)
	}
	return sysexits.With(sysexits.IOErr, err)
}
