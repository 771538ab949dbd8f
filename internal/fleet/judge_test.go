package fleet

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/quota"
)

// sharing are what hosts of one mailbox do, seen from outside.
type sharing struct {
	mu     sync.Mutex
	inside int
	most   int
	at     []time.Time
}

func (s *sharing) enter(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside += n
	s.most = max(s.most, s.inside)
}

func (s *sharing) sent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
}

// mostIn is the largest number within d. The list is in order.
func (s *sharing) mostIn(d time.Duration) (most int) {
	for i, first := 0, 0; i < len(s.at); i++ {
		for s.at[i].Sub(s.at[first]) >= d {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// TestNeverMore: eight hosts never have more than three slots or ten messages in any window, and leave little of it
// unused; the server is one, then three.
func TestNeverMore(t *testing.T) {
	t.Parallel()
	one := startServer(t, nil)
	three, _ := startCluster(t)
	for name, urls := range map[string][]string{"one server": {one.ClientURL()}, "three": three} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := quota.Limits{MessagesPerMinute: 10, RecipientsPerDay: 1000}
			var fleets []*Fleet
			for _, host := range []string{"h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"} {
				fleets = append(fleets, join(t, Options{Servers: urls, Host: host, Limits: limits}))
			}
			var s sharing
			var all sync.WaitGroup
			end := time.Now().Add(3 * testMinute)
			for i, f := range fleets {
				all.Go(func() { s.work(t, f, i, time.Now, end) })
			}
			all.Wait()
			most := s.mostIn(testMinute)
			t.Logf("%d messages, most %d in %v, most %d slots", len(s.at), most, testMinute, s.most)
			if s.most > 3 || most > 10 || len(s.at) < 20 {
				t.Error("see above")
			}
		})
	}
}

// work sends over a session after the other. A message takes a while, some longer than a token's slack.
func (s *sharing) work(t *testing.T, f *Fleet, i int, now func() time.Time, end time.Time) {
	for time.Now().Before(end) {
		slot, err := f.Slot(t.Context(), mailbox, 3)
		if err != nil {
			t.Log(err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		s.enter(1)
		for k := 0; slot.Lost.Err() == nil && slot.Wanted.Err() == nil && time.Now().Before(end); k++ {
			g, short, err := f.Reserve(t.Context(), quota.Request{Account: mailbox, Recipients: 1 + k%3, Limits: f.o.Limits,
				More: true, Now: now()})
			switch {
			case err != nil:
				t.Log(err)
				time.Sleep(50 * time.Millisecond)
			case short != nil:
				time.Sleep(min(short.Wait, testMinute/12)) // a host's own window is a minute's
			default:
				time.Sleep(time.Duration(1+(i+k)%4) * 50 * time.Millisecond)
				s.sent()
				f.Restamp(g, now())
			}
		}
		s.enter(-1)
		slot.Release()
	}
}

// TestClockAhead: the clocks of three of eight hosts are 30 s ahead, and another's is set back by as much on the way,
// which is five windows. What is shared has no host's time in it.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	limits := quota.Limits{MessagesPerMinute: 10, RecipientsPerDay: 1000}
	begun := time.Now()
	ahead := func() time.Time { return time.Now().Add(30 * time.Second) }
	clocks := []func() time.Time{time.Now, time.Now, time.Now, time.Now, ahead, ahead, ahead, func() time.Time {
		if time.Since(begun) > testMinute {
			return time.Now().Add(-30 * time.Second)
		}
		return time.Now()
	}}
	var g sharing
	var all sync.WaitGroup
	for i, now := range clocks {
		f := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h" + strconv.Itoa(i), Limits: limits})
		all.Go(func() { g.work(t, f, i, now, begun.Add(3*testMinute)) })
	}
	all.Wait()
	most := g.mostIn(testMinute)
	t.Logf("%d messages, most %d in %v, most %d slots", len(g.at), most, testMinute, g.most)
	if g.most > 3 || most > 10 || len(g.at) < 20 {
		t.Error("see above")
	}
}
