package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"o365-sendmail/internal/sysexits"
)

var errNoFleet = sysexits.With(sysexits.Config,
	errors.New("this host is in no fleet: its configuration has no fleet.servers"))

func (a *answer) fleet(r *http.Request, _ []string) error {
	switch {
	case !a.viewer.All:
		return errAdmin("the fleet")
	case a.queue.hooks.Fleet == nil:
		return errNoFleet
	}
	f, err := a.queue.hooks.Fleet(r.Context(), r.URL.RawQuery == "probe=1")
	if err != nil {
		return err
	}
	return a.reply(f)
}

// ask hands a request to another host's agent and its answer back.
func (a *answer) ask(r *http.Request, host, path string) error {
	switch {
	case !a.viewer.All:
		return errAdmin("mail of other hosts")
	case a.queue.hooks.Ask == nil:
		return errNoFleet
	case !forOthers(r.Method, path):
		return sysexits.With(sysexits.Usage, errors.New("that can only be asked on the host itself"))
	}
	begun := false
	err := a.queue.hooks.Ask(r.Context(), host, []byte(r.Method+" "+path+"?"+r.URL.RawQuery), func(part []byte) error {
		a.moreTime()
		if !begun {
			status, rest, _ := bytes.Cut(part, []byte("\n"))
			code, err := strconv.Atoi(string(status))
			if err != nil || code < 200 || code > 599 {
				return errors.New("its answer can't be read")
			}
			begun, part = true, rest
			a.w.Header().Set("Content-Type", "application/json")
			a.w.WriteHeader(code)
		}
		_, err := a.w.Write(part)
		return err
	})
	switch {
	case err != nil && begun:
		panic(http.ErrAbortHandler) // the reader must not take the piece for the whole
	case err != nil:
		return sysexits.With(sysexits.TempFail, err)
	}
	return nil
}

// forOthers reports whether another host of the fleet may be asked for that: its queue is shown, and messages are
// tried, held, released and deleted. Texts of messages, tokens and the configuration stay on their host.
func forOthers(method, path string) bool {
	p := strings.Split(path, "/") // "", v1, queue, ID, action
	switch {
	case path == "/v1/status", path == "/v1/queue":
		return method == http.MethodGet
	case len(p) < 4 || p[2] != "queue":
		return false
	case len(p) == 4:
		return method == http.MethodGet
	}
	return len(p) == 5 && method == http.MethodPost && slices.Contains([]Action{Retry, Hold, Release, Delete}, Action(p[4]))
}

// AnswerHost answers a request that another host's agent sent for its administrator.
func (s *Server) AnswerHost(ctx context.Context, request []byte, part func([]byte) error) error {
	method, target, _ := strings.Cut(string(request), " ")
	path, _, _ := strings.Cut(target, "?")
	if !forOthers(method, path) {
		return errors.New("another host may not ask for that")
	}
	r, err := http.NewRequestWithContext(ctx, method, target, http.NoBody)
	if err != nil {
		return errors.New("the request can't be read")
	}
	w := &remoteWriter{header: http.Header{}}
	w.out = bufio.NewWriterSize(partWriter(part), piece)
	v := Viewer{UID: -1, All: true}
	a := &answer{w: w, rc: http.NewResponseController(w), queue: s.Queue.As(v), viewer: v, s: s}
	a.scan = scan{s: s, ctx: ctx, viewer: v}
	a.route(r)
	w.WriteHeader(http.StatusOK)
	return w.out.Flush()
}

// remoteWriter writes an answer whose first line is its HTTP status.
type remoteWriter struct {
	header http.Header
	out    *bufio.Writer
	begun  bool
}

func (w *remoteWriter) Header() http.Header { return w.header }

func (w *remoteWriter) WriteHeader(code int) {
	if !w.begun {
		w.begun = true
		fmt.Fprintf(w.out, "%d\n", code)
	}
}

func (w *remoteWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(b)
}

type partWriter func([]byte) error

func (p partWriter) Write(b []byte) (int, error) { return len(b), p(b) }
