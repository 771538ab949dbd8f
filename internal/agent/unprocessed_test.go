package agent

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
)

const (
	ceo = "ceo@contoso.test"
	// asCEO is the message of a caller who may not use that sender.
	asCEO = "From: \"The CEO\" <ceo@contoso.test>\r\nResent-From: ceo@contoso.test\r\nSubject: kept\r\n\r\nx\r\n"
)

func looping() string { return strings.Repeat("Received: by somewhere\r\n", 101) + asCEO }

// broken makes the site's configuration one that can't be used.
func (s *site) broken() (good string) {
	good = s.toml("")
	s.write("nonsense\n" + good)
	return good
}

// spoolDo opens the spool beside the agent.
func (s *site) spoolDo(do func(*spool.Spool)) {
	s.t.Helper()
	sp, err := spool.Open(spool.Options{Dir: filepath.Join(s.dir, "spool")})
	if err != nil {
		s.t.Fatal(err)
	}
	defer sp.Close()
	do(sp)
}

// putKept puts a message into the spool as an agent leaves it that dies before the hold.
func (s *site) putKept(text string, to ...string) (id string) {
	s.t.Helper()
	s.spoolDo(func(sp *spool.Spool) {
		env := &envelope.Envelope{Sender: ceo, Origin: ceo}
		for _, a := range to {
			env.Recipients = append(env.Recipients, envelope.Recipient{Address: a})
		}
		var err error
		id, err = sp.Put(s.t.Context(), spool.Meta{UID: 33, Origin: spool.Unprocessed + "userid 33"}, env,
			message{envelope.OptionsField + ": mode=background; hops=1\r\n" + text})
		if err != nil {
			s.t.Fatal(err)
		}
	})
	return id
}

func (s *site) item(id string, do func(*spool.Item) error) {
	s.t.Helper()
	s.spoolDo(func(sp *spool.Spool) {
		it, err := sp.Claim(id)
		if err == nil {
			err = do(it)
			it.Unlock()
		}
		if err != nil {
			s.t.Fatal(err)
		}
	})
}

// queueAs asks the agent's queue for something as a local user.
func (s *site) queueAs(v control.Viewer, a control.Action, id string) (err error) {
	q := control.NewLocal(s.agent.spool, control.EngineHooks(s.agent.engine, s.agent.mailbox, "test")).As(v)
	failed := q.Apply(s.t.Context(), a, queueview.Filter{IDs: []string{id}}, func(r control.Result) error {
		if r.Code != 0 {
			err = fmt.Errorf("%d %s", r.Code, r.Error)
		}
		return nil
	})
	if failed != nil {
		s.t.Fatal(failed)
	}
	return err
}

// wantProcessed checks that a message left by the rules.
func (s *site) wantProcessed(m emulator.Message) {
	s.t.Helper()
	data := string(m.Data)
	header, _, _ := strings.Cut(data, "\r\n\r\n")
	if m.Envelope.From != s.Mailbox || strings.Contains(m.Header("From"), "<"+ceo+">") ||
		!strings.Contains(m.Header("From"), s.Mailbox) {
		s.t.Errorf("from %s, From %q", m.Envelope.From, m.Header("From"))
	}
	if strings.Contains(data, envelope.OptionsField) || m.Header("Date") == "" || m.Header("Message-ID") == "" ||
		!strings.HasPrefix(header, "Received: by web1 (userid ") {
		s.t.Errorf("not processed:\n%s", data)
	}
}

// TestKeptIsProcessed goes all the ways by which a kept message may get to its delivery.
func TestKeptIsProcessed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(s *site, id string)
	}{
		{"not held, since the agent died before", func(*site, string) {}},
		{"held by an older version", func(s *site, id string) {
			s.item(id, func(it *spool.Item) error {
				return it.Hold("not processed yet, since the configuration could not be used: line 1: x")
			})
		}},
		{"released", func(s *site, id string) {
			s.item(id, func(it *spool.Item) error { return it.Hold("not processed yet") })
			s.item(id, (*spool.Item).Release)
		}},
		{"held by an administrator and released", func(s *site, id string) {
			s.item(id, func(it *spool.Item) error { return it.Hold("") })
			s.item(id, (*spool.Item).Release)
		}},
		{"due at once", func(s *site, id string) { s.item(id, (*spool.Item).RetryNow) }},
		{"given up and retried", func(s *site, id string) {
			s.item(id, func(it *spool.Item) error { return it.Fail("refused by an older version") })
			s.spoolDo(func(sp *spool.Spool) {
				if err := sp.Retry(id, 0); err != nil {
					s.t.Fatal(err)
				}
			})
		}},
		{"its state lost", func(s *site, id string) {
			f, err := os.OpenFile(filepath.Join(s.dir, "spool", "queue", id+".msg"), os.O_RDWR, 0)
			if err == nil {
				_, err = f.WriteAt(make([]byte, 100), 512) // the status area
				f.Close()
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			id := s.putKept(asCEO, "root", "a@example.org@localhost")
			c.do(s, id)
			s.start()
			m := s.arrived(1)[0]
			s.wantProcessed(m)
			if len(m.Envelope.To) != 2 || m.Envelope.To[0] != s.RootTo {
				t.Errorf("to %v", m.Envelope.To)
			}
			s.until("the queue is empty", func() bool { return s.queued() == 0 })
			if n := len(s.Messages()); n != 1 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// TestKeptRetried: when its owner or an administrator retries a message, it is processed, and no more.
func TestKeptRetried(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	good := s.broken()
	s.start()
	var ids []string
	for _, text := range []string{looping(), asCEO} {
		r, err := s.send(&envelope.Envelope{Sender: ceo, Recipients: to("a@example.org").Recipients},
			envelope.Options{Mode: "background"}, text)
		if err != nil || !r.Queued {
			t.Fatalf("%+v, %v", r, err)
		}
		ids = append(ids, r.QueueID)
	}
	loop, fine := ids[0], ids[1]
	own, admin := control.Viewer{UID: os.Getuid()}, control.Viewer{All: true}
	for _, id := range ids { // while there are no rules
		if err := s.queueAs(own, control.Retry, id); err != nil {
			t.Error(err)
		}
		if err := s.queueAs(admin, control.Release, id); err != nil {
			t.Error(err)
		}
	}
	s.until("both wait", func() bool { return s.queued() == 2 })
	if len(s.Messages()) != 0 {
		t.Fatal("sent without rules")
	}
	s.write(good)
	s.reload <- syscall.SIGHUP
	s.wantProcessed(s.arrived(1)[0])
	inFailed := func(times int) func() bool {
		return func() bool {
			i, err := s.info(loop)
			return err == nil && i.Failed && strings.Count(s.log(), loop+": status=failed") == times
		}
	}
	s.until("the one that loops is given up", inFailed(1))
	if err := s.queueAs(own, control.Retry, loop); err != nil {
		t.Error(err)
	}
	if i, err := s.info(loop); err != nil || i.Failed || !i.Status.Next.After(time.Now()) {
		t.Errorf("the owner's retry keeps to no floor: %+v, %v", i.Status, err)
	}
	if err := s.queueAs(admin, control.Retry, loop); err != nil {
		t.Error(err)
	}
	s.until("it is given up again", inFailed(2))
	if n := len(s.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
	if _, err := s.info(fine); err == nil {
		t.Error("the one that was sent is there still")
	}
}

// TestKeptForSome: those who can get a kept message get it once, and a retry is for the others only.
func TestKeptForSome(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	base := strings.Replace(s.toml(""), "root_to ", "#", 1)
	s.write(base)
	s.putKept(asCEO, "a@example.org", "late", "b@example.org")
	s.start()
	if m := s.arrived(1)[0]; len(m.Envelope.To) != 2 {
		t.Errorf("to %v", m.Envelope.To)
	}
	failed := func() (ids []string) {
		s.spoolDo(func(sp *spool.Spool) {
			if err := sp.ListFailed(t.Context(),
				func(i spool.Info) bool { ids = append(ids, i.ID); return true }); err != nil {
				t.Fatal(err)
			}
		})
		return ids
	}
	ids := failed()
	if len(ids) != 1 {
		t.Fatalf("in failed/: %v", ids)
	}
	s.write(base + "\n[aliases]\nlate = \"late@example.org\"\n")
	s.reload <- syscall.SIGHUP
	s.until("it is read", func() bool { return strings.Contains(s.log(), "read again") })
	if err := s.queueAs(control.Viewer{All: true}, control.Retry, ids[0]); err != nil {
		t.Fatal(err)
	}
	m := s.arrived(2)[1]
	s.wantProcessed(m)
	if len(m.Envelope.To) != 1 || m.Envelope.To[0] != "late@example.org" {
		t.Errorf("to %v", m.Envelope.To)
	}
	s.until("nothing is left", func() bool { return s.queued()+len(failed()) == 0 })
}

// TestKeptWaits: what can't be processed now says why, and goes when the cause is gone.
func TestKeptWaits(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	path := filepath.Join(s.dir, "aliases")
	s.write("aliases_file = \"" + path + "\"\n" + s.toml(""))
	if err := os.Symlink(t.TempDir(), path); err != nil { // no file, and a rename can take its place
		t.Fatal(err)
	}
	id := s.putKept(asCEO, "ops")
	s.start()
	s.until("it says why", func() bool {
		i, err := s.info(id)
		return err == nil && !i.Failed && i.Meta.Unprocessed() && strings.HasPrefix(i.Status.Reason,
			spool.NotProcessed+": ") && i.Status.Attempts == 1
	})
	// At no moment is there no file: a try then would process the message without aliases.
	if err := os.WriteFile(path+".new", []byte("ops: ops@example.org\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	m := s.arrived(1)[0]
	s.wantProcessed(m)
	if m.Envelope.To[0] != "ops@example.org" {
		t.Errorf("to %v", m.Envelope.To)
	}
}

// TestKeptKilled: an agent that is killed while it processes loses nothing, and sends nothing as it came.
func TestKeptKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t, "queue_interval = \"1s\"\n[delivery]\nmessages_per_minute = 0\nrecipients_per_day = 0\n")
	s.Update(func(st *emulatorState) { st.Limits.PerMinute, st.Limits.RecipientsPerDay = 0, 0 })
	const messages = 60
	for n := range messages {
		s.putKept(fmt.Sprintf("X-Number: %d\r\n", n)+asCEO+strings.Repeat("text\r\n", 20_000*(n%2)), "a@example.org")
	}
	for range 8 {
		p := s.run(nil)
		time.Sleep(time.Duration(20+rand.IntN(120)) * time.Millisecond) // a moment of chance to die at
		_ = p.Process.Kill()
		_ = p.Wait()
	}
	s.start()
	s.until("the queue is empty", func() bool { return s.queued() == 0 })
	arrived := map[string]bool{}
	for _, m := range s.Messages() {
		s.wantProcessed(m)
		arrived[m.Header("X-Number")] = true
	}
	if len(arrived) != messages {
		t.Errorf("%d of %d arrived", len(arrived), messages)
	}
}
