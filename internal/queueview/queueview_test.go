package queueview

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
)

var now = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)

func message(change ...func(*Message)) *Message {
	m := &Message{
		ID: "20260304090000-0123456789abcdef", State: Queued, Size: 1234, Arrived: now.Add(-time.Hour), UID: 33,
		Sender:     "a@example.com",
		Recipients: []Recipient{{Address: "x@example.org", State: RecipientTodo}},
	}
	for _, c := range change {
		c(m)
	}
	return m
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	deferred := func(m *Message) {
		m.State, m.Reason, m.Next = Deferred, "451 4.4.2 try \x1b[31mlater", now.Add(15*time.Minute)
	}
	secret := Stop{Mailbox: "m@example.com", Hold: true, Reason: "the client secret has expired",
		Next: now.Add(15 * time.Minute)}
	pause := Stop{All: true, Reason: "no network", Next: now.Add(36 * time.Hour)}
	agent := Status{Agent: true, Mailbox: "m@example.com"}
	noFile := Stop{All: true, Hold: true, Reason: "there is no configuration at /etc/x",
		Remedy: "run o365-sendmail setup"}
	unprocessed := func(m *Message) {
		m.State, m.Origin, m.Reason = Held, "unprocessed, userid 33", "not processed yet: tenant is missing"
	}
	stopped := func(s ...Stop) Status { st := agent; st.Stops = s; return st }
	for _, c := range []struct {
		name   string
		m      *Message
		status Status
		want   string
	}{
		{"new", message(), agent, "waiting for its turn"},
		{"new, no agent", message(), Status{}, "waiting: no agent is running; sendmail -q sends it"},
		{"deferred", message(deferred), agent, `451 4.4.2 try \x1b[31mlater; next try 10:15`},
		{"deferred, due", message(deferred, func(m *Message) { m.Next = now }), agent,
			`451 4.4.2 try \x1b[31mlater; next try is due`},
		{"deferred, no agent", message(deferred), Status{},
			`451 4.4.2 try \x1b[31mlater; no agent is running: sendmail -q tries again`},
		{"hold", message(deferred), stopped(secret), "held: the client secret has expired; next probe 10:15"},
		{"hold before pause", message(deferred), stopped(pause, secret),
			"held: the client secret has expired; next probe 10:15"},
		{"another mailbox", message(func(m *Message) { m.Mailbox = "n@example.com" }), stopped(secret),
			"waiting for its turn"},
		{"the mailbox by name", message(func(m *Message) { m.Mailbox = "M@Example.com" }), stopped(secret),
			"held: the client secret has expired; next probe 10:15"},
		{"pause", message(), stopped(pause), "paused: no network; next try Thu Mar 5 22:00"},
		{"sender", message(func(m *Message) { m.Stop = &Stop{Hold: true, Reason: "no SendAs"} }), agent,
			"held: no SendAs; next probe is due"},
		{"administrator", message(func(m *Message) { m.State = Held }), stopped(secret),
			"held back by an administrator"},
		{"kept, no configuration", message(unprocessed), stopped(noFile),
			"kept until the configuration can be used: there is no configuration at /etc/x; run o365-sendmail setup"},
		{"kept, as a user sees it", message(unprocessed), stopped(Stop{All: true, Hold: true, Reason: noFile.Reason}),
			"kept until the configuration can be used: there is no configuration at /etc/x"},
		{"kept, not known why", message(unprocessed), agent, "not processed yet: tenant is missing"},
		{"kept, and held back", message(unprocessed, func(m *Message) { m.Reason = "" }), agent,
			"held back by an administrator"},
		{"failed", message(func(m *Message) { m.State, m.Reason = Failed, "550 no" }), stopped(secret),
			"given up: 550 no"},
		{"damaged", message(func(m *Message) { m.State, m.Reason = Damaged, "cut" }), agent, "damaged: cut"},
	} {
		e := Explainer{Status: c.status, Now: now}
		if got := e.Waiting(c.m); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	e := Explainer{Now: now.In(time.FixedZone("", 2*3600))}
	for _, c := range []struct {
		t    time.Time
		want string
	}{
		{now, "12:00"}, {now.Add(13 * time.Hour), "Thu Mar 5 01:00"}, {now.AddDate(1, 0, 0), "2027-03-04 12:00"},
		{time.Time{}, "0001-01-01 02:00"},
	} {
		if got := e.Clock(c.t); got != c.want {
			t.Errorf("%v: %q, want %q", c.t, got, c.want)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	e := &Explainer{Now: now, Status: Status{Agent: true, Mailbox: "m@example.com", Stops: []Stop{
		{Mailbox: "m@example.com", Hold: true, Reason: "the client secret has expired", Remedy: "make a new one",
			Tries: 3, Since: now.Add(-time.Hour), Next: now.Add(time.Hour)},
	}}}
	l := NewList(&b, e)
	for _, m := range []*Message{
		message(),
		message(func(m *Message) {
			m.State, m.Sender, m.Size = Held, "", 99
			m.Recipients = []Recipient{{Address: "done@example.org", State: RecipientDone},
				{Address: "\x1b]0;evil\a@example.org", State: RecipientTodo},
				{Address: "no@example.org", State: RecipientFailed, Code: 550, Enhanced: "5.1.1"}}
		}),
	} {
		if err := l.Add(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want := `-Queue ID----------------------  --Size-- -Age Tries Next User---- -Sender----------------- -Recipient-------
(held: the client secret has expired; 1 message since 09:00, tried 3 times)
    make a new one
20260304090000-0123456789abcdef      1234   1h     0   1h 33       a@example.com            x@example.org

(held: by an administrator; 1 message)
20260304090000-0123456789abcdef!       99   1h     0    - 33       MAILER-DAEMON            \x1b]0;evil\a@example.org
                                                                                           no@example.org (refused 550 5.1.1)

-- 2 Kbytes in 2 Requests.
`
	if b.String() != want {
		t.Errorf("got:\n%swant:\n%s", &b, want)
	}
	b.Reset()
	if err := NewList(&b, e).Close(); err != nil || b.String() != "Mail queue is empty\n" {
		t.Errorf("%q %v", &b, err)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	d := &Detail{Message: *message(), EnvID: "e\x00", Log: "one\n" + strings.Repeat("é\x1b", 300) + "\n"}
	d.Header = "Subject: \x1b[2J\r\n folded\r\n"
	d.Tries, d.Last, d.Mailbox, d.Origin = 3, now, "n@example.com", "socket"
	var b bytes.Buffer
	if err := Page(&b, d, &Explainer{Now: now, Status: Status{Agent: true}},
		func(int) string { return "www-data" }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Queue ID:    20260304090000-0123456789abcdef\n", "State:       queued\n", "From user:   www-data (33)\n",
		"Arrived:     Wed, 04 Mar 2026 09:00:00 +0000\n",
		"Recipient:   x@example.org, todo\n", "Signs in as: n@example.com\n", "Envelope ID: e\\x00\n",
		"History:\n  one\n  é\\x1bé", "Last try:    10:00\n",
		"Tries:       3\n", "Waiting:     waiting: not tried yet\n", "Next try:    due\n",
		"Header:\n  Subject: \\x1b[2J\n   folded\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, &b)
		}
	}
	if n := strings.Count(b.String(), `é\x1b`); n != 300 {
		t.Errorf("%d of 300 in the log", n)
	}
}

func TestHarmless(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"open /etc/x: no": "open (a file): no", `read "/etc/x", bad`: `read (a file), bad`,
		"535 5.7.3 no": "535 5.7.3 no", "": "", "TLS 1.2/1.3 and/or": "TLS 1.2/1.3 and/or",
		"key=x in ~/y;  /z": "key=x in (a file);  (a file)", "(/a b)": "(a file) b)", "path=/x": "(a file)",
	} {
		if got := (Stop{Reason: in, Remedy: "r"}).Harmless(); got.Reason != want || got.Remedy != "" {
			t.Errorf("%q: %+v, want %q", in, got, want)
		}
	}
}

func TestFromSpool(t *testing.T) {
	t.Parallel()
	info := spool.Info{ID: "20260304090000-0123456789abcdef", Envelope: envelope.Envelope{Recipients: []envelope.Recipient{{Address: "a"},
		{Address: "b"}, {Address: "c"}}},
		Status: spool.Status{Recipients: []spool.RecipientStatus{{State: spool.Done, Code: 250},
			{State: spool.Failed, Code: 550, Enhanced: "5.1.1"}}}}
	var m Message
	for _, c := range []struct {
		change func(*spool.Info)
		want   State
	}{
		{func(*spool.Info) {}, Queued},
		{func(i *spool.Info) { i.Status.Attempts = 1 }, Deferred},
		{func(i *spool.Info) { i.Status.Held = true }, Held},
		{func(i *spool.Info) { i.Failed = true }, Failed},
		{func(i *spool.Info) { i.Err, i.Meta.Arrived = spool.ErrDamaged, time.Time{} }, Damaged},
		{func(i *spool.Info) { i.Failed, i.Err = false, spool.ErrNewer }, Held},
	} {
		c.change(&info)
		FromSpool(&info, &m)
		if m.State != c.want {
			t.Errorf("%s, want %s", m.State, c.want)
		}
		if m.State == Damaged && (m.Arrived.IsZero() || (&Message{State: Damaged}).senderName() != "-") {
			t.Errorf("%+v", m)
		}
	}
	if len(m.Recipients) != 3 || m.Recipients[0].State != RecipientDone || m.Recipients[1].State != RecipientFailed ||
		m.Recipients[2].State != RecipientTodo {
		t.Errorf("%+v", m.Recipients)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	in := "Subject: \x1b[2J\u009b2J\r\n\tfolded\r\n\r\nlast \xff"
	var b bytes.Buffer
	if err := Text(&b, iotest.OneByteReader(strings.NewReader(in))); err != nil {
		t.Fatal(err)
	}
	if want := "Subject: \\x1b[2J\\u009b2J\n\tfolded\n\nlast \\xff"; b.String() != want {
		t.Errorf("%q, want %q", &b, want)
	}
	b.Reset()
	long := strings.Repeat("x", 100_000) + "\n"
	if err := Text(&b, strings.NewReader(long)); err != nil || b.String() != long {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	long := "X: " + strings.Repeat("y", 10_000) + "\r\n"
	for in, want := range map[string]string{
		"A: b\r\nC: d\r\n\r\nbody\r\n": "A: b\r\nC: d\r\n", "A: b\n\nbody": "A: b\n", "\r\nbody": "", "": "",
		"A: b":            "A: b",
		long + "\r\nbody": long, strings.Repeat("z", 4096) + "\r\nA: b\r\n\r\nc": strings.Repeat("z", 4096) +
			"\r\nA: b\r\n",
	} {
		got, err := io.ReadAll(iotest.OneByteReader(Headers(strings.NewReader(in))))
		if err != nil || string(got) != want {
			t.Errorf("%.40q: %.60q %v", in, got, err)
		}
	}
	if _, err := io.ReadAll(Headers(iotest.ErrReader(io.ErrUnexpectedEOF))); err == nil {
		t.Error("an error is lost")
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"", "failed=1&held=true", "sender=a%40b&recipient=c&uid=-1",
		"id=20260304090000-0123456789abcdef&id=../x", "uid=x", "%zz", "a=1;b=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		filter, err := ParseQuery(raw)
		if err != nil {
			return
		}
		again, err := ParseQuery(filter.Query().Encode())
		if err != nil || again.Query().Encode() != filter.Query().Encode() {
			t.Errorf("%q: %+v, then %+v (%v)", raw, filter, again, err)
		}
		for _, id := range filter.IDs {
			if !spool.ValidID(id) {
				t.Errorf("%q let %q pass", raw, id)
			}
		}
	})
}
