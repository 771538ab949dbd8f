package spool

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
)

// odd has everything an envelope can hold, and what could break a text file.
func odd() *envelope.Envelope {
	return &envelope.Envelope{
		Sender: "\"a\\\"b\r\nto \x00\x1b[31m\"@example.com", SignIn: "grüße@example.com", Ret: "HDRS",
		EnvID:    "QQ \"314159\"\\",
		EightBit: true, SMTPUTF8: true,
		Recipients: []envelope.Recipient{
			{Address: "b@example.com", Notify: envelope.NotifySuccess | envelope.NotifyDelay,
				ORcpt: "rfc822;b b@\texample.com"},
			{Address: "\" notify=NEVER\"@example.com", Notify: envelope.NotifyNever},
			{Address: "", ORcpt: "x\xff"},
			{Address: "end 00000000\n"},
		},
	}
}

func TestPutAndClaim(t *testing.T) {
	t.Parallel()
	for name, msg := range map[string]text{"empty": "", "small": hello, "a page": large[:2500],
		"64 KiB": large[:smallMessage], "64 KiB and 1": large[:smallMessage+1], "large": large} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s, w := open(t, Options{Now: c.Now})
			id := put(t, s, odd(), msg)
			if !strings.HasPrefix(id, "20260304050607-") || !ValidID(id) {
				t.Errorf("id %s", id)
			}
			wantFiles(t, s, "queue/"+id+".msg")
			it := claim(t, s, id)
			if got, err := contentOf(it.Message()); err != nil || got != string(msg) ||
				it.Message().Size() != msg.Size() {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(msg))
			}
			if got := it.Envelope(); !reflect.DeepEqual(got, odd()) {
				t.Errorf("envelope %+v", got)
			}
			if got, want := it.Meta(), (Meta{UID: 33, Origin: "test", Arrived: c.now}); got != want {
				t.Errorf("meta %+v, want %+v", got, want)
			}
			if st := it.Status(); st.Count(Todo) != 4 || st.Attempts != 0 || !st.Next.IsZero() || st.Lost {
				t.Errorf("status %+v", st)
			}
			w.none(t)
		})
	}
}

func TestFileIsReadable(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{Now: newClock().Now})
	id := put(t, s, to("b@example.com"), hello)
	b, err := os.ReadFile(s.path(queueDir, id, suffixMessage))
	if err != nil {
		t.Fatal(err)
	}
	front := string(b[:len(b)-len(hello)])
	for i, c := range front {
		if c != '\n' && (c < ' ' || c > '~') {
			t.Fatalf("byte %d is %q", i, c)
		}
	}
	for _, want := range []string{
		"o365-sendmail-message 1\n", "arrived 2026-03-04T05:06:07.891234Z\n", "uid 33\n", "from \"a@example.com\"\n",
		"flags -\n", "recipients 1\nto \"b@example.com\"\nend ",
		"attempts 00000 last 0001-01-01T00:00:00Z next 0001-01-01T00:00:00Z hold - ", "T 000",
	} {
		if !strings.Contains(front, want) {
			t.Errorf("no %q in\n%s", want, front)
		}
	}
	if len(front) != 2*sector || string(b[2*sector:]) != string(hello) {
		t.Errorf("the message does not stand at %d", len(front))
	}
}

func TestClaimExcludes(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{})
	other, _ := open(t, Options{Dir: s.o.Dir})
	id := put(t, s, to("b@example.com"), hello)
	it := claim(t, s, id)
	for _, sp := range []*Spool{s, other} {
		if _, err := sp.Claim(id); !errors.Is(err, ErrBusy) {
			t.Errorf("second claim: %v", err)
		}
	}
	it.Unlock()
	it = claim(t, other, id)
	if err := it.Finish(); !errors.Is(err, ErrUnfinished) {
		t.Errorf("finish with a recipient to do: %v", err)
	}
	if err := it.Mark(map[int]RecipientStatus{0: {State: Done, Code: 250, Enhanced: "2.0.0"}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(it.Finish(), other.Sync()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(id); !errors.Is(err, ErrGone) {
		t.Errorf("claim after finish: %v", err)
	}
	wantFiles(t, s)
}

func TestStatusSurvives(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, w := open(t, Options{Now: c.Now})
	id := put(t, s, to("b@example.com", "c@example.com", "d@example.com"), hello)
	it := claim(t, s, id)
	next := c.now.Add(5 * time.Minute).Truncate(time.Second)
	reason := "432 4.3.2 \"STOREDRV\"\r\n\x1b[2J" + strings.Repeat("ä long reason ", 40)
	err := errors.Join(
		it.Mark(map[int]RecipientStatus{1: {Done, 250, "2.1.5"}, 2: {Failed, 550, "5.1.10"}}),
		it.Defer(next, "temporary", reason),
		it.SetWarned(), it.Hold(reason))
	if err != nil {
		t.Fatal(err)
	}
	it.Unlock()
	st := claim(t, s, id).Status()
	want := []RecipientStatus{{Todo, 0, ""}, {Done, 250, "2.1.5"}, {Failed, 550, "5.1.10"}}
	if !reflect.DeepEqual(st.Recipients, want) {
		t.Errorf("recipients %v, want %v", st.Recipients, want)
	}
	if st.Attempts != 1 || !st.Next.Equal(next) || !st.Last.Equal(c.now.Truncate(time.Second)) || !st.Held ||
		!st.Warned || st.Class != "temporary" {
		t.Errorf("status %+v", st)
	}
	if !strings.HasPrefix(reason, strings.TrimSuffix(st.Reason, "...")) ||
		!strings.HasSuffix(st.Reason, " reason...") || len(st.Reason) < 150 {
		t.Errorf("reason %q", st.Reason)
	}
	log, err := s.ReadLog(id)
	if want := "2026-03-04T05:06:07Z \"try 1: 432 4.3.2 " +
		"\\\"STOREDRV\\\"\\x0d\\x0a\\x1b[2J\\xc3\\xa4 long"; !strings.HasPrefix(string(log), want) {
		t.Errorf("log %q, %v", log, err)
	}
	if i := list(t, s); len(i) != 1 || !reflect.DeepEqual(i[0].Status, st) || i[0].Err != nil {
		t.Errorf("listed as %+v", i)
	}
	w.none(t)
}

// TestTriesCount: a try that failed by no fault of the message's counts apart, and each has its line in the log.
func TestTriesCount(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, w := open(t, Options{Now: c.Now})
	id := put(t, s, to("b@example.com"), hello)
	it := claim(t, s, id)
	long := strings.Repeat("long reason ", 30)
	err := errors.Join(it.Postpone(c.now, "share", "no room"), it.Excuse(c.now, "account", long),
		it.Defer(c.now, "temporary", "451 later"), it.Excuse(c.now, "account", "no token"), it.Hold("wait"))
	if err != nil {
		t.Fatal(err)
	}
	it.Unlock()
	st := claim(t, s, id).Status()
	if st.Attempts != 1 || st.Others != 2 || st.Tries() != 3 || !st.Held || st.Lost || st.Reason != "wait" ||
		!st.Last.Equal(c.now.Truncate(time.Second)) {
		t.Errorf("%+v", st)
	}
	log, err := s.ReadLog(id)
	for i, want := range []string{"try 1: " + long, "try 2: 451 later", "try 3: no token"} {
		lines := strings.Split(string(log), "\n")
		if err != nil || len(lines) != 4 || !strings.Contains(lines[i], `"`+want+`"`) {
			t.Fatalf("%v: no %q in %s", err, want, log)
		}
	}
	for _, reason := range []string{strings.Repeat("x", 900), `"\"`, "\x00" + strings.Repeat("y ", 200)} {
		st := Status{Others: 70_000_000, Attempts: 70_000_000, Reason: reason, Recipients: []RecipientStatus{{State: Todo}}}
		got := decodeStatus(encodeStatus(&st), 1)
		if got.Lost || got.Others != maxAttempts || got.Attempts != maxAttempts || len(got.Reason) > len(reason) {
			t.Errorf("%+v", got)
		}
	}
	w.none(t)
}

func TestReleaseAndRetry(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, _ := open(t, Options{Now: c.Now})
	id := put(t, s, to("b@example.com"), hello)
	it := claim(t, s, id)
	if err := errors.Join(it.Defer(c.now.Add(time.Hour), "temporary", "later"), it.Hold("wait")); err != nil {
		t.Fatal(err)
	}
	if err := s.Retry(id, 0); !errors.Is(err, ErrBusy) {
		t.Errorf("retry while in use: %v", err)
	}
	it.Unlock()
	if n, err := s.RetryAll(t.Context()); n != 1 || err != nil {
		t.Errorf("retry all: %d, %v", n, err)
	}
	if i, _ := s.Get(id); !i.Status.Next.IsZero() || !i.Status.Held {
		t.Errorf("after retry: %+v", i.Status)
	}
	it = claim(t, s, id)
	if err := it.Release(); err != nil {
		t.Fatal(err)
	}
	if i, _ := s.Get(id); i.Status.Held || i.Status.Reason != "wait" {
		t.Errorf("after release: %+v", i.Status)
	}
}

func TestFailAndBack(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{})
	id := put(t, s, to("b@example.com", "c@example.com"), hello)
	it := claim(t, s, id)
	if err := it.Mark(map[int]RecipientStatus{0: {Failed, 550, "5.1.1"}, 1: {Done, 250, ""}}); err != nil {
		t.Fatal(err)
	}
	if err := it.Fail("the bounce can't be sent"); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, s, "failed/"+id+".log", "failed/"+id+".msg")
	if _, err := s.Claim(id); !errors.Is(err, ErrGone) {
		t.Errorf("claim of a failed one: %v", err)
	}
	if i, err := s.Get(id); err != nil || !i.Failed || i.Status.Reason != "the bounce can't be sent" {
		t.Errorf("%+v, %v", i, err)
	}
	if st, err := s.Stats(); err != nil || st != (Stats{Failed: 1}) {
		t.Errorf("stats %+v, %v", st, err)
	}
	if err := s.Retry(id, 0); err != nil {
		t.Fatal(err)
	}
	it = claim(t, s, id)
	if got := it.Todo(); len(got) != 1 || got[0] != 0 {
		t.Errorf("to do %v", got)
	}
	it.Unlock()
	if st, err := s.Stats(); err != nil || st != (Stats{Messages: 1, Bytes: hello.Size()}) {
		t.Errorf("stats %+v, %v", st, err)
	}
	if err := s.Remove(id); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, s)
	if err := s.Remove(id); !errors.Is(err, ErrGone) {
		t.Errorf("second removal: %v", err)
	}
	w.none(t)
}

func TestOddIDs(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{})
	good := put(t, s, to("b@example.com"), hello)
	for _, id := range []string{
		"", ".", "..", "../queue/" + good, good + ".msg", good + "x", good[:len(good)-1], strings.ToUpper(good[:15]) +
			"ABCDEF0123456789",
		"2026030405060x-0123456789abcdef", "20260304050607/0123456789abcdef", "20260304050607-0123456789abcde\x00",
		strings.Repeat("a", 31),
	} {
		if ValidID(id) {
			t.Errorf("%q is valid", id)
		}
		_, claimErr := s.Claim(id)
		_, getErr := s.Get(id)
		_, logErr := s.ReadLog(id)
		for _, err := range []error{claimErr, getErr, logErr, s.Remove(id), s.Retry(id, 0)} {
			if !errors.Is(err, ErrBadID) {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
}

func TestPendingStreams(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{})
	env := to("b@example.com")
	env.EightBit, env.SMTPUTF8 = true, true
	p, err := s.Begin(Meta{UID: 1}, env)
	if err != nil {
		t.Fatal(err)
	}
	for part := string(large); part != ""; {
		n := min(len(part), 7777)
		if _, err := p.Write([]byte(part[:n])); err != nil {
			t.Fatal(err)
		}
		part = part[n:]
	}
	if n := len(list(t, s)); n != 0 {
		t.Errorf("%d messages before commit", n)
	}
	it, err := p.CommitClaimed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.Abort()
	if _, err := s.Claim(it.ID()); !errors.Is(err, ErrBusy) {
		t.Errorf("another may claim: %v", err)
	}
	if got, err := contentOf(it.Message()); err != nil || got != string(large) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	it.Unlock()
	if e := claim(t, s, it.ID()).Envelope(); !e.EightBit || !e.SMTPUTF8 {
		t.Errorf("envelope %+v", e)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{})
	for _, msg := range []text{hello, large} {
		p, err := s.Begin(Meta{UID: 1}, to("b@example.com"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write([]byte(msg)); err != nil {
			t.Fatal(err)
		}
		p.Abort()
		p.Abort()
		if _, err := p.Commit(t.Context()); err == nil {
			t.Error("commit after abort")
		}
		if _, err := p.Write(nil); err == nil {
			t.Error("write after abort")
		}
	}
	wantFiles(t, s)
	if st, err := s.Stats(); err != nil || st != (Stats{}) {
		t.Errorf("stats %+v, %v", st, err)
	}
}

func TestManyRecipients(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{})
	env := to()
	for i := range 2000 {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: fmt.Sprintf("%0200d@example.com", i),
			ORcpt: "rfc822;x"})
	}
	id := put(t, s, env, hello)
	it := claim(t, s, id)
	if err := it.Mark(map[int]RecipientStatus{1999: {State: Done}}); err != nil {
		t.Fatal(err)
	}
	it.Unlock()
	it = claim(t, s, id)
	if !reflect.DeepEqual(it.Envelope(), env) || len(it.Todo()) != 1999 {
		t.Errorf("%d recipients, %d to do", len(it.Envelope().Recipients), len(it.Todo()))
	}
	if got, err := contentOf(it.Message()); err != nil || got != string(hello) {
		t.Errorf("%q, %v", got, err)
	}
	for len(env.Recipients) < 150000 {
		env.Recipients = append(env.Recipients, env.Recipients...)
	}
	if _, err := s.Begin(Meta{}, env); err == nil {
		t.Error("256,000 long recipients were taken")
	}
}

func TestListIsInOrder(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, _ := open(t, Options{Now: c.Now, Ops: withoutSync()})
	var want []string
	for range 20 {
		c.add(time.Second)
		want = append(want, put(t, s, to("b@example.com"), hello))
	}
	var got []string
	if err := s.List(t.Context(), func(i Info) bool { got = append(got, i.ID); return len(got) < 15 }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want[:15]) {
		t.Errorf("got %v, want %v", got, want)
	}
}
