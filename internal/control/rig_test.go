package control

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

const (
	serviceUID = 990
	alice      = 1001
	bob        = 1002
)

const hello = "From: a@example.com\r\nSubject: hello\r\n\r\nhello\r\n"

// text is a message in memory.
type text string

func (m text) Size() int64                  { return int64(len(m)) }
func (m text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(m))), nil }

func withoutSync() *durable.Ops {
	o := *durable.System
	o.Sync = func(*os.File) error { return nil }
	o.Datasync = o.Sync
	return &o
}

// rig is a spool with an agent's control servers.
type rig struct {
	t     testing.TB
	dir   string
	spool *spool.Spool
	local *Local
	woken []string
	state queueview.Status
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, dir: t.TempDir()}
	s, err := spool.Open(spool.Options{Dir: filepath.Join(r.dir, "spool"), Ops: withoutSync(),
		Limits: spool.Limits{MaxMessages: 1 << 20, MaxBytes: 1 << 40}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r.spool = s
	r.local = NewLocal(s, Hooks{
		Status: func() queueview.Status { return r.state },
		Wake:   func(id string) { r.woken = append(r.woken, id) },
	})
	return r
}

func (r *rig) put(uid int, sender string, to ...string) string {
	r.t.Helper()
	env := &envelope.Envelope{Sender: sender}
	for _, a := range to {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: a})
	}
	id, err := r.spool.Put(context.Background(), spool.Meta{UID: uid, Origin: "test"}, env, text(hello))
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// claim does something to a message as a deliverer would.
func (r *rig) claim(id string, fn func(*spool.Item) error) {
	r.t.Helper()
	it, err := r.spool.Claim(id)
	if err == nil {
		err = fn(it)
		it.Unlock()
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// as returns a client whom the kernel calls uid.
func (r *rig) as(uid int, change ...func(*Server)) *Client {
	r.t.Helper()
	dir, err := os.MkdirTemp("", "control") // a socket's path must be short
	if err != nil {
		r.t.Fatal(err)
	}
	path := filepath.Join(dir, SocketName)
	s := &Server{Queue: r.local, ServiceUID: serviceUID, peer: func(net.Conn) (int, error) { return uid, nil }}
	for _, c := range change {
		c(s)
	}
	l, err := Listen(path)
	if err != nil {
		r.t.Fatal(err)
	}
	s.prepare()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	c, err := Connect(context.Background(), path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = c.Close()
		_ = s.Close()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return c
}

func list(t testing.TB, q Queue, f queueview.Filter) []queueview.Message {
	t.Helper()
	var all []queueview.Message
	_, err := q.List(context.Background(), f, func(m *queueview.Message) error {
		c := *m
		c.Recipients = append([]queueview.Recipient(nil), m.Recipients...)
		all = append(all, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func ids(all []queueview.Message) string {
	var s []string
	for _, m := range all {
		s = append(s, m.ID)
	}
	return strings.Join(s, " ")
}

func apply(t testing.TB, q Queue, a Action, f queueview.Filter) []Result {
	t.Helper()
	var all []Result
	err := q.Apply(context.Background(), a, f, func(r Result) error { all = append(all, r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantCode(t testing.TB, err error, code int) {
	t.Helper()
	if got := sysexits.Code(err, -1); got != code {
		t.Errorf("exit code %d of %v, want %d", got, err, code)
	}
}

var later = time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
