//go:build crash

package crash

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// TestBadNeighbours: a message that breaks every session, one that the server refuses, and a damaged
// file delay nobody else's mail.
func TestBadNeighbours(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	if err := s.Script(
		emulator.Rule{Stage: "rcpt", Match: "poison@", Then: emulator.Reset},
		emulator.Rule{Stage: "rcpt", Match: "refused@", Reply: "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found"},
	); err != nil {
		t.Fatal(err)
	}
	put := func(subject, to string) {
		t.Helper()
		if r := s.sendmail("Subject: "+subject+"\n\ntext\n", "-odq", "-i", "-f", "root", to); r.code != 0 {
			t.Fatalf("%+v", r)
		}
	}
	put("damaged", "a@example.org")
	all, err := filepath.Glob(filepath.Join(s.spoolDir(), "queue", "*.msg"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := os.Truncate(all[0], 700); err != nil {
		t.Fatal(err)
	}
	put("poison", "poison@example.org")
	put("refused", "refused@example.org")
	const others = 30
	for range others {
		put("other", "a@example.org")
	}
	count := func(subject string) (n int) {
		for _, m := range s.Messages() {
			if strings.Contains(m.Header("Subject"), subject) {
				n++
			}
		}
		return n
	}
	start := time.Now()
	p := s.agent()
	s.until("the others arrive", func() bool { return count("other") == others })
	took := time.Since(start)
	if took > 10*time.Second {
		t.Errorf("the others waited for %v", took)
	}
	s.until("only the poison waits", func() bool { return s.queued() == 1 })
	s.until("the refusal is reported", func() bool { return count("Undelivered") == 1 })
	if damaged, _ := filepath.Glob(filepath.Join(s.spoolDir(), "failed", "*.msg")); len(damaged) != 1 ||
		filepath.Base(damaged[0]) != filepath.Base(all[0]) {
		t.Errorf("in failed/: %v", damaged)
	}
	if r := p.end(); r.code != 0 {
		t.Errorf("%+v %s", r, p.stderr.String())
	}
	if count("poison") != 0 || count("damaged") != 0 || count("Undelivered") != 1 {
		t.Errorf("arrived: poison %d, damaged %d, reports %d", count("poison"), count("damaged"), count("Undelivered"))
	}
	t.Logf("%d others arrived within %v of the agent's start", others, took.Round(time.Millisecond))
}

// TestFixed: while the set-up is wrong mail is held; when it is fixed, at Microsoft's side or
// in the file, delivery goes on by itself, with one alert and no bounce.
func TestFixed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, fault string
		within      time.Duration
	}{
		// Probes are two seconds apart.
		{"SMTP AUTH was off", "smtp-auth-mailbox", 5 * time.Second},
		// A changed file is looked for every five seconds.
		{"a wrong secret in the file", "", 8 * time.Second},
		// A refusal of the token endpoint is remembered for a minute.
		{"the secret had expired", "secret-expired", 65 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "[agent]\nprobe_interval = \"2s\"\nqueue_interval = \"1s\"\n")
			s.alerts = true
			right := s.ClientSecret
			if c.fault == "" {
				s.ClientSecret = "wrong"
			} else if err := s.SetFault(c.fault); err != nil {
				t.Fatal(err)
			}
			s.write()
			p := s.agent()
			if !p.answers() {
				t.Fatal(p.stderr.String())
			}
			const messages = 20
			start := time.Now()
			for i := range messages {
				if err := s.handInOne(i, 20000+i, []string{"interactive", "background", "queue"}[i%3]); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("callers waited for %v", took)
			}
			s.until("it is tried again without success", func() bool {
				return time.Since(start) > 2500*time.Millisecond && s.TokenRequests() > 0 &&
					(c.fault != "smtp-auth-mailbox" || s.Refused("535") > 1)
			})
			if s.queued() < messages || len(s.Messages()) > 0 {
				t.Fatalf("%d in the queue, %d arrived", s.queued(), len(s.Messages()))
			}
			start = time.Now()
			if c.fault == "" {
				s.ClientSecret = right
				s.write()
			} else if err := s.ClearFault(c.fault); err != nil {
				t.Fatal(err)
			}
			for s.queued() > 0 && time.Since(start) < 2*c.within {
				time.Sleep(5 * time.Millisecond)
			}
			took := time.Since(start)
			if took > c.within {
				t.Errorf("it took %v\n%s", took, s.log())
			}
			s.until("the recovery is told", func() bool { return s.subjects("delivered again") == 1 })
			if r := p.end(); r.code != 0 {
				t.Errorf("%+v %s", r, p.stderr.String())
			}
			if n := s.subjects("held"); n != 1 {
				t.Errorf("%d alerts", n)
			}
			if n := s.subjects("Undelivered"); n != 0 {
				t.Errorf("%d bounces", n)
			}
			if n := s.subjects("m-"); n != messages {
				t.Errorf("%d messages arrived", n)
			}
			t.Logf("all was delivered %v after it was fixed", took.Round(time.Millisecond))
		})
	}
}

// subjects counts the messages that arrived with such a subject.
func (s *site) subjects(part string) (n int) {
	for _, m := range s.Messages() {
		if strings.Contains(m.Header("Subject"), part) {
			n++
		}
	}
	return n
}
