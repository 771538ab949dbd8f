package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/host"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// both runs a test on the spool itself and through the socket.
func both(t *testing.T, fn func(t *testing.T, r *rig, as func(uid int) Queue)) {
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		fn(t, r, func(uid int) Queue { return r.local.As(Viewer{UID: uid, All: uid == 0 || uid == serviceUID}) })
	})
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		fn(t, r, func(uid int) Queue { return r.as(uid) })
	})
}

func TestOnlyOwnMessages(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *rig, as func(int) Queue) {
		a, b, unknown, foreign := r.put(alice, "alice@example.com", "x@example.org"),
			r.put(bob, "bob@example.com", "y@example.org"), r.put(-1, "", "z@example.org"),
			r.put(65534, "n@example.com", "z@example.org")
		all := ids(list(t, r.local, queueview.Filter{}))
		zero, one := 0, alice
		nobodys := foreign
		if !host.KnowsAllUsers() {
			nobodys = "" // the kernel may mean anybody
		}
		for _, c := range []struct {
			uid  int
			f    queueview.Filter
			want string
		}{
			{0, queueview.Filter{}, all}, {serviceUID, queueview.Filter{}, all},
			{alice, queueview.Filter{}, a}, {bob, queueview.Filter{}, b}, {1003, queueview.Filter{}, ""},
			{-1, queueview.Filter{}, ""}, {65534, queueview.Filter{}, nobodys},
			{bob, queueview.Filter{UID: &one}, ""}, {0, queueview.Filter{UID: &one}, a},
			{alice, queueview.Filter{UID: &zero}, ""},
			{0, queueview.Filter{Sender: "BOB@"}, b}, {0, queueview.Filter{Sender: "mailer-daemon"}, unknown},
			{0, queueview.Filter{Recipient: "X@EXAMPLE"}, a}, {alice, queueview.Filter{Recipient: "y@"}, ""},
			{0, queueview.Filter{IDs: []string{b, a}}, b + " " + a}, {0, queueview.Filter{Failed: true}, ""},
		} {
			if got := ids(list(t, as(c.uid), c.f)); got != c.want {
				t.Errorf("uid %d with %v sees %q, want %q", c.uid, c.f.Query(), got, c.want)
			}
		}
		for uid, own := range map[int]string{alice: a, bob: b} {
			q := as(uid)
			for _, id := range []string{a, b, unknown, foreign} {
				d, err := q.Show(context.Background(), id)
				body, err2 := q.Content(context.Background(), id)
				if id != own {
					wantCode(t, err, sysexits.NoInput)
					wantCode(t, err2, sysexits.NoInput)
					continue
				}
				if err != nil || err2 != nil || d.ID != own || d.UID != uid {
					t.Fatal(err, err2)
				}
				text, err := io.ReadAll(body)
				_ = body.Close()
				if err != nil || string(text) != hello {
					t.Errorf("%q, %v", text, err)
				}
			}
		}
	})
}

func TestActionsByRight(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *rig, as func(int) Queue) {
		a, b := r.put(alice, "alice@example.com", "x@example.org"), r.put(bob, "bob@example.com", "y@example.org")
		none := func(Result) error { t.Error("something was done"); return nil }
		for _, act := range []Action{Hold, Release} {
			wantCode(t, as(alice).Apply(context.Background(), act, queueview.Filter{IDs: []string{a}}, none),
				sysexits.NoPerm)
		}
		wantCode(t, as(0).Apply(context.Background(), "explode", queueview.Filter{IDs: []string{a}}, none),
			map[bool]int{true: sysexits.Usage, false: sysexits.Protocol}[strings.HasSuffix(t.Name(), "local")])
		// Another's message is as if it were not there, and "all" means all of one's own.
		for _, act := range []Action{Delete, Retry} {
			res := apply(t, as(alice), act, queueview.Filter{IDs: []string{b}})
			if len(res) != 1 || res[0].Code != sysexits.NoInput {
				t.Errorf("%s of another's: %+v", act, res)
			}
		}
		if res := apply(t, as(alice), Retry, queueview.Filter{}); len(res) != 1 || res[0] != (Result{ID: a}) {
			t.Errorf("retry all: %+v", res)
		}
		if res := apply(t, as(alice), Delete, queueview.Filter{}); len(res) != 1 || res[0] != (Result{ID: a}) {
			t.Errorf("delete all: %+v", res)
		}
		if got := ids(list(t, r.local, queueview.Filter{})); got != b {
			t.Errorf("left: %q", got)
		}
		if res := apply(t, as(serviceUID), Delete, queueview.Filter{}); len(res) != 1 || res[0].Code != 0 {
			t.Errorf("delete all: %+v", res)
		}
	})
}

func TestHoldRetryRelease(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *rig, as func(int) Queue) {
		id := r.put(alice, "alice@example.com", "x@example.org")
		root, one := as(0), queueview.Filter{IDs: []string{id}}
		r.claim(id, func(it *spool.Item) error { return it.Defer(later, "temporary", "451 4.4.2 later") })
		state := func(want queueview.State) *queueview.Detail {
			t.Helper()
			d, err := root.Show(context.Background(), id)
			if err != nil || d.State != want {
				t.Fatalf("%+v %v, want %s", d, err, want)
			}
			return d
		}
		if d := state(queueview.Deferred); d.Attempts != 1 || !d.Next.Equal(later) || d.Reason != "451 4.4.2 later" {
			t.Errorf("%+v", d)
		}
		apply(t, root, Hold, one)
		state(queueview.Held)
		if res := apply(t, root, Retry, one); res[0].Code != sysexits.DataErr ||
			!strings.Contains(res[0].Error, "release it") {
			t.Errorf("%+v", res)
		}
		if got := list(t, root, queueview.Filter{Held: true}); len(got) != 1 {
			t.Errorf("%d are held", len(got))
		}
		if done, err := root.Flush(context.Background(), queueview.Filter{}, true); done.Messages != 0 || err != nil {
			t.Errorf("a held message was flushed: %v %v", done, err)
		}
		apply(t, root, Release, one)
		if d := state(queueview.Deferred); !d.Next.IsZero() {
			t.Errorf("not due: %+v", d)
		}
		// What is being delivered is left alone.
		it, err := r.spool.Claim(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, act := range []Action{Retry, Hold, Release, Delete} {
			if res := apply(t, root, act, one); res[0].Code != sysexits.TempFail {
				t.Errorf("%s: %+v", act, res)
			}
		}
		if err := it.Fail("550 5.1.1 nobody"); err != nil {
			t.Fatal(err)
		}
		if d := state(queueview.Failed); !strings.Contains(d.Log, "550 5.1.1 nobody") {
			t.Errorf("%+v", d)
		}
		if got := list(t, root, queueview.Filter{Failed: true}); len(got) != 1 || got[0].Reason != "550 5.1.1 nobody" {
			t.Errorf("%+v", got)
		}
		if res := apply(t, root, Hold, one); res[0].Code != sysexits.DataErr {
			t.Errorf("%+v", res)
		}
		// Its owner may bring it back.
		if res := apply(t, as(alice), Retry, queueview.Filter{Failed: true}); len(res) != 1 || res[0].Code != 0 {
			t.Errorf("%+v", res)
		}
		if got := list(t, root, queueview.Filter{}); len(got) != 1 {
			t.Errorf("%d in the queue", len(got))
		}
		if len(r.woken) != 3 {
			t.Errorf("the engine was woken %d times", len(r.woken))
		}
	})
}

func TestFlush(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *rig, as func(int) Queue) {
		a, b := r.put(alice, "alice@example.com", "x@example.org"), r.put(bob, "bob@example.com", "y@example.org")
		for _, id := range []string{a, b} {
			r.claim(id, func(it *spool.Item) error { return it.Defer(later, "temporary", "no") })
		}
		done, err := as(alice).Flush(context.Background(), queueview.Filter{}, true)
		if done.Messages != 1 || err != nil || len(r.woken) != 1 || r.woken[0] != a {
			t.Errorf("%v %v %v", done, err, r.woken)
		}
		_, err = as(alice).Flush(context.Background(), queueview.Filter{IDs: []string{b}}, false)
		wantCode(t, err, sysexits.NoInput)
		_, err = as(0).Flush(context.Background(), queueview.Filter{Failed: true}, false)
		wantCode(t, err, sysexits.Usage)
		r.local.hooks.Flush = func(_ context.Context, f queueview.Filter, ask bool) (Flushed, error) {
			if f.Sender != "bob" {
				return Flushed{}, fmt.Errorf("filter %v", f.Query())
			}
			return Flushed{77, []string{fmt.Sprint(ask)}}, nil
		}
		for _, ask := range []bool{false, true} {
			done, err = as(0).Flush(context.Background(), queueview.Filter{Sender: "bob"}, ask)
			if done.Messages != 77 || err != nil || done.Notes[0] != fmt.Sprint(ask) {
				t.Errorf("%v %v", done, err)
			}
			// Nobody else may ask for probes.
			if done, err = as(alice).Flush(context.Background(), queueview.Filter{}, ask); len(done.Notes) > 0 ||
				err != nil {
				t.Errorf("%v %v", done, err)
			}
		}
	})
}

// An owner's wish for another try waits until the last one lies the floor back; root's does not.
func TestRetryFloor(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, again := range map[string]func(q Queue, id string) error{
		"retry": func(q Queue, id string) error {
			return q.Apply(ctx, Retry, queueview.Filter{IDs: []string{id}}, func(r Result) error {
				if r.Error != "" {
					return errors.New(r.Error)
				}
				return nil
			})
		},
		"flush": func(q Queue, id string) error {
			done, err := q.Flush(ctx, queueview.Filter{}, false)
			if done.Messages != 1 {
				return fmt.Errorf("%d messages", done.Messages)
			}
			return err
		},
		"failed": func(q Queue, id string) error {
			return q.Apply(ctx, Retry, queueview.Filter{Failed: true}, func(Result) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.local.hooks.RetryFloor = func() time.Duration { return time.Minute }
			id := r.put(alice, "a@example.com", "x@example.com")
			r.claim(id, func(it *spool.Item) error {
				if name == "failed" {
					return it.Fail("no")
				}
				return it.Defer(time.Now().Add(time.Hour), "temporary", "later")
			})
			for _, want := range []struct {
				uid   int
				after time.Duration
			}{{alice, time.Minute}, {alice, time.Minute}, {0, 0}} {
				if name == "failed" && want.uid == 0 {
					continue // it is back in the queue
				}
				if err := again(r.as(want.uid), id); err != nil {
					t.Fatal(err)
				}
				info, err := r.spool.Get(id)
				if err != nil {
					t.Fatal(err)
				}
				if next := info.Status.Next; want.after == 0 && !next.IsZero() ||
					want.after > 0 && next.Sub(info.Status.Last).Round(time.Second) != want.after {
					t.Errorf("uid %d: next try %v, last %v", want.uid, next, info.Status.Last)
				}
			}
		})
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *rig, as func(int) Queue) {
		r.state = queueview.Status{Agent: true, Mailbox: "m@example.com", Sent: 7, Stops: []queueview.Stop{
			{Mailbox: "m@example.com", Hold: true, Reason: "open /etc/o365-sendmail.secret: permission denied",
				Remedy: "chown it"},
			{Mailbox: "m@example.com", Sender: "bob@example.com", Hold: true, Reason: "no SendAs right",
				Remedy: "grant it"},
		}}
		r.put(bob, "bob@example.com", "y@example.org")
		st, err := as(0).Status(context.Background())
		if err != nil || len(st.Stops) != 2 || st.Messages != 1 || st.Sent != 7 || st.Stops[0].Remedy == "" {
			t.Errorf("root: %+v %v", st, err)
		}
		st, err = as(alice).Status(context.Background())
		if err != nil || len(st.Stops) != 1 || st.Messages != -1 || st.Sent != 0 || !st.Agent {
			t.Fatalf("alice: %+v %v", st, err)
		}
		if s := st.Stops[0]; s.Reason != "open (a file): permission denied" || s.Remedy != "" || !s.Hold {
			t.Errorf("%+v", s)
		}
		// The sender's own stop is shown with the message.
		if m := list(t, as(bob), queueview.Filter{})[0]; m.Stop == nil || m.Stop.Reason != "no SendAs right" ||
			m.Stop.Remedy != "" {
			t.Errorf("%+v", m.Stop)
		}
	})
}

func TestNoPathsForOthers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *rig, as func(int) Queue) {
		id := r.put(alice, "alice@example.com", "x@example.org")
		r.claim(id, func(it *spool.Item) error {
			it.Log("open /etc/secret: no\nread /etc/other: no")
			return it.Defer(later, "configuration", "open /etc/secret: no")
		})
		for uid, want := range map[int]bool{0: true, alice: false} {
			d, err := as(uid).Show(context.Background(), id)
			if err != nil || d.Log == "" {
				t.Fatal(err)
			}
			if strings.Contains(d.Reason, "/etc") != want || strings.Contains(d.Log, "/etc") != want {
				t.Errorf("uid %d: %q, log %q", uid, d.Reason, d.Log)
			}
		}
	})
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *rig, as func(int) Queue) {
		id := r.put(alice, "alice@example.com", "x@example.org")
		if err := os.WriteFile(filepath.Join(r.dir, "spool/queue", id+".msg"), []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := list(t, as(0), queueview.Filter{}); len(got) != 1 || got[0].State != queueview.Damaged ||
			got[0].UID != -1 || time.Since(got[0].Arrived) > time.Hour {
			t.Errorf("%+v", got)
		}
		if got := list(t, as(alice), queueview.Filter{}); len(got) != 0 {
			t.Errorf("nobody knows whose it is, but alice sees %+v", got)
		}
		if d, err := as(0).Show(context.Background(), id); err != nil || d.State != queueview.Damaged {
			t.Errorf("%+v %v", d, err)
		}
		_, err := as(0).Content(context.Background(), id)
		wantCode(t, err, sysexits.DataErr)
		// The first delete finds the damage and moves the file aside, the second removes it.
		if res := apply(t, as(0), Delete, queueview.Filter{IDs: []string{id}}); res[0].Code != sysexits.DataErr ||
			!strings.HasSuffix(res[0].Error, "o365-sendmail queue delete --failed "+id) {
			t.Errorf("%+v", res)
		}
		apply(t, as(0), Delete, queueview.Filter{IDs: []string{id}})
		if res := apply(t, as(0), Delete, queueview.Filter{IDs: []string{id}}); res[0].Code != sysexits.NoInput {
			t.Errorf("%+v", res)
		}
	})
}

func TestContentCutShort(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.put(alice, "alice@example.com", "x@example.org")
	path := filepath.Join(r.dir, "spool/queue", id+".msg")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-3] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := r.as(0).Content(context.Background(), id)
	if err == nil {
		_, err = io.ReadAll(c)
		_ = c.Close()
	}
	if err == nil {
		t.Error("a damaged message was handed over as whole")
	}
}

// raw sends a request by hand.
func raw(t *testing.T, path, request string) (status int, body string, h http.Header) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, unsent := io.WriteString(c, request) // a server that is full may have replied and closed before
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err, unsent)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func TestRawRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "root@example.com", "x@example.org")
	root, user := r.as(0, func(s *Server) {
		s.Metrics = func() []byte { return []byte("queue_messages 1\n") }
	}), r.as(alice, func(s *Server) {
		s.Metrics = func() []byte { return []byte("queue_messages 1\n") }
	})
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" }
	post := func(path string) string { return strings.Replace(get(path), "GET", "POST", 1) }
	for _, c := range []struct {
		path, request string
		status        int
		want          string
	}{
		{root.path, get("/metrics"), 200, "queue_messages 1\n"},
		{user.path, get("/metrics"), 200, "queue_messages 1\n"},
		{root.path, get("/"), 404, "does not know"},
		{root.path, get("//v1//queue"), 404, "does not know"},
		{root.path, get("/v1/../v1/queue/"), 404, "does not know"},
		{root.path, get("/v1/queue/../../etc/passwd"), 404, "does not know"},
		{root.path, get("/v1/queue/..%2f..%2fetc%2fpasswd"), 404, "does not know"},
		{root.path, get("/v1/queue/%2e%2e"), 400, "not a queue id"},
		{root.path, get("/v1/queue/20260101000000-0123456789abcdef"), 404, "no such message"},
		{root.path, get("/v1/queue?id=../x"), 400, "no queue id"},
		{root.path, get("/v1/queue?sonder=a"), 400, "no filter"},
		{root.path, get("/v1/queue?uid=1&uid=2"), 400, "more than once"},
		{root.path, get("/v1/queue?uid=x"), 400, "can't be read"},
		{root.path, get("/v1/queue?%zz"), 400, "can't be read"},
		{root.path, get("/v1/queue?sender=" + strings.Repeat("a", 600)), 400, "longer than"},
		{root.path, get("/v1/queue"), 200, `{"end":true,"of":1}`},
		{root.path, post("/v1/queue"), 405, "method GET"},
		{root.path, get("/v1/flush"), 405, "method POST"},
		{root.path, get("/v1/reload"), 405, "method POST"},
		{user.path, post("/v1/reload"), 403, "root"},
		{root.path, get("/v1/queue/all/delete"), 405, "method POST"},
		{root.path, post("/v1/queue/all/explode"), 404, "does not know"},
		{root.path, post("/v1/queue/x/delete"), 400, "not a queue id"},
		{root.path, "POST /v1/flush HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 413, "no body"},
		{root.path, "POST /v1/flush HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413, "no body"},
		{root.path, "rubbish\r\n\r\n", 400, ""},
	} {
		status, body, h := raw(t, c.path, c.request)
		if status != c.status || !strings.Contains(body, c.want) || h.Get("Location") != "" {
			t.Errorf("%.80q: %d %q, want %d with %q", c.request, status, body, c.status, c.want)
		}
	}
	if got := list(t, root, queueview.Filter{}); len(got) != 1 {
		t.Errorf("%d messages are left", len(got))
	}
}

func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(alice, "alice@example.com", "x@example.org")
	c := r.as(alice)
	var conns []net.Conn
	for range maxConnsPerUser - 1 { // the client has one
		conn, err := net.Dial("unix", c.path)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	status, _, _ := raw(t, c.path, "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", status)
	}
	one := &Client{path: c.path, http: &http.Client{Transport: &http.Transport{DialContext: func(context.Context,
		string, string) (net.Conn, error) {
		return net.Dial("unix", c.path)
	}}}}
	_, err := one.Status(context.Background())
	if sysexits.Code(err, -1) != sysexits.TempFail {
		t.Errorf("the client says %v", err)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	if got := list(t, c, queueview.Filter{}); len(got) != 1 {
		t.Errorf("%d messages", len(got))
	}
}

// TestRealPeer asks the kernel, which tells the uid that runs the test.
func TestRealPeer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.as(0, func(s *Server) { s.peer = nil; s.ServiceUID = 4242 })
	r.put(os.Getuid(), "me@example.com", "x@example.org")
	r.put(54321, "other@example.com", "x@example.org")
	want := 1
	if os.Getuid() == 0 {
		want = 2
	}
	if got := list(t, c, queueview.Filter{}); len(got) != want {
		t.Errorf("%d messages, want %d", len(got), want)
	}
}

func TestConnectAbsent(t *testing.T) {
	t.Parallel()
	_, err := Connect(context.Background(), filepath.Join(t.TempDir(), "none"))
	if !errors.Is(err, ErrNoAgent) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestListenTakesOver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("two agents on one socket")
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as when it is killed
	_ = l.Close()
	l, err = Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("a plain file was replaced")
	}
}

// TestAgentDies: a list that breaks off is no list.
func TestAgentDies(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(c).ReadString('\n')
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: "+
				"close\r\n\r\n{\"id\":\"20260101000000-0123456789abcdef\"}\n")
			_ = c.Close()
		}
	}()
	c, err := Connect(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := 0
	_, err = c.List(context.Background(), queueview.Filter{}, func(*queueview.Message) error { n++; return nil })
	if n != 1 || sysexits.Code(err, -1) != sysexits.TempFail || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("%d messages, %v", n, err)
	}
}

func TestManyIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var f queueview.Filter
	for i := range 2*idsPerRequest + 5 {
		f.IDs = append(f.IDs, fmt.Sprintf("20260101000000-%016x", i))
	}
	if res := apply(t, r.as(0), Delete, f); len(res) != len(f.IDs) ||
		res[2*idsPerRequest].ID != f.IDs[2*idsPerRequest] {
		t.Errorf("%d results", len(res))
	}
}

// TestOtherHostsFault: what is wrong with another host's answer is said of that host, not of the agent that asked it.
func TestOtherHostsFault(t *testing.T) {
	t.Parallel()
	for what, answer := range map[string]func(part func([]byte) error) error{
		"broke off":               func(part func([]byte) error) error { return errors.Join(part([]byte("200\n{")), io.EOF) },
		"answers with HTTP":       func(part func([]byte) error) error { return part([]byte("418\nteapot")) },
		"its answer can't be":     func(part func([]byte) error) error { return part([]byte("garbage")) },
		"it answers others; try ": func(func([]byte) error) error { return errors.New("host h2: it answers others; try again") },
	} {
		r := newRig(t)
		r.local = NewLocal(r.spool, Hooks{Ask: func(_ context.Context, _ string, _ []byte, part func([]byte) error) error {
			return answer(part)
		}})
		c := r.as(0)
		_, err := c.Host("h2").Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
