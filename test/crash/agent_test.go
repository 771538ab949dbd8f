//go:build crash

package crash

import (
	"path/filepath"
	"sync"
	"testing"

	"o365-sendmail/internal/config"
)

// usualSocket is held by the test whose agent has the usual socket.
var usualSocket sync.Mutex

// agentSite is a site whose agent has the usual socket, so that clients need no configuration.
func agentSite(t *testing.T, extra string) *site {
	t.Helper()
	usualSocket.Lock()
	t.Cleanup(usualSocket.Unlock)
	s := newSite(t, extra)
	s.socket = config.DefaultSocket
	s.write()
	return s
}

// send gives one message to the agent in each mode, all at the same time; that in the first mode is a large one. The clients find no
// configuration, so that nothing but the agent can take the messages.
func (l *ledger) send(modes ...string) {
	l.s.t.Helper()
	var wg sync.WaitGroup
	for i, mode := range modes {
		subject, text := l.message()
		if i == 0 {
			subject, text = l.sized(inFile)
		}
		wg.Go(func() {
			r := l.s.client(text, mode, "-i", "a@example.org", "b@example.org")
			l.told(subject, r)
			if !oneLine(r) {
				l.s.t.Errorf("%s: %+v", mode, r)
			}
		})
	}
	wg.Wait()
}

var allModes = []string{"-odi", "-odb", "-odq"}

// TestKillAgent kills an agent at its system calls, from its start to its end, while it takes
// messages and delivers them.
func TestKillAgent(t *testing.T) {
	t.Parallel()
	s := agentSite(t, "[agent]\nqueue_interval = \"1s\"\n")
	l := newLedger(s)
	// One message waits already, so that the agent delivers while it accepts.
	waiting := func() {
		subject, text := l.message()
		l.told(subject, s.sendmail(text, "-odq", "-O", "QueueOnly", "-i", "c@example.org"))
	}
	work := func(tracer []string) (p *process) {
		waiting()
		p = s.agent(tracer...)
		if p.answers() {
			l.send(allModes...)
			s.until("all is delivered", func() bool { return p.ended() || s.queued() == 0 })
		}
		return p
	}
	file := filepath.Join(s.dir, "calls")
	p := work(append([]string{"strace", "-D"}, counting(file)...))
	if r := p.end(); r.code != 0 {
		t.Fatalf("%+v %s", r, p.stderr.String())
	}
	l.collect(none)
	each(t, points(counts(t, file), killCalls, "signal=KILL"), func(pt point) {
		p := work(append([]string{"strace", "-D"}, pt.args()...))
		r := p.end()
		if !r.killed && r.code != 0 {
			t.Errorf("%v: %+v %s", pt, r, p.stderr.String())
		}
		l.collect(doubtIf(r.killed))
	})
	l.settle()
}

// TestKillAgentsClient kills the client of an agent: what the agent has from it is
// either a whole message or none.
func TestKillAgentsClient(t *testing.T) {
	t.Parallel()
	s := agentSite(t, "")
	l := newLedger(s)
	p := s.agent()
	if !p.answers() {
		t.Fatal(p.stderr.String())
	}
	file := filepath.Join(s.dir, "calls")
	subject, text := l.sized(inFile)
	l.told(subject, s.tracedClient(counting(file), text, "-i", "a@example.org"))
	n := 0
	each(t, points(counts(t, file), killCalls, "signal=KILL"), func(pt point) {
		subject, text := l.sized([]int{100_000, inFile}[n%2])
		n++
		r := s.tracedClient(pt.args(), text, "-i", "a@example.org")
		l.told(subject, r)
		if !r.killed && r.code != 0 {
			t.Errorf("%v: %+v", pt, r)
		}
	})
	if r := p.end(); r.code != 0 {
		t.Errorf("%+v %s", r, p.stderr.String())
	}
	l.collect(none)
	for _, m := range s.Messages() {
		if m.Octets < 100000 {
			t.Errorf("%s has only %d bytes", m.Header("Subject"), m.Octets)
		}
	}
	l.settle()
}
