package smtpd

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/rfc822"
)

// Options say how a connection is served.
type Options struct {
	// Host is the name in the greeting, and where a sender without a domain is.
	Host string
	// Handler stands behind the server.
	Handler Handler
	// ExitCode tells the exit code that an error of the Handler stands for.
	ExitCode func(error) int
	// MaxSize is the limit on a message in wire form without the private field, in bytes, 0 for none;
	// MaxRecipients on a transaction.
	MaxSize       int64
	MaxRecipients int
	// MaxOwnRecipients is the limit on a transaction of this program's own client; 0 when there is none of its own.
	MaxOwnRecipients int
	// Memory is how much of a message is kept in memory, and TempDir where the rest is:
	// see rfc822.ReadOptions.
	Memory  int
	TempDir string
	// MaxHeader is the limit on a header in bytes, 0 for the one of package rfc822.
	MaxHeader int64
	// Meter watches a message come in and may end that with an error; done is called when what it took is
	// no longer needed. A metered that is an rfc822.Budget is asked for memory. nil watches nothing.
	Meter func(r io.Reader) (metered io.Reader, done func())
	// Tail gives the end of a large message a place (rfc822.ReadOptions.Keep) by what is known of it: msg has its
	// header, and before bytes of the body stand before the end. It must not change env. nil gives none.
	Tail func(env *envelope.Envelope, msg *rfc822.Message, o envelope.Options, before int64) rfc822.Rest
	// Envelope is asked for the memory of each recipient; nil bounds nothing.
	Envelope EnvelopeBudget
	// Turns bound how many connections work at the same time; nil bounds nothing.
	Turns Turns
	// Local is set when the client is a local process, whose private field counts.
	Local bool
	// TLS is how the connection is encrypted; nil for a server that does without.
	TLS *TLS
	// Log hears of faults of the server itself; nil means nobody does.
	Log func(error)
}

// EnvelopeBudget bounds the memory that the recipients of a transaction take.
type EnvelopeBudget interface {
	// Take asks for n more bytes, and returns why there are none.
	Take(n int64) error
	// Drop gives back what the transaction took.
	Drop()
}

// slack is what this program's own client may add to a message that it has measured: the private field,
// and a From.
const slack = 1 << 10

// Serve holds the dialogue on c until it ends, and closes c. When ctx ends, the connection is cut.
func Serve(ctx context.Context, c *Conn, o Options) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, c.Abort)()
	if o.Log == nil {
		o.Log = func(error) {}
	}
	c.end = cancel
	c.turn = turn{ctx: ctx, turns: o.Turns}
	defer c.turn.give()
	c.session = &session{ctx: ctx, o: &o, conn: c}
	defer c.session.Reset()
	if o.TLS != nil && o.TLS.Implicit && !c.session.encrypt() {
		_ = c.Close()
		return
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return c.session, nil }))
	// The bounds are announced by the library and kept by the session.
	s.Domain, s.MaxMessageBytes, s.MaxRecipients = o.Host, o.MaxSize, o.MaxRecipients
	s.EnableSMTPUTF8, s.EnableDSN = true, true
	s.MaxLineLength = 0 // Conn bounds them
	s.ErrorLog = faults(o.Log)
	_ = s.Serve(&once{conn: c, ended: ctx.Done()})
	_ = s.Shutdown(context.Background()) // waits for the library's goroutine, which has nothing to wait for
}

// once is a listener that one connection comes from. It ends with the connection.
type once struct {
	net.Listener // nil: the library asks for no address
	conn         net.Conn
	ended        <-chan struct{}
}

func (l *once) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.ended
	return nil, net.ErrClosed
}

func (l *once) Close() error { return nil }

// FaultError is a panic in the server.
type FaultError struct {
	trace string // of several lines
}

// Error returns what happened, in one line.
func (e *FaultError) Error() string {
	first, _, _ := strings.Cut(e.trace, "\n")
	return "fault of the program: " + first
}

// Trace returns the same with the stack.
func (e *FaultError) Trace() string { return "fault of the program: " + e.trace }

// faults takes what the library logs: since reads from a Conn end with EOF alone, that is its panics.
type faults func(error)

func (log faults) Printf(format string, v ...any) { log(&FaultError{fmt.Sprintf(format, v...)}) }

func (log faults) Println(v ...any) { log(&FaultError{fmt.Sprintln(v...)}) }
