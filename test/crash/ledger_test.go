//go:build crash

package crash

import (
	"fmt"
	"strings"
	"sync"

	"o365-sendmail/internal/emulator"
)

// ledger remembers what callers were told and what arrived, and in which run.
type ledger struct {
	s *site

	mu      sync.Mutex
	next    int
	present []string // messages whose callers were refused in the present run
	fates   map[string]fate
	arrived map[string][]arrival
	read    int // messages of the emulator seen
	run     int // number of the present run
	kills   int
}

type fate int

const (
	accepted  fate = iota + 1 // its caller saw exit code 0
	refused                   // its caller saw another
	uncertain                 // its caller was killed, or the process that was to answer it
)

// doubt is why a run may not know of what it has delivered.
type doubt int

const (
	none doubt = iota
	// killed: between the server's 250 and the mark.
	killed
	// lost: the 250 could not be read, or the mark not be written. The same process may
	// send again what the server has.
	lost
	// unheard is lost, and the program's own answer may not have reached its caller either.
	unheard
)

// doubtIf is killed or none.
func doubtIf(wasKilled bool) doubt {
	if wasKilled {
		return killed
	}
	return none
}

// arrival is one delivery of a message.
type arrival struct {
	run   int
	doubt doubt // of the run
	id    string
	sha   string
}

func newLedger(s *site) *ledger {
	return &ledger{s: s, fates: map[string]fate{}, arrived: map[string][]arrival{}}
}

// message makes a new one: its subject names it, and the program adds the Message-ID.
func (l *ledger) message() (subject, text string) { return l.sized(200) }

func (l *ledger) sized(size int) (subject, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	subject = fmt.Sprintf("m-%d", l.next)
	return subject, "Subject: " + subject + "\n\n" + strings.Repeat("text of the message\n", size/20)
}

// told notes what the caller of a message saw.
func (l *ledger) told(subject string, r result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.killed:
		l.fates[subject] = uncertain
	case r.code == 0:
		l.fates[subject] = accepted
	default:
		l.fates[subject] = refused
		l.present = append(l.present, subject)
	}
}

// collect puts down what has arrived since the last call, as that of a run that is over. When
// an agent was killed, its callers can't know whether it was before the promise or after.
func (l *ledger) collect(d doubt) {
	l.s.t.Helper()
	l.s.quiet()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.s.Messages()
	for _, m := range all[l.read:] {
		subject := m.Header("Subject")
		l.arrived[subject] = append(l.arrived[subject], arrivalOf(&m, l.run, d))
	}
	l.read = len(all)
	l.run++
	if d == killed {
		l.kills++
	}
	if d == killed || d == unheard {
		for _, subject := range l.present {
			l.fates[subject] = uncertain
		}
	}
	l.present = nil
	l.balance()
}

// balance compares the messages that are still to come with those in the queue. The
// mutex is held.
func (l *ledger) balance() {
	l.s.t.Helper()
	var open []string
	for subject, f := range l.fates {
		switch n := len(l.arrived[subject]); {
		case f == accepted && n == 0:
			open = append(open, subject)
		case f == refused && n > 0:
			l.s.t.Errorf("in run %d: %s was refused and arrived\n%s", l.run-1, subject, l.s.log())
		}
	}
	if n := l.s.queued(); len(open) > n {
		l.s.t.Errorf("in run %d: %d accepted messages have not arrived, but %d are in the queue: %v\n%s", l.run-1,
			len(open), n, open, l.s.log())
	}
}

func arrivalOf(m *emulator.Message, run int, d doubt) arrival {
	return arrival{run: run, doubt: d, id: m.Header("Message-ID"), sha: m.SHA256}
}

// settle lets a queue run send what is left, and judges.
func (l *ledger) settle() {
	l.s.t.Helper()
	for range 5 {
		if r := l.s.sendmail("", "-q"); r.code != 0 && l.s.queued() == 0 {
			l.s.t.Errorf("the last -q: %+v", r)
		}
		l.collect(none)
		if l.s.queued() == 0 {
			break
		}
	}
	l.judge()
	l.s.clean()
}

// judge compares what was accepted with what arrived.
func (l *ledger) judge() {
	l.s.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.s.t
	missing, counts, doubles := 0, map[fate]int{}, 0
	for subject, f := range l.fates {
		counts[f]++
		got := l.arrived[subject]
		if f == accepted && len(got) == 0 {
			missing++
			t.Errorf("%s was accepted and did not arrive", subject)
		}
		doubles += max(len(got)-1, 0)
	}
	for subject, got := range l.arrived {
		if l.fates[subject] == 0 {
			t.Errorf("%q arrived, and nobody sent it", subject)
		}
		for i, a := range got[1:] {
			before := got[i]
			if before.doubt == none || before.doubt == killed && before.run == a.run {
				t.Errorf("%s arrived in run %d and again in run %d, though the first knew of it", subject, before.run,
					a.run)
			}
			if a.id == "" || a.id != before.id || a.sha != before.sha {
				t.Errorf("%s arrived twice and differs: %+v, %+v", subject, before, a)
			}
		}
	}
	if missing > 0 {
		t.Logf("log:\n%s", l.s.log())
	}
	t.Logf("%d kills; %d accepted, %d refused, %d uncertain; %d arrived, of them %d a second time",
		l.kills, counts[accepted], counts[refused], counts[uncertain], l.read, doubles)
}

// collectBut is collect for a test that has looked at some messages by itself.
func (l *ledger) collectBut(subject string) {
	l.s.t.Helper()
	l.collect(none)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.arrived, subject)
	delete(l.fates, subject)
}
