package control

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/queueview"
)

func TestStatusOf(t *testing.T) {
	t.Parallel()
	st := StatusOf(deliver.State{
		Now: later, Counters: deliver.Counters{Sent: 5, Deferred: 4, Bounced: 3, Expired: 2},
		Report: queue.Report{
			Ready: 3, InFlight: 1, Interactive: 1,
			Stops: []queue.Stop{
				{Key: "no-account", Reason: "broken; fix it", Remedy: "fix it", Held: true},
				{Mailbox: "m@example.com", Sender: "a@example.com", Reason: "no SendAs"},
			},
			Mailboxes: []queue.MailboxReport{
				{Name: "m@example.com", Sessions: 2, PacedUntil: later.Add(time.Second)},
				{Name: "n@example.com", Sessions: 1},
			},
		},
	}, "m@example.com")
	if st.Ready != 3 || st.Active != 2 || st.Sessions != 3 || st.Sent != 5 || st.Bounced != 5 || len(st.Stops) != 3 {
		t.Fatalf("%+v", st)
	}
	if s := st.Stops[0]; !s.All || !s.Hold || s.Reason != "broken" || s.Remedy != "fix it" {
		t.Errorf("%+v", s)
	}
	if s := st.Stops[1]; s.All || s.Sender != "a@example.com" ||
		!s.Covers(&queueview.Message{Sender: "a@example.com"}, "m@example.com") ||
		s.Covers(&queueview.Message{Sender: "b@example.com"}, "m@example.com") {
		t.Errorf("%+v", s)
	}
	if s := st.Stops[2]; s.Key != KeyRate || s.Hold || s.Mailbox != "m@example.com" {
		t.Errorf("%+v", s)
	}
}

// TestRemedyIsForAdministrators: what to do stands before the server's words in a reason; other users do not see it.
func TestRemedyIsForAdministrators(t *testing.T) {
	t.Parallel()
	s := StopsOf([]queue.Stop{{Held: true, Reason: "no permission; fix it; it answered AUTH with 535",
		Remedy: "fix it"}})[0]
	const want = "no permission; it answered AUTH with 535"
	if h := s.Harmless(); h.Reason != want || h.Remedy != "" || s.Reason != want || s.Remedy != "fix it" {
		t.Errorf("%+v, to others %+v", s, h)
	}
}

func TestSelections(t *testing.T) {
	t.Parallel()
	uid := 33
	one := Selections(queueview.Filter{Sender: "a", Recipient: "b", UID: &uid})
	if len(one) != 1 || one[0] != (deliver.Selection{Sender: "a", Recipient: "b", UID: &uid, Force: true}) {
		t.Errorf("%+v", one)
	}
	two := Selections(queueview.Filter{IDs: []string{"x", "y"}})
	if len(two) != 2 || two[0].ID != "x" || two[1].ID != "y" {
		t.Errorf("%+v", two)
	}
}

func TestStopsFromFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	if got := StopsFromFile(path, later); got != nil {
		t.Errorf("no file: %+v", got)
	}
	text := `{"version":1,"written":"` + later.Format(time.RFC3339) +
		`","stops":[{"key":"k","reason":"r","held":true}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := StopsFromFile(path, later.Add(time.Hour)); len(got) != 1 || got[0].Reason != "r" || !got[0].All {
		t.Errorf("%+v", got)
	}
	if got := StopsFromFile(path, later.Add(48*time.Hour)); got != nil {
		t.Errorf("an old file: %+v", got)
	}
}
