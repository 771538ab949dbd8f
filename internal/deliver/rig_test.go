package deliver

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/cache"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
	"o365-sendmail/xoauth"
)

// rig is an engine beside an emulator.
type rig struct {
	t     testing.TB
	em    *emulator.Emulator
	sp    *spool.Spool
	dir   string
	e     *Engine
	log   *syncBuffer
	clock *fakeClock // nil: the system's

	stop context.CancelFunc
	done chan error
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// fakeClock runs with the real one, from where it was set last.
type fakeClock struct {
	mu     sync.Mutex
	offset time.Duration
	waits  map[*fakeWait]struct{}
}

type fakeWait struct {
	at time.Time
	c  chan time.Time
	t  *time.Timer
}

func newFakeClock() *fakeClock { return &fakeClock{waits: map[*fakeWait]struct{}{}} }

func (f *fakeClock) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Now().Add(f.offset).Round(0) // wall time only, as after a jump
}

func (f *fakeClock) After(d time.Duration) (<-chan time.Time, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &fakeWait{at: time.Now().Add(f.offset + d), c: make(chan time.Time, 1)}
	f.waits[w] = struct{}{}
	w.t = time.AfterFunc(d, func() { f.fire(w) })
	return w.c, func() { f.cancel(w) }
}

func (f *fakeClock) fire(w *fakeWait) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.waits[w]; ok {
		delete(f.waits, w)
		w.c <- w.at
	}
}

func (f *fakeClock) cancel(w *fakeWait) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.t.Stop()
	delete(f.waits, w)
}

// advance moves time on; waits that have passed end.
func (f *fakeClock) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offset += d
	now := time.Now().Add(f.offset)
	for w := range f.waits {
		if !w.at.After(now) {
			w.t.Stop()
			delete(f.waits, w)
			w.c <- w.at
		}
	}
}

type rigOptions struct {
	emulator  func(*emulator.State)
	account   func(*Account)
	config    func(*Config)
	engine    func(*EngineOptions)
	spool     func(*spool.Options)
	fakeClock bool
	dir       string
	em        *emulator.Emulator
}

const bounceTo = "postmaster@contoso.test"

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	r := &rig{t: t, dir: o.dir, em: o.em, log: &syncBuffer{}}
	if r.dir == "" {
		r.dir = t.TempDir()
	}
	if o.fakeClock {
		r.clock = newFakeClock()
	}
	now := time.Now
	var clock Clock
	if r.clock != nil {
		now, clock = r.clock.Now, r.clock
	}
	if r.em == nil {
		r.em = emulator.New(t, func(eo *emulator.Options) {
			eo.Now = now
			eo.State = func(s *emulator.State) {
				s.Exchange.Tarpit = 0
				s.Limits.PerMinute = 0
				s.Limits.RecipientsPerDay = 0
				if o.fakeClock { // nothing ends because the clock was moved in the midst of a sign-in
					s.Entra.ExpiresIn = 47 * 3600
					for _, t := range s.Tenants {
						for _, a := range t.Apps {
							for _, secret := range a.Secrets {
								secret.Expires = time.Time{}
							}
						}
						t.Mailboxes["other@contoso.test"] = &emulator.Mailbox{SendAs: map[string]*emulator.Grant{emulator.DefaultMailbox: {}}}
					}
				}
				if o.emulator != nil {
					o.emulator(s)
				}
			}
		})
	}
	so := spool.Options{Dir: filepath.Join(r.dir, "spool"), Now: now, Warn: func(err error) { t.Log("spool:", err) }}
	if o.spool != nil {
		o.spool(&so)
	}
	sp, err := spool.Open(so)
	if err != nil {
		t.Fatal(err)
	}
	r.sp = sp
	a := testAccount(r.em, filepath.Join(r.dir, "cache"), now)
	if o.account != nil {
		o.account(a)
	}
	eo := EngineOptions{
		Config: Config{
			Account: a, Wait: 5 * time.Second, IdleTimeout: 2 * time.Second, ProbeInterval: 5 * time.Minute, QueueInterval: time.Minute,
			DrainTimeout: 5 * time.Second, Lifetime: 5 * 24 * time.Hour, DelayWarning: 4 * time.Hour,
			Reports: notify.Config{Host: "web1.contoso.test", AlertTo: "alerts@contoso.test", BounceTo: bounceTo},
		},
		Spool: sp, Clock: clock, StateFile: filepath.Join(r.dir, "state.json"),
		Log:    maillog.New(maillog.Options{To: "stderr", Format: "text", Stderr: r.log}),
		Warn:   func(err error) { r.log.Write([]byte("warn: " + err.Error() + "\n")) },
		Jitter: func() float64 { return 0.5 },
	}
	if o.config != nil {
		o.config(&eo.Config)
	}
	if o.engine != nil {
		o.engine(&eo)
	}
	r.e = NewEngine(eo)
	t.Cleanup(func() {
		r.halt()
		_ = sp.Close()
		if t.Failed() {
			t.Log("log:\n" + r.log.String())
		}
	})
	return r
}

func testAccount(em *emulator.Emulator, dir string, now func() time.Time) *Account {
	_, port := em.SMTPAddr()
	key := cache.Key{Authority: em.TokenURL(), Tenant: em.Tenant, ClientID: em.ClientID, Scope: "https://outlook.office365.com/.default", Credential: "test"}
	tokens := cache.New(cache.Options{Dir: dir, Now: now})
	return &Account{
		Submit: submit.Config{Host: em.SMTPHost, Port: port, RootCAs: em.CAPool(), EHLOName: "web1.contoso.test",
			ConnectTimeout: 5 * time.Second, CommandTimeout: 5 * time.Second, DataTimeout: 5 * time.Second},
		Mailbox: em.Mailbox,
		Cache:   tokens, Quota: quota.New(tokens.Shared(), now),
		Key: key, Connections: 3,
		Source: func() (xoauth.TokenSource, error) {
			hc, err := xoauth.NewHTTPClient(xoauth.HTTPOptions{RootCAs: em.CAPool(), Timeout: 5 * time.Second})
			if err != nil {
				return nil, err
			}
			return xoauth.New(xoauth.Options{Tenant: em.Tenant, ClientID: em.ClientID, Scope: key.Scope, TokenURL: em.TokenURL(),
				Credential: xoauth.ClientSecret(xoauth.NewSecret(em.ClientSecret)), HTTPClient: hc, Now: now})
		},
	}
}

// run starts the engine.
func (r *rig) run() *rig {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop, r.done = cancel, make(chan error, 1)
	go func() { r.done <- r.e.Run(ctx) }()
	r.until("the engine runs", func() bool { return r.e.State().Running })
	return r
}

func (r *rig) halt() {
	if r.stop == nil {
		return
	}
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
	r.stop = nil
}

// until waits for something to become true.
func (r *rig) until(what string, true func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !true() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited too long until %s; state %+v\nlog:\n%s", what, r.e.State(), r.log.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (r *rig) untilEmpty() {
	r.t.Helper()
	r.until("the queue is empty", func() bool { return len(r.ids()) == 0 })
}

func (r *rig) ids() []string {
	ids, err := r.sp.IDs()
	if err != nil {
		r.t.Fatal(err)
	}
	return ids
}

func (r *rig) put(uid int, n int, to ...string) string {
	r.t.Helper()
	env := testEnvelope(r.em.Mailbox, to...)
	env.Caller.UID = uid
	id, err := r.sp.Put(context.Background(), metaOf(env), env, testMessage(r.em.Mailbox, fmt.Sprintf("%d-%d", uid, n)))
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func testEnvelope(from string, to ...string) *envelope.Envelope {
	env := &envelope.Envelope{Sender: from, Origin: "root@web1.local"}
	if len(to) == 0 {
		to = []string{"user@example.com"}
	}
	for _, a := range to {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: a})
	}
	return env
}

func testMessage(from, subject string) notify.Text {
	return notify.Text("From: " + from + "\r\nTo: user@example.com\r\nDate: Tue, 01 Jan 2030 00:00:00 +0000\r\n" +
		"Message-ID: <" + subject + "@test>\r\nSubject: " + subject + "\r\n\r\nHello.\r\n")
}

// subjects counts the messages that arrived by their subject.
func (r *rig) subjects() map[string]int {
	got := map[string]int{}
	for _, m := range r.em.Messages() {
		got[subjectIn(string(m.Data))]++
	}
	return got
}

func subjectIn(data string) string {
	_, after, ok := strings.Cut("\r\n"+data, "\r\nSubject: ")
	if !ok {
		return ""
	}
	s, _, _ := strings.Cut(after, "\r\n")
	return s
}

func (r *rig) status(id string) spool.Info {
	r.t.Helper()
	info, err := r.sp.Get(id)
	if err != nil {
		r.t.Fatalf("%s: %v", id, err)
	}
	return info
}
