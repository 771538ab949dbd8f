package route

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

// AgentOptions say how the agent is reached.
type AgentOptions struct {
	// Path is the socket.
	Path string
	// HostName is what EHLO says, and where a sender without a domain is.
	HostName string
	// Trace gets each line of the dialogue; nil for none.
	Trace func(direction byte, line string)
	// Patience is how long an agent that is busy or restarting is asked again; 0 means
	// ten seconds.
	Patience time.Duration
	// Silence is how long the agent may keep silent before it counts as dead; 0 means thirty seconds.
	// It does not hold for the reply to a message, which waits for Exchange.
	Silence time.Duration
	// Answer is how long the reply to a message may take; 0 means ten minutes.
	Answer time.Duration
}

const (
	defaultPatience = 10 * time.Second
	defaultSilence  = 30 * time.Second
	defaultAnswer   = 10 * time.Minute
	// stale is how long a connection is kept while the message is still being read:
	// cron starts sendmail with the first line of a job's output and may take hours.
	stale = 10 * time.Second
)

// UnreachableError says that no agent answers. Nothing was handed over.
type UnreachableError struct {
	Path string
	// Absent is set when there is no socket at all: no agent is meant to be here.
	Absent bool
	Err    error
}

func (e *UnreachableError) Error() string {
	if e.Absent {
		return fmt.Sprintf("there is no agent's socket %s", e.Path)
	}
	return fmt.Sprintf("the agent at %s does not answer: %v", e.Path, e.Err)
}

// Unwrap returns the error below.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Conn is a connection to the agent. It is for one goroutine.
type Conn struct {
	o        AgentOptions
	s        *stream
	r        *bufio.Reader
	since    time.Time
	drop     *time.Timer
	maxSize  int64
	maxRcpt  int
	maxOwn   int // as maxRcpt, for a client that says who it is; 0 when the agent knows no difference
	greeting string
}

// Dial connects and says EHLO. When nothing listens the error is an *UnreachableError.
func Dial(ctx context.Context, o AgentOptions) (*Conn, error) {
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Silence <= 0 {
		o.Silence = defaultSilence
	}
	if o.Answer <= 0 {
		o.Answer = defaultAnswer
	}
	c := &Conn{o: o}
	if err := c.connect(ctx, false); err != nil {
		return nil, err
	}
	return c, nil
}

// connect tries until an agent answers, as long as it helps. An agent that was there
// before is waited for, even if its socket is missing for a moment.
func (c *Conn) connect(ctx context.Context, seen bool) error {
	deadline := time.Now().Add(c.o.Patience)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := c.try(ctx)
		if err == nil {
			return nil
		}
		if !again(err, seen) || time.Now().After(deadline) {
			return c.unreachable(err)
		}
		if !sleep(ctx, pause) {
			return c.unreachable(ctx.Err())
		}
	}
}

// The pauses between tries double from the first to the longest.
const (
	firstPause   = 2 * time.Millisecond
	longestPause = 500 * time.Millisecond
)

// sleep waits for about a pause, and reports whether that was not broken off.
func sleep(ctx context.Context, pause time.Duration) bool {
	t := time.NewTimer(pause/2 + rand.N(pause))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// again reports whether the same call may succeed soon: the queue of connections is full,
// the agent is busy or about to stop.
func again(err error, seen bool) bool {
	var busy *busyError
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.As(err, &busy):
		return true
	}
	return seen && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist))
}

func (c *Conn) unreachable(err error) error {
	var busy *busyError
	if errors.As(err, &busy) {
		return sysexits.With(sysexits.TempFail,
			fmt.Errorf("the agent takes no message now: %w; nothing was kept, try again later", err))
	}
	return &UnreachableError{Path: c.o.Path, Absent: errors.Is(err, fs.ErrNotExist), Err: err}
}

// busyError is a reply that asks to come back later.
type busyError struct{ text string }

func (e *busyError) Error() string { return e.text }

func (c *Conn) try(ctx context.Context) error {
	s, err := dialStream(c.o.Path)
	if err != nil {
		return err
	}
	c.s, c.r = s, bufio.NewReaderSize(s, maxReplyLine)
	stop := context.AfterFunc(ctx, s.abort)
	err = c.hello()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.close()
		return err
	}
	c.since = time.Now()
	c.drop = time.AfterFunc(stale, s.abort)
	return nil
}

// hello says EHLO before it has read the greeting: the peer is known.
func (c *Conn) hello() error {
	c.s.setDeadline(time.Now().Add(c.o.Silence))
	line := "EHLO " + c.o.HostName
	c.trace('>', line)
	// The agent may have said that it is full and closed: its reply is there all the same.
	_, writeErr := c.s.Write([]byte(line + "\r\n"))
	for _, want := range [...]int{220, 250} {
		r, err := c.reply()
		switch {
		case err != nil && writeErr != nil:
			return writeErr
		case err != nil:
			return err
		case r.Code/100 == 4:
			return &busyError{r.Text()}
		case r.Code != want:
			return fmt.Errorf("it answers %d %s", r.Code, r.Text())
		case want == 220:
			c.greeting = "220 " + r.Text()
		default:
			c.learn(r.Lines)
		}
	}
	return nil
}

// learn reads what the agent offers.
func (c *Conn) learn(lines []string) {
	for _, l := range lines {
		word, arg, _ := strings.Cut(l, " ")
		switch word {
		case "SIZE":
			c.maxSize, _ = strconv.ParseInt(arg, 10, 64)
		case envelope.RecipientsKeyword:
			c.maxOwn, _ = strconv.Atoi(arg)
		case "LIMITS": // RFC 9422
			for limit := range strings.FieldsSeq(arg) {
				if n, ok := strings.CutPrefix(limit, "RCPTMAX="); ok {
					c.maxRcpt, _ = strconv.Atoi(n)
				}
			}
		}
	}
}

// MaxSize is the limit on a message in bytes, 0 for none.
func (c *Conn) MaxSize() int64 { return c.maxSize }

// Close ends the connection.
func (c *Conn) Close() {
	c.drop.Stop()
	c.s.close()
}

// Take hands over the bare connection and the greeting that came on it. EHLO was said
// already; saying it again does no harm (RFC 5321 4.1.4).
func (c *Conn) Take() (conn *net.UnixConn, greeting string, err error) {
	c.drop.Stop()
	conn, err = c.s.conn()
	return conn, c.greeting, err
}

func (c *Conn) trace(direction byte, line string) {
	if c.o.Trace != nil {
		c.o.Trace(direction, line)
	}
}
