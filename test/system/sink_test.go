//go:build system

package system

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/emersion/go-smtp"
)

// A delivery is one message with its envelope as it arrived at the end.
type delivery struct {
	From string
	To   []string
	Data []byte // as received, CRLF lines
}

// A sink is where Postfix relays to: it keeps every message byte for byte.
type sink struct {
	port int

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced at each message
	deliveries []delivery
}

func newSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{port: l.Addr().(*net.TCPAddr).Port, changed: make(chan struct{})}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &sinkSession{sink: s},
			nil
	}))
	server.Domain = "sink.test"
	server.MaxLineLength = 1 << 20
	server.EnableSMTPUTF8 = true
	go server.Serve(l)
	return s, nil
}

func (s *sink) add(d delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliveries = append(s.deliveries, d)
	close(s.changed)
	s.changed = make(chan struct{})
}

// find returns the deliveries with the text in their data, as soon as there are
// n or more of them or ctx ends.
func (s *sink) find(ctx context.Context, text string, n int) ([]delivery, error) {
	for {
		s.mu.Lock()
		changed, all := s.changed, slices.Clone(s.deliveries)
		s.mu.Unlock()
		found := slices.DeleteFunc(all, func(d delivery) bool { return !containsText(d.Data, text) })
		if len(found) >= n {
			return found, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return found, fmt.Errorf("%d of %d messages with %q arrived at the sink: %w", len(found), n, text,
				ctx.Err())
		}
	}
}

type sinkSession struct {
	sink *sink
	d    delivery
}

func (s *sinkSession) Reset() { s.d = delivery{} }

func (s *sinkSession) Logout() error { return nil }

func (s *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	s.d.From = from
	return nil
}

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.d.To = append(s.d.To, to)
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.d.Data = data
	s.sink.add(s.d)
	return nil
}
