package agent

import (
	"strings"
	"testing"

	"o365-sendmail/internal/envelope"
)

func TestDeliversAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.start()
	r, err := s.send(to("a@example.org", "root"), envelope.Options{}, "Subject: hi\r\n\r\nhello\r\n")
	if err != nil || r.Queued || len(r.Accepted) != 2 || !strings.HasPrefix(r.Reply, "250 2.0.0") {
		t.Fatalf("receipt %+v, %v\n%s", r, err, s.log())
	}
	msgs := s.arrived(1)
	m := msgs[0]
	if m.Header("Subject") != "hi" || m.Text() != "hello\n" || m.Envelope.From != s.Mailbox || len(m.Envelope.To) != 2 || m.Envelope.To[1] != s.RootTo {
		t.Errorf("got %+v\n%s", m.Envelope, m.Data)
	}
	if s.queued() != 0 {
		t.Error("a delivered message is in the queue")
	}
	if strings.Contains(string(m.Data), envelope.OptionsField) {
		t.Error("the private field left the host")
	}
	s.stop()
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err == nil {
		t.Error("a stopped agent answers")
	}
}
