//go:build crash

package crash

import "testing"

// TestKillClient kills a sendmail without an agent at its system calls.
func TestKillClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		mode string
		down bool
	}{
		{"queueing", "-odq", false},
		{"interactive", "-odi", false},
		{"interactive and the server down", "-odi", true},
		{"background", "-odb", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			s.down(c.down)
			l := newLedger(s)
			subject, text := l.message()
			most, r := s.calls(text, c.mode, "-i", "a@example.org")
			l.told(subject, r)
			l.collect(none)
			each(t, points(most, killCalls, "signal=KILL"), func(p point) {
				subject, text := l.message()
				r := s.traced(p.args(), text, c.mode, "-i", "a@example.org")
				l.told(subject, r)
				if !r.killed && r.code != 0 {
					t.Errorf("%v: %+v", p, r)
				}
				// A queue run that it started may have been the one that was killed.
				l.collect(doubtIf(r.killed || c.mode == "-odb"))
			})
			s.down(false)
			l.settle()
		})
	}
}

// TestKillQueueRun kills sendmail -q at its system calls.
func TestKillQueueRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	l := newLedger(s)
	fill := func() {
		for n := s.queued(); n < 4; n++ {
			subject, text := l.message()
			r := s.sendmail(text, "-odq", "-i", "a@example.org", "b@example.org")
			l.told(subject, r)
			if r.code != 0 {
				t.Fatalf("%+v", r)
			}
		}
	}
	fill()
	most, r := s.calls("", "-q")
	if r.code != 0 || s.queued() != 0 {
		t.Fatalf("%+v", r)
	}
	l.collect(none)
	each(t, points(most, killCalls, "signal=KILL"), func(p point) {
		fill()
		r := s.traced(p.args(), "", "-q")
		if !r.killed && (r.code != 0 || s.queued() != 0) {
			t.Errorf("%v: %+v, %d left", p, r, s.queued())
		}
		l.collect(doubtIf(r.killed))
	})
	l.settle()
}
