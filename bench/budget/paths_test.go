package budget

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"o365-sendmail/cache"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
	"o365-sendmail/rfc822"
	"o365-sendmail/xoauth"
)

// wire is a message in memory.
type wire []byte

func (w wire) Size() int64                  { return int64(len(w)) }
func (w wire) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(w)), nil }

// countedConn counts the writes of a connection.
type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func testEnvelope() *envelope.Envelope {
	return &envelope.Envelope{Sender: "noreply@contoso.test",
		Recipients: []envelope.Recipient{{Address: "someone@example.org"}}}
}

var wireMessage = wire(strings.ReplaceAll(message, "\n", "\r\n"))

// allocations counts those of a call.
func allocations(t *testing.T, f func()) int64 {
	t.Helper()
	if raceEnabled {
		t.Log("allocations are not judged: the race detector adds its own")
		return 0
	}
	return int64(testing.AllocsPerRun(50, f))
}

// session signs in to the emulator over a connection that counts.
func session(t *testing.T, s *site, writes *atomic.Int64) *submit.Session {
	t.Helper()
	host, port := s.SMTPAddr()
	client, err := xoauth.NewHTTPClient(xoauth.HTTPOptions{RootCAs: s.CAPool(), Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	source, err := xoauth.New(xoauth.Options{Tenant: s.Tenant, ClientID: s.ClientID, TokenURL: s.TokenURL(),
		Scope:      "https://outlook.office365.com/.default",
		Credential: xoauth.ClientSecret(xoauth.NewSecret(s.ClientSecret)), HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := submit.Dial(context.Background(), submit.Config{
		Host: host, Port: port, RootCAs: s.CAPool(), User: s.Mailbox, EHLOName: "budget.test",
		Token: func(ctx context.Context) (string, error) {
			token, err := source.Token(ctx)
			return token.Access.Reveal(), err
		},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			return countedConn{c, writes}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// A write is a packet, and a packet too many is a round trip where Nagle's algorithm or a
// delayed acknowledgement holds it back.
func TestWrites(t *testing.T) {
	var writes atomic.Int64
	conn := session(t, newSite(t), &writes)
	within(t, "writes until signed in", writes.Swap(0), 5, "EHLO, STARTTLS, ClientHello, Finished with EHLO, AUTH")
	send := func() {
		if _, err := conn.Send(context.Background(), testEnvelope(), wireMessage); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		send()
		within(t, "writes of a message", writes.Swap(0), 1, "MAIL, RCPT, BDAT and the data leave together")
	}
	// The emulator allocates in this process, too.
	within(t, "allocations of a message on an open session, and of the relay for it", allocations(t, send), 115,
		"draining a queue is limited by this and by the relay")
}

// TestCommit counts what makes a message safe.
func TestCommit(t *testing.T) {
	var syncs int
	ops := *durable.System
	ops.Sync = func(f *os.File) error { syncs++; return durable.System.Sync(f) }
	ops.Datasync = func(f *os.File) error { syncs++; return durable.System.Datasync(f) }
	dir := t.TempDir()
	s, err := spool.Open(spool.Options{Dir: dir + "/spool", Ops: &ops})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func() {
		if _, err := s.Put(context.Background(), spool.Meta{UID: 1000, Origin: "test"}, testEnvelope(),
			wireMessage); err != nil {
			t.Fatal(err)
		}
	}
	put()
	syncs = 0
	put()
	within(t, "fsyncs of an accepted message", int64(syncs), 2,
		"the file's and the directory's: less is not safe, more is only slow")
	within(t, "allocations of an accepted message", allocations(t, put), 72, "the agent does this for each message")
}

// TestAllocations watches what each message passes.
func TestAllocations(t *testing.T) {
	text := []byte(message)
	within(t, "allocations of reading and completing a message", allocations(t, func() {
		m, err := rfc822.Read(bytes.NewReader(text), rfc822.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		m.Complete(rfc822.CompleteOptions{Now: time.Now(), Host: "web1.contoso.test"})
		if _, err := m.Wire(rfc822.WireOptions{AllowEightBit: true}); err != nil {
			t.Fatal(err)
		}
		_ = m.Close()
	}), 50, "each is a message's own, so nothing can be kept between two")

	c := cache.New(cache.Options{Dir: t.TempDir()})
	key := cache.Key{Tenant: "contoso.test", ClientID: "id"}
	fetch := func(context.Context) (xoauth.Token, error) {
		return xoauth.Token{Access: xoauth.NewSecret(strings.Repeat("x", 1600)), Obtained: time.Now(),
			Expiry: time.Now().Add(time.Hour)}, nil
	}
	token := func() {
		if _, err := c.Token(context.Background(), key, fetch); err != nil {
			t.Fatal(err)
		}
	}
	token()
	within(t, "allocations of taking a token from the cache", allocations(t, token), 24, "a read of one small file")

	s := newSite(t)
	within(t, "allocations of reading the configuration", allocations(t, func() {
		if _, err := (config.Loader{}).Load(s.config); err != nil {
			t.Fatal(err)
		}
	}), 330, "each process without an agent does it")
}
