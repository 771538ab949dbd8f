package fleet

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"o365-sendmail/internal/quota"
)

// TestAsk: a host's answer comes whole and in order, its fault as it is, and a host that is not there is told so.
func TestAsk(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	long := bytes.Repeat([]byte("0123456789abcdef"), 40_000) // ten parts
	answer := func(_ context.Context, request []byte, part func([]byte) error) error {
		switch string(request) {
		case "long":
			return errors.Join(part(long[:100]), part(long[100:]))
		case "nothing":
			return nil
		}
		return errors.New("it knows no " + string(request))
	}
	a := join(t, Options{Servers: []string{s.ClientURL()}, Host: "a", Answer: answer})
	join(t, Options{Servers: []string{s.ClientURL()}, Host: "b.example.org", Answer: answer})
	get := func(host, request string) (string, error) {
		var got bytes.Buffer
		err := a.Ask(t.Context(), host, []byte(request), func(b []byte) error { got.Write(b); return nil })
		return got.String(), err
	}
	for _, host := range []string{"b.example.org", "a"} {
		if got, err := get(host, "long"); err != nil || got != string(long) {
			t.Errorf("%s: %d bytes, %v", host, len(got), err)
		}
	}
	if got, err := get("b.example.org", "nothing"); err != nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := get("b.example.org", "x"); err == nil || err.Error() != "host b.example.org: it knows no x" {
		t.Errorf("%v", err)
	}
	if _, err := get("c", "long"); err == nil || err.Error() != "host c does not answer" {
		t.Errorf("%v", err)
	}
	stop := errors.New("enough")
	if err := a.Ask(t.Context(), "b.example.org", []byte("long"), func([]byte) error { return stop }); err != stop {
		t.Errorf("%v", err)
	}
}

// TestAskBusy: a host that answers as many as it can says so to the next, and one with much to say is cut short.
func TestAskBusy(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	var busy sync.WaitGroup
	end := make(chan struct{})
	answer := func(_ context.Context, request []byte, _ func([]byte) error) error {
		if len(request) == 0 {
			busy.Done()
			<-end
		}
		return errors.New(strings.Repeat("x", 100_000))
	}
	a := join(t, Options{Servers: []string{s.ClientURL()}, Host: "a", Answer: answer})
	get := func(request string) error {
		return a.Ask(t.Context(), "a", []byte(request), func([]byte) error { return nil })
	}
	if err := get("why"); err == nil || len(err.Error()) > 2000 {
		t.Errorf("%.100v", err)
	}
	busy.Add(maxAsked)
	var asked sync.WaitGroup
	for range maxAsked {
		asked.Go(func() {
			for err := get(""); strings.Contains(err.Error(), "it answers others"); err = get("") {
				time.Sleep(time.Millisecond) // the place of the first may not be free yet
			}
		})
	}
	busy.Wait()
	if err := get("one more"); err == nil || err.Error() != "host a: it answers others; try again" {
		t.Errorf("%v", err)
	}
	close(end)
	asked.Wait()
}

// TestCentre: what an administrator sees of the servers, and of what all hosts have used.
func TestCentre(t *testing.T) {
	t.Parallel()
	urls, _ := startCluster(t)
	l := quota.Limits{MessagesPerMinute: 30, RecipientsPerDay: 1000}
	a := join(t, Options{Servers: urls, Host: "a", Limits: l})
	b := join(t, Options{Servers: urls, Host: "b", Limits: l})
	until(t, "no server is behind", func() bool {
		c, err := a.Centre(t.Context())
		return err == nil && len(c.Behind) == 0
	})
	c, err := a.Centre(t.Context())
	if err != nil || c.Replicas != 3 || c.Leader == "" || !strings.HasPrefix(c.Version, "2.") {
		t.Errorf("%+v, %v", c, err)
	}
	for _, f := range []*Fleet{a, b} { // a stream's first leader may go before it has all of a batch
		until(t, "it counts", func() bool { _, short, err := ask(t, f, 3); return short == nil && err == nil })
	}
	until(t, "two messages and six recipients are used", func() bool {
		messages, recipients, err := a.Used(t.Context(), mailbox)
		return messages == 2 && recipients == 6 && err == nil
	})
}

// TestConfiguredServers: a member goes to these alone. The client would look for the name of one in another's
// certificate.
func TestConfiguredServers(t *testing.T) {
	t.Parallel()
	urls, _ := startCluster(t)
	f := join(t, Options{Servers: urls[:1], Host: "a"})
	if more := f.stream().Conn().DiscoveredServers(); len(more) > 0 {
		t.Errorf("it goes to %q, too", more)
	}
}

// TestExpires: a bucket whose keys were made to live on is found out.
func TestExpires(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	f := join(t, Options{Servers: []string{s.ClientURL()}, Host: "a"})
	if err := f.Expires(t.Context()); err != nil {
		t.Error(err)
	}
	js := admin(t, s.ClientURL())
	if err := js.DeleteKeyValue(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "test"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Expires(t.Context()); err == nil {
		t.Error("keys that live for ever pass")
	}
}
