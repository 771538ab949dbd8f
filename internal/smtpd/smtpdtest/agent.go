// Package smtpdtest is an agent for the tests of those who hand messages to one. It keeps
// messages in memory and is part of no program.
package smtpdtest

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/smtpd"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// Taken is a message that the agent took.
type Taken struct {
	Envelope envelope.Envelope
	Options  envelope.Options
	Text     string // in wire form
}

// Agent answers every message with Receipt and Err, and a recipient nobody@ with Nobody.
type Agent struct {
	Receipt     envelope.Receipt
	Err, Nobody error

	mu    sync.Mutex
	taken []Taken
}

// Taken returns the messages that came, also those that were answered with Err.
func (a *Agent) Taken() []Taken {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.taken
}

// Begin is in smtpd.Handler.
func (a *Agent) Begin() error { return nil }

// Recipient is in smtpd.Handler.
func (a *Agent) Recipient(addr string) error {
	if strings.HasPrefix(addr, "nobody@") {
		return a.Nobody
	}
	return nil
}

// Message is in smtpd.Handler.
func (a *Agent) Message(_ context.Context, env *envelope.Envelope, msg *rfc822.Message,
	o envelope.Options) (envelope.Receipt, error) {
	w, err := msg.Wire(rfc822.WireOptions{AllowEightBit: true})
	if err != nil {
		return envelope.Receipt{}, err
	}
	r, err := w.Open()
	if err != nil {
		return envelope.Receipt{}, err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.taken = append(a.taken, Taken{*env, o, string(text)})
	return a.Receipt, errors.Join(err, a.Err)
}

// Serve runs h at a new socket until the test ends.
func Serve(t testing.TB, h smtpd.Handler) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { l.Close() })
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				smtpd.Serve(context.Background(), smtpd.NewConn(c, smtpd.Timeouts{}), smtpd.Options{
					Host: "web1", Handler: h, MaxSize: 1 << 20, MaxRecipients: 500, MaxOwnRecipients: 2000,
					ExitCode: func(err error) int { return sysexits.Code(err, sysexits.TempFail) }, Local: true, TempDir: filepath.Dir(path),
				})
			})
		}
	})
	return path
}
