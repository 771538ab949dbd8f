package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// queueSite is a site with a spool.
type queueSite struct {
	*site
	t      *testing.T
	spool  *spool.Spool
	socket string
}

func newQueueSite(t *testing.T, change ...func(*emulator.Options)) *queueSite {
	t.Helper()
	s := &queueSite{site: newSite(t, change...), t: t}
	short, err := os.MkdirTemp("", "agent") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	s.socket = filepath.Join(short, "submit.sock")
	s.writeConfig(t, s.ConfigTOML(s.dir)+fmt.Sprintf("\n[spool]\ndir = %q\n[agent]\nsocket = %q\n",
		filepath.Join(s.dir, "spool"), s.socket))
	return s
}

// open makes the spool.
func (s *queueSite) open() {
	s.t.Helper()
	ops := *durable.System
	ops.Sync = func(*os.File) error { return nil }
	ops.Datasync = ops.Sync
	now := time.Now().Add(-time.Hour)
	sp, err := spool.Open(spool.Options{Dir: filepath.Join(s.dir, "spool"), Ops: &ops, Now: func() time.Time {
		now = now.Add(time.Second) // so that the ids have an order
		return now
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = sp.Close() })
	s.spool = sp
}

func (s *queueSite) put(uid int, to string) string {
	s.t.Helper()
	m, err := rfc822.Read(strings.NewReader("From: "+s.Mailbox+"\nTo: "+to+"\nSubject: queued\x1b[2J\n\nhello\n"),
		rfc822.ReadOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer m.Close()
	w, err := m.Wire(rfc822.WireOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := s.spool.Put(context.Background(), spool.Meta{UID: uid, Origin: "test"}, &envelope.Envelope{
		Sender: s.Mailbox, Origin: s.Mailbox, Recipients: []envelope.Recipient{{Address: to}},
	}, w)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *queueSite) claim(id string, fn func(*spool.Item) error) {
	s.t.Helper()
	it, err := s.spool.Claim(id)
	if err == nil {
		err = fn(it)
		it.Unlock()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// agent serves the control socket; the kernel takes the test for uid.
func (s *queueSite) agent(status queueview.Status, change ...func(*control.Hooks)) {
	s.t.Helper()
	l, err := control.Listen(control.SocketPath(s.socket))
	if err != nil {
		s.t.Fatal(err)
	}
	status.Agent, status.Mailbox = true, s.Mailbox
	h := control.Hooks{Status: func() queueview.Status { return status }}
	for _, c := range change {
		c(&h)
	}
	srv := control.NewServer(control.NewLocal(s.spool, h), nil)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	s.t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
}

// terminal is an output that a person sees.
type terminal struct{ bytes.Buffer }

func (*terminal) Terminal() bool { return true }

// as calls the program by another name.
func (s *queueSite) as(name string, args ...string) result {
	var out, errs bytes.Buffer
	code := Main(context.Background(), s.env(&out, &errs, name, args...))
	if name == "mailq" {
		args = append([]string{"queue"}, args...)
	}
	checkJSON(s.t, args, out.String())
	return result{code, out.String(), errs.String()}
}

func (s *queueSite) env(out, errs interface{ Write([]byte) (int, error) }, name string, args ...string) Env {
	return Env{
		Args: append([]string{"/usr/bin/" + name}, args...), Stdin: strings.NewReader(""), Stdout: out, Stderr: errs,
		Getenv: func(n string) string {
			if n == "O365_SENDMAIL_CONFIG" {
				return s.config
			}
			return ""
		},
		Now: time.Now, UID: os.Getuid(), Version: "test",
	}
}

func (s *queueSite) queue(args ...string) result {
	return s.as("o365-sendmail", append([]string{"queue"}, args...)...)
}

// says checks an outcome by patterns; "" is nothing at all.
func (r result) says(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	match := func(pattern, got string) bool {
		return pattern == "" && got == "" || pattern != "" && regexp.MustCompile("(?s)"+pattern).MatchString(got)
	}
	if r.code != code || !match(stdout, r.stdout) || !match(stderr, r.stderr) {
		t.Errorf("exit code %d, want %d\nstdout: %s\n  want: %s\nstderr: %s\n  want: %s", r.code, code, r.stdout,
			stdout, r.stderr, stderr)
	}
}

func TestQueueUsage(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	s.open()
	id := s.put(33, "x@example.org")
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"sendmail", []string{"-qI../../etc/x"}, 64, `sendmail: error: -qI "\.\./\.\./etc/x": not a queue id`},
		{"sendmail", []string{"-qI"}, 64, "needs a text"},
		{"sendmail", []string{"-qI" + strings.ToUpper(id) + "x"}, 64, "not a queue id"},
		{"sendmail", []string{"-q", "a@example.org"}, 64, "takes no recipient"},
		{"sendmail", []string{"-qS" + strings.Repeat("a", 600)}, 64, "longer than"},
		{"mailq", []string{"x"}, 64, "takes no argument"},
		{"mailq", []string{"-qI../x"}, 64, "not a queue id"},
	} {
		s.as(c.name, c.args...).says(t, c.code, "", c.stderr)
	}
	for _, c := range []struct {
		args   string
		stderr string
	}{
		{"explode", "no command"}, {"show", "needs one"}, {"show " + id + " " + id, "needs one"},
		{"delete", "needs queue ids, or all"},
		{"delete --sender x", "needs queue ids, or all"}, {"delete all " + id, "not both"},
		{"delete --uid 0 " + id, "goes with all"},
		{"delete ../" + id, "not a queue id"}, {"delete *", "not a queue id"}, {"delete all --sender", "needs a value"},
		{"delete all --sender=", "not empty"},
		{"list --wait", "does not belong"}, {"list --headers", "does not belong"},
		{"show --headers --message " + id, "contradict"},
		{"flush --failed", "queue alone"}, {"flush --older 2h", "retry takes every filter"},
		{"redirect --to z@example.org", "needs one queue id"}, {"redirect " + id, "needs one queue id and --to"},
		{"redirect all --to z@example.org", "needs one"}, {"redirect --to root " + id, "expected an address"},
		{"list --to z@example.org", "does not belong"}, {"export all", "or --folder"}, {"export", "needs queue ids"},
		{"export --folder x --sender y " + id, "needs queue ids"},
		{"list --max-size 1x", "expected a value such as"}, {"list --min-tries -1", "expected a value"},
		{"list --state odd", "there are waiting, deferred"}, {"delete --older 1h " + id, "goes with all"},
		{"list --uid nobody-here", "no such user"}, {"list --uid -7", "not a user id"},
		{"list --nonsense", "unknown flag"}, {"list --failed=1", "takes no value"},
		{"flush --wait --no-wait", "contradict"},
	} {
		s.queue(strings.Fields(c.args)...).says(t, 64, "", "^o365-sendmail: error: .*"+c.stderr)
	}
	s.queue("show", "--json", "--message", id).says(t, 64, "does not go", "")
	s.queue("help").says(t, 0, "^usage: ", "")
	s.queue("delete", "--help").says(t, 0, "^usage: ", "")
	s.queue("delete", "--json", "--sender", "x").says(t, 64,
		`^\{"exit":\{"code":64,"error":".*or all","messages":0,"schema":1\}\}\n$`, "")
	if n, _ := s.spool.IDs(); len(n) != 1 {
		t.Error("a wrong command line deleted a message")
	}
}

func TestQueueWithoutAnything(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	// Nothing was ever queued: looking makes no directory.
	s.as("mailq").says(t, 0, "^Mail queue is empty\n$", "")
	s.as("sendmail", "-bp").says(t, 0, "^Mail queue is empty\n$", "")
	s.as("sendmail", "-q").says(t, 0, "", "")
	s.queue("list", "--json").says(t, 0, `^\{"exit":\{"code":0,"messages":0,"schema":1\}\}\n$`, "")
	s.queue("show", "20260101000000-0123456789abcdef").says(t, sysexits.NoInput, "", "no such message")
	s.queue("delete", "20260101000000-0123456789abcdef").says(t, sysexits.NoInput, "", "no such message")
	s.queue("delete", "all").says(t, 0, "0 messages deleted", "")
	s.queue("flush").says(t, 0, "0 messages", "")
	if _, err := os.Stat(filepath.Join(s.dir, "spool")); err == nil {
		t.Error("looking at a queue made it")
	}
	s.config = filepath.Join(s.dir, "nowhere")
	s.as("mailq").says(t, sysexits.Config, "", "^mailq: error: no agent answers at .*nowhere[^\n]*\n$")
	// A typing error must not hide the queue.
	s.config = filepath.Join(s.dir, "config.toml")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.config, append(text, "\nnonsense = 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.open()
	s.put(33, "x@example.org")
	s.as("mailq").says(t, 0, "in 1 Request", "^mailq: warning: ")
}

func TestMailqOnSpool(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	s.open()
	a, b := s.put(33, "x@example.org"), s.put(34, "y@example.net")
	s.claim(b, func(it *spool.Item) error {
		return it.Defer(time.Now().Add(time.Hour), "temporary", "451 4.4.2 later\x1b[2J")
	})
	r := s.as("mailq")
	r.says(t, 0, `^\(no agent is running: [^\n]*\n-Queue ID-[^\n]*\n\(waiting: not tried yet; 1 message\)\n`+a+
		`  +\d+ +\d+m +0    - \S+ +`+s.Mailbox+` +x@example.org\n\n`+
		regexp.QuoteMeta(`(deferred: 451 4.4.2 later\x1b[2J; 1 message)`)+"\n"+b+
		`  +\d+ +\d+m +1    - .*y@example.net\n\n-- 1 Kbytes in 2 Requests\.\n$`, "")
	for _, c := range []struct{ args, want string }{
		{"-qRexample.net", b}, {"-qI" + a, a}, {"-qSnobody", "no message of 2 fits -qSnobody\n"},
	} {
		if r := s.as("mailq", c.args); r.code != 0 || !strings.Contains(r.stdout, c.want) ||
			strings.Contains(r.stdout, "2 Requests") {
			t.Errorf("%s: %d %q %q", c.args, r.code, r.stdout, r.stderr)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"--older 30m", "in 2 Requests"}, {"--older 2h", "no message of 2 fits --older 2h\n"},
		{"--newer 2h --min-tries 1", b}, {"--newer 30m --held", "no message of 2 fits --newer 30m --held\n"},
		{"--max-tries=0", a}, {"--domain EXAMPLE.org", a}, {"--domain ample.org", "no message of 2"},
		{"--min-size 1KiB", "no message of 2"}, {"--max-size 1kB", "in 2 Requests"},
		{"--code 4.4.2", b}, {"--state waiting", a}, {"--reason LATER", b}, {"--due 1s", a}, {"--json --code 451", `"of":2`},
		{"--reason \x1b[3J", `no message of 2 fits --reason \x1b[3J`},
	} {
		r := s.as("mailq", strings.Split(c.args, " ")...)
		if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, c.want) {
			t.Errorf("%s: %+v", c.args, r)
		}
	}
	s.as("mailq", "--older", "soon").says(t, sysexits.Usage, "", `--older "soon": expected a time such as 90s, 2h or 3d`)
	s.as("mailq", "--older", "").says(t, sysexits.Usage, "", "not empty")
	s.queue("--uid=34").says(t, 0, b+".*in 1 Request", "")
	s.queue("list", "--recipient", "EXAMPLE.NET").says(t, 0, b+".*in 1 Request", "")
	s.queue(a).says(t, 0, a+".*in 1 Request", "")
	s.queue("list", "--failed").says(t, 0, "^no message was given up\n$", "")
}

func TestQueueJSON(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	s.open()
	id := s.put(33, "x\u009b\x7f@example.org")
	s.agent(queueview.Status{Stops: []queueview.Stop{{Mailbox: s.Mailbox, Hold: true,
		Reason: "the client secret has expired", Next: time.Now().Add(time.Hour)}}})
	r := s.queue("list", "--json")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if r.code != 0 || len(lines) != 2 || strings.ContainsAny(r.stdout, "\u009b\x7f") {
		t.Fatalf("%d %q %q", r.code, r.stdout, r.stderr)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &m); err != nil {
		t.Fatal(err)
	}
	to := m["recipients"].([]any)[0].(map[string]any)
	if m["id"] != id || m["state"] != "queued" || m["uid"] != 33.0 || m["sender"] != s.Mailbox ||
		to["address"] != "x\u009b\x7f@example.org" || to["state"] != "todo" ||
		!strings.HasPrefix(m["waiting"].(string), "held: the client secret has expired; next probe ") {
		t.Errorf("%v", m)
	}
	if want := fmt.Sprintf(`{"exit":{"code":0,"messages":1,"bytes":%.0f,"of":1,"schema":1}}`, m["size"]); lines[1] != want {
		t.Errorf("%s, want %s", lines[1], want)
	}
	s.queue("show", "--json", id).says(t, 0, `^\{"id":"`+id+`".*"waiting":"held: .*\n\{"exit":\{"code":0,`, "")
	s.queue("delete", "--json", id, "20260101000000-0123456789abcdef").says(t, sysexits.NoInput,
		`^\{"id":"`+id+`"\}\n\{"id":"20260101000000-0123456789abcdef","error":"there is no such message in the queue","code":66\}\n\{"exit":\{"code":66,"error":"[^"]+","messages":1,"schema":1\}\}\n$`, "")
}

func TestQueueActions(t *testing.T) {
	t.Parallel()
	for _, agent := range []bool{false, true} {
		t.Run(fmt.Sprintf("agent %v", agent), func(t *testing.T) {
			t.Parallel()
			s := newQueueSite(t)
			s.open()
			a, b := s.put(33, "x@example.org"), s.put(34, "y@example.net")
			if agent {
				s.agent(queueview.Status{})
			}
			s.queue("hold", a).says(t, 0, "^1 message held\n$", "")
			s.queue("list", "--held").says(t, 0, "held: by an administrator; 1 message.*"+a+"! .*in 1 Request", "")
			s.queue("retry", a, b).says(t, sysexits.DataErr, "^1 message to be tried",
				"^o365-sendmail: error: "+a+": .*release it first\n$")
			s.queue("release", "all", "--held").says(t, 0, "^1 message released", "")
			s.queue("show", a).says(t, 0, "Queue ID: .*"+a+".*State: .*queued.*Came by: .*test", "")
			s.queue("show", "--message", a).says(t, 0, "^From: .*\r\nSubject: queued.*\x1b.*\r\n\r\nhello\r\n$", "")
			s.queue("show", "--headers", a).says(t, 0, "^From: .*\r\nSubject: [^\n]*\r\n$", "")
			var out terminal
			if code := Main(context.Background(), s.env(&out, &bytes.Buffer{}, "o365-sendmail", "queue", "show",
				"--message", a)); code != 0 || strings.Contains(out.String(), "\x1b") ||
				!strings.Contains(out.String(), `\x1b[2J`) {
				t.Errorf("on a terminal: %d %q", code, &out)
			}
			s.queue("delete", "all", "--older", "2h").says(t, 0, "^0 messages deleted", "")
			s.queue("delete", "all", "--recipient", "example.net").says(t, 0, "^1 message deleted", "")
			s.queue("list").says(t, 0, a+".*in 1 Request", "")
			s.queue("delete", "all").says(t, 0, "^1 message deleted", "")
			s.as("mailq").says(t, 0, "empty", "")
		})
	}
}

func TestQueueMove(t *testing.T) {
	t.Parallel()
	for _, agent := range []bool{false, true} {
		t.Run(fmt.Sprintf("agent %v", agent), func(t *testing.T) {
			t.Parallel()
			s := newQueueSite(t)
			s.open()
			a, b := s.put(33, "x@example.org"), s.put(34, "y@example.net")
			s.claim(b, func(it *spool.Item) error { return it.Hold("by hand") })
			if agent {
				s.agent(queueview.Status{})
			}
			redirect := []string{"redirect", a, "--to", "Bob <z@bücher.example>", "--to=w@example.org"}
			s.queue(append(redirect, "--dry-run")...).says(t, 0,
				"^"+a+" would be redirected from x@example.org to z@xn--bcher-kva.example, w@example.org\n$", "")
			s.queue("list", "--recipient", "x@").says(t, 0, "in 1 Request", "")
			s.queue(redirect...).says(t, 0, "^"+a+" redirected from ", "")
			for _, f := range []string{"--domain=bücher.example", "--recipient=@Bücher.example",
				"--domain=@xn--bcher-kva.example"} {
				s.queue("list", f).says(t, 0, "in 1 Request", "")
			}
			s.queue("list", "--recipient", "x@").says(t, 0, "^no message of 2 fits --recipient x@\n$", "")
			s.queue("show", a).says(t, 0, `Recipient:   w@example.org, todo\n.*History:\n  \S+ "redirected to z@\S+, `+
				`w@example.org by uid \d+"\nHeader:\n  From: .*\n  Subject: queued\\x1b\[2J\n$`, "")
			s.queue("delete", "all", "--dry-run").says(t, 0, "in 2 Requests.\ndry run: 2 messages would be deleted\n$", "")
			s.queue("retry", "all", "--dry-run").says(t, 0, "dry run: 1 message would be tried again\n$", "")
			s.queue("delete", "--dry-run", "--json", a).says(t, 0, `^\{"id":"`+a+`"\}\n\{"exit":\{"code":0,"messages":1`, "")
			s.queue("hold", "--dry-run", a).says(t, sysexits.Usage, "", "does not belong")
			s.queue("export", a).says(t, 0, "^From: .*\r\nSubject: queued.*\r\n\r\nhello\r\n$", "")
			dir := t.TempDir()
			s.queue("export", "--folder", dir, "all", "--uid", "33").says(t, 0, "^1 message exported to ", "")
			s.queue("export", "--folder", dir, a).says(t, sysexits.CantCreat, "", "is there already, and is left as it is")
			s.queue("export", "--folder", dir+"/gone", a).says(t, sysexits.CantCreat, "", "no such file")
			if err := os.Symlink(dir+"/elsewhere", dir+"/"+b+".eml"); err != nil {
				t.Fatal(err)
			}
			s.queue("export", "--folder", dir, b).says(t, sysexits.CantCreat, "", "is there already")
			c := s.put(35, "c@example.com")
			s.queue("export", "--folder", dir, "all").says(t, sysexits.CantCreat, "^1 message exported to ",
				`is there already, and is left as it is \(2 messages in all not exported\)\n$`)
			if err := os.Remove(filepath.Join(dir, c+".eml")); err != nil {
				t.Error("one that was there kept another from its export:", err)
			}
			s.queue("list", "--domain", "@example.com").says(t, 0, "in 1 Request", "")
			s.queue("list", "--failed").says(t, 0, "^no message was given up\n$", "")
			s.queue("delete", c).says(t, 0, "deleted", "")
			file, err := os.ReadFile(filepath.Join(dir, a+".eml"))
			entries, _ := os.ReadDir(dir)
			if err != nil || !strings.HasSuffix(string(file), "\r\n\r\nhello\r\n") || len(entries) != 2 {
				t.Errorf("%q %v %v", file, err, entries)
			}
			if agent {
				return
			}
			s.as("sendmail", "-q").says(t, 0, "", "")
			if m := s.Messages(); len(m) != 1 || fmt.Sprint(m[0].Envelope.To) != "[z@xn--bcher-kva.example w@example.org]" {
				t.Errorf("%d messages arrived: %+v", len(m), m)
			}
		})
	}
}

func TestFlushWithoutAgent(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	s.open()
	a, b, c := s.put(33, "x@example.org"), s.put(34, "y@example.net"), s.put(34, "z@example.net")
	for _, id := range []string{a, b, c} {
		s.claim(id, func(it *spool.Item) error { return it.Defer(time.Now().Add(time.Hour), "temporary", "later") })
	}
	s.as("sendmail", "-qRx@example").says(t, 0, "", "")
	s.as("sendmail", "-qI"+b).says(t, 0, "", "")
	if m := s.Messages(); len(m) != 2 || m[0].Envelope.To[0] != "x@example.org" ||
		m[1].Envelope.To[0] != "y@example.net" {
		t.Fatalf("%d messages arrived", len(m))
	}
	var out bytes.Buffer
	var screen terminal
	if code := Main(context.Background(), s.env(&out, &screen, "o365-sendmail", "queue", "flush")); code != 0 ||
		out.String() != "1 message tried: 1 sent, 0 deferred\n" || !strings.Contains(screen.String(), "to go") {
		t.Errorf("%d %q %q", code, &out, &screen)
	}
	if len(s.Messages()) != 3 {
		t.Error("not sent")
	}
	s.as("mailq").says(t, 0, "empty", "")
}

// TestFlushHeld: a run that can't deliver keeps the mail, and cron is told nothing.
func TestFlushHeld(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	s.open()
	s.put(33, "x@example.org")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.config, []byte(strings.Replace(string(text), s.ClientSecret, "wrong", 1)),
		0o600); err != nil {
		t.Fatal(err)
	}
	s.as("sendmail", "-q").says(t, 0, "", "")
	s.as("mailq").says(t, 0, `^\(no agent is running.*\n\(held: [^\n]*7000215[^\n]*; 2 messages since [^\n]*, tried 1 time\)\n    \S`, "")
	s.queue("flush", "--json").says(t, 0, `"messages":\d,"waited":true,"sent":0`, "")
}

func TestFlushWithAgent(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	s.open()
	id := s.put(33, "x@example.org")
	s.claim(id, func(it *spool.Item) error { return it.Defer(time.Now().Add(time.Hour), "temporary", "later") })
	s.agent(queueview.Status{})
	s.as("sendmail", "-q").says(t, 0, "", "")
	if info, err := s.spool.Get(id); err != nil || !info.Status.Next.IsZero() {
		t.Errorf("%+v %v", info.Status, err)
	}
	s.queue("flush").says(t, 0, "^1 message to be tried now\n$", "")
	s.queue("flush", "--wait").says(t, 0, "^1 message tried: 0 sent, 0 deferred\n$", "")
	s.queue("flush", "20260101000000-0123456789abcdef").says(t, sysexits.NoInput, "", "no such message")
}

func FuzzParseQueueArgs(f *testing.F) {
	for _, s := range []string{"", "list --json", "delete all --sender a", "show 20260101000000-0123456789abcdef",
		"flush --wait", "--uid=root --held", "retry --config= x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a, err := parseQueueArgs(strings.Split(line, " "), time.Now)
		if err != nil {
			if sysexits.Code(err, -1) != sysexits.Usage {
				t.Errorf("%q: %v", line, err)
			}
			return
		}
		if a.verb == "delete" && !a.help && !a.all && len(a.filter.IDs) == 0 {
			t.Errorf("%q deletes without being told what", line)
		}
	})
}

func TestCompleteQueueIDs(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	s.open()
	a, b := s.put(33, "x@example.org"), s.put(34, "y@example.net")
	s.claim(b, func(it *spool.Item) error { return it.Hold("by hand") })
	offered := func(want string, args ...string) {
		t.Helper()
		r := s.as("o365-sendmail", append([]string{"completion", "words"}, args...)...)
		var ids []string
		for line := range strings.Lines(r.stdout) {
			id, about, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			if ids = append(ids, id); id != "all" && about != "from "+s.Mailbox {
				t.Errorf("%s: %q", id, about)
			}
		}
		if got := strings.Join(ids, " "); r.code != 0 || r.stderr != "" || got != want {
			t.Errorf("%q: %q, want %q: %+v", args, got, want, r)
		}
	}
	offered(a+" "+b, "queue", "show", "")
	offered(b, "queue", "show", b[:len(b)-1])
	offered(b, "queue", "release", b[:4])
	offered(b+" all", "queue", "release", "")
	offered(b, "queue", "delete", a, "")
	offered(a+" "+b, "queue", "retry", "-C", s.config, "2")
	offered("", "queue", "list", "--failed", "")
	offered("", "queue", "list", "--sender", "")
}
