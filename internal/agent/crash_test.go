package agent

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
)

// TestKilledAgainAndAgain: an agent that is killed at any moment loses nothing that it
// acknowledged.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, "queue_interval = \"1s\"\n[delivery]\nmessages_per_minute = 0\nrecipients_per_day = 0\nwait = \"300ms\"\n")
	s.Update(func(st *emulatorState) { st.Limits.PerMinute, st.Limits.RecipientsPerDay = 0, 0 })
	var mu sync.Mutex
	accepted := map[string]bool{}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	p := s.run(nil)
	s.answers()
	for n := range 6 {
		clients.Go(func() {
			mode := []string{"interactive", "background", "queue"}[n%3]
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				subject := fmt.Sprintf("%d-%d", n, i)
				if _, err := s.send(to("a@example.org"), envelope.Options{Mode: mode},
					"Subject: "+subject+"\r\n\r\nx\r\n"); err != nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				mu.Lock()
				accepted[subject] = true
				mu.Unlock()
			}
		})
	}
	const rounds = 12
	for range rounds {
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		_ = p.Process.Kill()
		_ = p.Wait()
		p = s.run(nil)
		s.answers()
	}
	close(stop)
	clients.Wait()
	missing := func() string {
		arrived := map[string]bool{}
		for _, m := range s.Messages() {
			arrived[m.Header("Subject")] = true
		}
		for subject := range accepted {
			if !arrived[subject] {
				return subject
			}
		}
		return ""
	}
	for deadline := time.Now().Add(time.Minute); missing() != ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s was accepted and did not arrive, among %d; %d messages are in the queue", missing(), len(accepted), s.queued())
		}
	}
	s.until("the queue is empty", func() bool { return s.queued() == 0 })
	t.Logf("%d accepted, %d arrived", len(accepted), len(s.Messages()))
}
