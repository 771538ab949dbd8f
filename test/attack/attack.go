// Package attack is a client that means harm: it takes all the connections of an agent that it can get,
// keeps each at a point of the dialogue, and takes another when one is cut. Measurements and tests use it.
package attack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/envelope"
)

// Forms are the points at which a connection stands still.
var Forms = []string{"idle", "slow", "line", "fields", "short", "body", "rcpt", "mail"}

const start = "EHLO attack\r\nMAIL FROM:<attack@example.org>\r\nRCPT TO:<victim@example.org>\r\n"

// text is what a connection sends before it stands still; size is that of an unfinished message in bytes.
func text(form string, size int) []byte {
	const data = start + "BDAT 100000000 LAST\r\n"
	switch form {
	case "idle":
		return nil
	case "slow":
		return []byte("EHLO attack\r\nMAIL ")
	case "line": // one field
		return append([]byte(data+"X-Long: "), bytes.Repeat([]byte{'x'}, size)...)
	case "fields":
		return append([]byte(data), bytes.Repeat([]byte("X-Many: "+strings.Repeat("y", 60)+"\r\n"), size/70)...)
	case "short": // most fields for their size
		return append([]byte(data), bytes.Repeat([]byte("a:\r\n"), size/4)...)
	case "body":
		return append([]byte(data+"A: 1\r\n\r\n"), bytes.Repeat([]byte("text\r\n"), size/6)...)
	case "rcpt": // long commands for recipients, as of this program's own client, which may name many
		b := bytes.NewBufferString("EHLO attack\r\nMAIL FROM:<attack@example.org> " +
			envelope.RecipientsKeyword + "\r\n")
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(b, "RCPT TO:<victim%d@example.org> ORCPT=rfc822;%s@example.org\r\n", i,
				strings.Repeat("x", 3900))
		}
		return b.Bytes()
	case "mail": // whole messages to many, one after another
		var b strings.Builder
		b.WriteString("EHLO attack\r\n")
		for range max(1, size/(1<<20)) {
			b.WriteString("MAIL FROM:<attack@example.org>\r\n")
			for i := range 500 {
				fmt.Fprintf(&b, "RCPT TO:<victim%d@example.org>\r\n", i)
			}
			b.WriteString("DATA\r\nSubject: attack\r\n\r\nattack\r\n.\r\n")
		}
		return []byte(b.String())
	}
	panic("attack: no form " + form)
}

// Attack is one that is under way.
type Attack struct {
	// Sent is how many connections were made that have sent all that they had to.
	Sent atomic.Int64

	stop    context.CancelFunc
	running sync.WaitGroup
}

// Start keeps n connections at the socket busy until Stop. Each sends the form's text, of size bytes, and
// waits until it is cut; then another takes its place.
func Start(socket, form string, size, n int) *Attack {
	ctx, cancel := context.WithCancel(context.Background())
	a, b := &Attack{stop: cancel}, text(form, size)
	for range n {
		a.running.Go(func() {
			for ctx.Err() == nil {
				a.one(ctx, socket, b)
			}
		})
	}
	return a
}

// pause is how long one that was cut waits, so that the attack leaves time to those who are measured.
const pause = 100 * time.Millisecond

func (a *Attack) one(ctx context.Context, socket string, b []byte) {
	var d net.Dialer
	if c, err := d.DialContext(ctx, "unix", socket); err == nil {
		stop := context.AfterFunc(ctx, func() { _ = c.Close() })
		read := make(chan struct{})
		go func() {
			_, _ = io.Copy(io.Discard, c)
			close(read)
		}()
		if _, err := c.Write(b); err == nil {
			a.Sent.Add(1)
		}
		<-read
		stop()
		_ = c.Close()
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// Settle waits until as many connections as were asked for have sent their text, or no more come.
func (a *Attack) Settle(n int) {
	for last := int64(-1); a.Sent.Load() < int64(n) && a.Sent.Load() != last; {
		last = a.Sent.Load()
		time.Sleep(time.Second)
	}
}

// Stop ends it.
func (a *Attack) Stop() {
	a.stop()
	a.running.Wait()
}
