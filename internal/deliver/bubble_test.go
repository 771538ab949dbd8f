package deliver

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/xoauth"
)

// In a bubble of testing/synctest time passes when nothing else can happen, so that a week takes seconds. The
// emulator's listeners stay outside, for a socket would stop the time; its sessions run inside, over
// pipes in memory, with a token that was fetched before.

// inBubble runs an engine beside an emulator in fake time.
func inBubble(t *testing.T, o rigOptions, test func(t *testing.T, r *rig)) {
	t.Helper()
	em := o.em
	if em == nil {
		em = bubbleEmulator(t, o.emulator)
	}
	now := time.Now()
	token := longToken(t, em)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now)) // certificates and tokens are of today
		var sessions sync.WaitGroup
		in := o
		in.em = em
		in.account = func(a *Account) {
			a.Source = func() (xoauth.TokenSource, error) { return fixedToken(token), nil }
			a.Submit.DialContext = func(context.Context, string, string) (net.Conn, error) {
				client, server := bufferedPipe()
				sessions.Go(func() { em.ServeSMTP(server) })
				return client, nil
			}
			if o.account != nil {
				o.account(a)
			}
		}
		r := newRig(t, in)
		test(t, r)
		r.halt()
		sessions.Wait()
	})
}

// farAway has what is written to the server arrive later: on a busy machine one courier is then not ahead of the others
// by many messages, as it is where a server answers at once.
func farAway(a *Account) {
	dial := a.Submit.DialContext
	a.Submit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		return slowConn{c}, err
	}
}

type slowConn struct{ net.Conn }

func (c slowConn) Write(b []byte) (int, error) {
	time.Sleep(20 * time.Millisecond)
	return c.Conn.Write(b)
}

// bubbleEmulator is one without a tarpit and rates, whose tokens outlast a test.
func bubbleEmulator(t *testing.T, change func(*emulator.State)) *emulator.Emulator {
	t.Helper()
	return emulator.New(t, func(eo *emulator.Options) {
		eo.State = func(s *emulator.State) {
			s.Exchange.Tarpit, s.Limits.PerMinute, s.Limits.RecipientsPerDay = 0, 0, 0
			s.Entra.ExpiresIn = 30 * 24 * 3600
			if change != nil {
				change(s)
			}
		}
	})
}

// longToken fetches a token that may outlast a test. The program's own client would not take it.
func longToken(t *testing.T, em *emulator.Emulator) xoauth.Token {
	t.Helper()
	c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: em.CAPool()},
		DisableKeepAlives: true}}
	res, err := c.PostForm(em.TokenURL(), url.Values{"grant_type": {"client_credentials"}, "client_id": {em.ClientID},
		"client_secret": {em.ClientSecret}, "scope": {"https://outlook.office365.com/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var reply struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.NewDecoder(res.Body).Decode(&reply); err != nil || reply.AccessToken == "" {
		t.Fatalf("%s: %v", res.Status, err)
	}
	now := time.Now()
	return xoauth.Token{Access: xoauth.NewSecret(reply.AccessToken), Obtained: now,
		Expiry: now.Add(time.Duration(reply.ExpiresIn) * time.Second)}
}

type fixedToken xoauth.Token

func (f fixedToken) Token(context.Context) (xoauth.Token, error) { return xoauth.Token(f), nil }

// bufferedPipe is net.Pipe with room, as a TCP connection has: neither end waits for the other to read.
func bufferedPipe() (a, b net.Conn) {
	x, y := newPipeHalf(), newPipeHalf()
	return &pipeEnd{in: x, out: y}, &pipeEnd{in: y, out: x}
}

// pipeHalf is one direction.
type pipeHalf struct {
	mu       sync.Mutex
	cond     *sync.Cond
	buf      []byte
	closed   bool
	deadline time.Time // of reads
	timer    *time.Timer
}

func newPipeHalf() *pipeHalf {
	h := &pipeHalf{}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (h *pipeHalf) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.buf) == 0 {
		switch {
		case h.closed:
			return 0, io.EOF
		case !h.deadline.IsZero() && !time.Now().Before(h.deadline):
			return 0, os.ErrDeadlineExceeded
		}
		h.cond.Wait()
	}
	n := copy(p, h.buf)
	h.buf = h.buf[n:]
	return n, nil
}

func (h *pipeHalf) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, errors.New("the pipe is closed")
	}
	h.buf = append(h.buf, p...)
	h.cond.Broadcast()
	return len(p), nil
}

func (h *pipeHalf) setDeadline(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
	h.deadline = t
	if !t.IsZero() {
		h.timer = time.AfterFunc(time.Until(t), h.cond.Broadcast)
	}
}

func (h *pipeHalf) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
	h.cond.Broadcast()
}

// pipeEnd is one end of a pipe.
type pipeEnd struct{ in, out *pipeHalf }

func (e *pipeEnd) Read(p []byte) (int, error)         { return e.in.read(p) }
func (e *pipeEnd) Write(p []byte) (int, error)        { return e.out.write(p) }
func (e *pipeEnd) Close() error                       { e.in.close(); e.out.close(); return nil }
func (e *pipeEnd) LocalAddr() net.Addr                { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 587} }
func (e *pipeEnd) RemoteAddr() net.Addr               { return e.LocalAddr() }
func (e *pipeEnd) SetReadDeadline(t time.Time) error  { e.in.setDeadline(t); return nil }
func (e *pipeEnd) SetWriteDeadline(t time.Time) error { return nil }
func (e *pipeEnd) SetDeadline(t time.Time) error      { return e.SetReadDeadline(t) }
