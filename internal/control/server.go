package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// Server answers on the control socket.
type Server struct {
	// Queue is the agent's own.
	Queue *Local
	// Metrics returns the metrics in Prometheus' text format; nil for none.
	Metrics func() []byte
	// Token gives access tokens; nil for none.
	Token TokenSource
	// ServiceUID is the user that may do everything besides root; the zero value means the
	// user that the agent runs as.
	ServiceUID int

	peer  func(net.Conn) (int, error) // for tests
	scans chan struct{}
	own   keyed // a user's scans, one after another
	http  *http.Server
}

// The deadlines. Writing has one for each piece, so that a long list may take its time but
// a stopped reader does not keep anything.
const (
	readWait  = 10 * time.Second
	writeWait = 20 * time.Second
	idleWait  = 30 * time.Second
	// maxQuery bounds a request's head, where up to thousands of ids stand.
	maxQuery = 256 << 10
	// maxScans is how many lists of users without rights are read at once.
	maxScans = 2
)

// Serve answers until Close, and then returns nil.
func (s *Server) Serve(l net.Listener) error {
	if s.http == nil {
		s.prepare()
	}
	err := s.http.Serve(&guard{Listener: l, peer: s.peer, all: s.all})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// NewServer returns a server that is ready for Serve.
func NewServer(q *Local, metrics func() []byte) *Server {
	s := &Server{Queue: q, Metrics: metrics}
	s.prepare()
	return s
}

// NewMetricsServer returns a server of /metrics and nothing else. peer returns the user who connected, or -1.
func NewMetricsServer(metrics func() []byte, peer func(net.Conn) (uid int, err error)) *Server {
	s := &Server{Metrics: metrics, peer: peer}
	s.prepare()
	s.http.Handler = busy(s.onlyMetrics)
	s.http.WriteTimeout, s.http.MaxHeaderBytes = readWait+writeWait, 16<<10
	return s
}

func (s *Server) onlyMetrics(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/metrics":
		http.Error(w, "there is nothing here but /metrics", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "/metrics needs the method GET", http.StatusMethodNotAllowed)
	default:
		s.writeMetrics(w)
	}
}

func (s *Server) writeMetrics(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(s.Metrics()) // a reader that is gone needs no answer
}

func (s *Server) prepare() {
	if s.peer == nil {
		s.peer = peerUID
	}
	if s.ServiceUID == 0 {
		s.ServiceUID = os.Geteuid()
	}
	s.scans = make(chan struct{}, maxScans)
	s.http = &http.Server{
		Handler:           busy(s.handle),
		ReadHeaderTimeout: readWait,
		ReadTimeout:       readWait,
		IdleTimeout:       idleWait,
		MaxHeaderBytes:    maxQuery,
		ErrorLog:          silent(),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
}

// Close ends all connections.
func (s *Server) Close() error { return s.http.Close() }

func (s *Server) all(uid int) bool { return uid == 0 || uid == s.ServiceUID }

type connKey struct{}

func (s *Server) viewer(r *http.Request) Viewer {
	uid := -1
	if c, ok := r.Context().Value(connKey{}).(*guarded); ok {
		uid = c.uid
	}
	return Viewer{UID: uid, All: s.all(uid)}
}

// busy marks a connection while a request is answered.
func busy(handle http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*guarded); ok {
			c.answering(true)
			defer c.answering(false)
		}
		handle(w, r)
	})
}

// handle finds the way by hand: a mux would answer an odd path with a redirect.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	v := s.viewer(r)
	a := &answer{w: w, rc: http.NewResponseController(w), queue: s.Queue.As(v), viewer: v, s: s}
	a.scan = scan{s: s, ctx: r.Context(), viewer: v}
	a.moreTime()
	w.Header().Set("Cache-Control", "no-store")
	if r.ContentLength != 0 {
		// What there is to say stands in the path and the query: nobody waits for a body.
		w.Header().Set("Connection", "close")
		a.fail(http.StatusRequestEntityTooLarge, sysexits.With(sysexits.Protocol, errors.New("a request has no body")))
		return
	}
	// The request is read; the deadline for that must not end a long answer.
	_ = a.rc.SetReadDeadline(time.Time{})
	a.route(r)
}

// answer is one request being answered.
type answer struct {
	w      http.ResponseWriter
	rc     *http.ResponseController
	queue  *Local
	viewer Viewer
	s      *Server
	scan   scan
}

func (a *answer) moreTime() { _ = a.rc.SetWriteDeadline(time.Now().Add(writeWait)) }

func (a *answer) route(r *http.Request) {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if len(path) > 3 && path[0] == "v1" && path[1] == "host" {
		if err := a.ask(r, path[2], "/v1/"+strings.Join(path[3:], "/")); err != nil {
			a.fail(statusOf(err), err)
		}
		return
	}
	var run func(*http.Request, []string) error
	method := http.MethodGet
	switch {
	case r.URL.Path == "/metrics":
		run = a.metrics
	case r.URL.Path == "/v1/status":
		run = a.status
	case r.URL.Path == "/v1/history":
		run = a.log
	case r.URL.Path == "/v1/stats":
		run = a.stats
	case r.URL.Path == "/v1/watch":
		run = a.watch
	case r.URL.Path == "/v1/fleet":
		run = a.fleet
	case r.URL.Path == "/v1/reload":
		run, method = a.reload, http.MethodPost
	case r.URL.Path == "/v1/token":
		run, method = a.token, http.MethodPost
	case r.URL.Path == "/v1/flush", r.URL.Path == "/v1/flush/ask":
		run, method = a.flush, http.MethodPost
	case len(path) < 2 || path[0] != "v1" || path[1] != "queue" || len(path) > 4:
	case len(path) == 2:
		run = a.list
	case len(path) == 3:
		run = a.show
	case path[3] == "content":
		run = a.content
	case path[3] == "redirect":
		run, method = a.redirect, http.MethodPost
	case Action(path[3]).Known():
		run, method = a.apply, http.MethodPost
	}
	switch {
	case run == nil:
		a.fail(http.StatusNotFound, sysexits.With(sysexits.Protocol,
			errors.New("the agent does not know this request")))
		return
	case r.Method != method:
		a.fail(http.StatusMethodNotAllowed, sysexits.With(sysexits.Protocol,
			errors.New("this request needs the method "+method)))
		return
	}
	if err := run(r, path); err != nil {
		a.fail(statusOf(err), err)
	}
}

func statusOf(err error) int {
	switch sysexits.Code(err, sysexits.IOErr) {
	case sysexits.Usage:
		return http.StatusBadRequest
	case sysexits.NoPerm:
		return http.StatusForbidden
	case sysexits.NoInput:
		return http.StatusNotFound
	case sysexits.DataErr, sysexits.TempFail:
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

// fail tells an error instead of an answer.
func (a *answer) fail(status int, err error) {
	a.w.Header().Set("Content-Type", "application/json")
	a.w.WriteHeader(status)
	_ = json.NewEncoder(a.w).Encode(endOf(err))
}

func (a *answer) reply(v any) error {
	a.w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(a.w).Encode(v) // a reader that is gone needs no answer
	return nil
}

func (a *answer) metrics(*http.Request, []string) error {
	if a.s.Metrics == nil {
		return sysexits.With(sysexits.NoInput, errors.New("the agent has no metrics"))
	}
	a.s.writeMetrics(a.w)
	return nil
}

func (a *answer) status(r *http.Request, _ []string) error {
	st, err := a.queue.Status(r.Context())
	if err != nil {
		return err
	}
	return a.reply(st)
}

// reloaded is the answer to a reload.
type reloaded struct {
	Config string `json:"config"` // the file that was read
}

func (a *answer) reload(r *http.Request, _ []string) error {
	path, err := a.queue.Reload(r.Context())
	if err != nil {
		return err
	}
	return a.reply(reloaded{path})
}

func (a *answer) filter(r *http.Request) (queueview.Filter, error) {
	f, err := queueview.ParseQuery(r.URL.RawQuery)
	return f, sysexits.With(sysexits.Usage, err)
}

func (a *answer) flush(r *http.Request, _ []string) error {
	f, err := a.filter(r)
	if err != nil {
		return err
	}
	if err := a.scan.take(); err != nil {
		return err
	}
	defer a.scan.give()
	a.patience()
	flushed, err := a.queue.Flush(r.Context(), f, strings.HasSuffix(r.URL.Path, "/ask"))
	if err != nil {
		return err
	}
	return a.reply(flushed)
}

// patience is for an answer that comes only after the whole queue was gone through.
func (a *answer) patience() { _ = a.rc.SetWriteDeadline(time.Now().Add(10 * time.Minute)) }

func (a *answer) list(r *http.Request, _ []string) error {
	f, err := a.filter(r)
	if err != nil {
		return err
	}
	if err := a.scan.take(); err != nil {
		return err
	}
	defer a.scan.give()
	out := a.stream()
	of, err := a.queue.List(r.Context(), f, func(m *queueview.Message) error { return out.line(m) })
	e := endOf(err)
	e.Of = of
	return out.end(e)
}

func (a *answer) apply(r *http.Request, path []string) error {
	f, err := a.filter(r)
	if err != nil {
		return err
	}
	switch id := path[2]; {
	case id != "all" && !spool.ValidID(id):
		return coded(spool.ErrBadID)
	case id != "all":
		f = queueview.Filter{IDs: []string{id}}
	}
	if err := a.scan.take(); err != nil {
		return err
	}
	defer a.scan.give()
	out := a.stream()
	return out.close(a.queue.Apply(r.Context(), Action(path[3]), f, func(res Result) error { return out.line(res) }))
}

// redirect reads its query strictly: what it does not know might change what is meant.
func (a *answer) redirect(r *http.Request, path []string) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	to, dry := q["to"], q.Has("dry")
	if delete(q, "to"); err != nil || len(q) > 1 || len(q) == 1 && q.Get("dry") != "1" {
		return usage(errors.New("the query can't be read"))
	}
	done, err := a.queue.Redirect(r.Context(), path[2], to, dry)
	if err != nil {
		return err
	}
	return a.reply(done)
}

func (a *answer) show(r *http.Request, path []string) error {
	d, err := a.queue.Show(r.Context(), path[2])
	if err != nil {
		return err
	}
	return a.reply(d)
}

func (a *answer) content(r *http.Request, path []string) error {
	d, err := a.queue.Show(r.Context(), path[2])
	if err != nil {
		return err
	}
	c, err := a.queue.Content(r.Context(), path[2])
	if err != nil {
		return err
	}
	defer c.Close()
	a.w.Header().Set("Content-Type", "application/octet-stream")
	a.w.Header().Set("Content-Length", strconv.FormatInt(d.Size, 10))
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		a.moreTime()
		if _, err := a.w.Write(buf[:n]); err != nil {
			return nil // the reader is gone
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the reader must not take the piece for the whole
		}
	}
}
