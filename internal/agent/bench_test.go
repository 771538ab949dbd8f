package agent

import (
	"testing"

	"o365-sendmail/internal/envelope"
)

const benchText = "From: www-data@web1\r\nTo: a@example.org\r\nSubject: bench\r\nDate: Wed, 25 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@web1>\r\n\r\nA line of text.\r\n"

// BenchmarkAccept is the way from a caller's connect to the reply, with the message
// committed to the spool by fsync.
func BenchmarkAccept(b *testing.B) {
	s := newSite(b, "")
	s.start()
	for b.Loop() {
		if _, err := s.send(to("a@example.org"), envelope.Options{Mode: "queue"}, benchText); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAcceptParallel is the same with callers at the same time.
func BenchmarkAcceptParallel(b *testing.B) {
	s := newSite(b, "")
	s.start()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.send(to("a@example.org"), envelope.Options{Mode: "queue"}, benchText); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkDeliver is the whole way to the relay and back on a warm session.
func BenchmarkDeliver(b *testing.B) {
	s := newSite(b, "[delivery]\nmessages_per_minute = 0\nrecipients_per_day = 0\n")
	s.Update(func(st *emulatorState) { st.Limits.PerMinute, st.Limits.RecipientsPerDay = 0, 0 })
	s.start()
	for b.Loop() {
		if _, err := s.send(to("a@example.org"), envelope.Options{}, benchText); err != nil {
			b.Fatal(err)
		}
	}
}
