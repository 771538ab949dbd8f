package submit

import (
	"bufio"
	"crypto/tls"
	"net"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/smtpreply"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Session is a signed-in connection. Its methods but Begin's wait are for one goroutine.
type Session struct {
	cfg      Config
	wire     *wire
	conn     net.Conn // wire, or TLS over it
	br       *bufio.Reader
	ext      Extensions
	greeting string
	out      []byte // the flight being built; kept for the next

	held    int            // bytes of out that Flush has to write
	heldFor []*transaction // whose they are

	pendingAuth []byte   // the AUTH line, when the first message's flight takes it along
	secrets     []string // what no trace and no error may show
	traceMu     sync.Mutex

	last       *transaction // begun last
	chunksWork bool         // the server has taken a chunk; for the reader of the replies
	unread     atomic.Int32 // replies that are still to be read, roughly
	buffered   atomic.Int32 // bytes behind the reply that was read last

	mu        sync.Mutex
	err       error // why the session is over; nil while it is not
	retired   bool  // no other message is to begin
	needReset bool  // the server may still hold an unfinished transaction
	messages  int   // transactions begun
	lastUsed  time.Time
}

// command sends one line and awaits a reply with the given code.
func (s *Session) command(phase Phase, line string, want int) (smtpreply.Reply, error) {
	s.trace('>', line)
	if err := s.write(append(append(s.out[:0], line...), "\r\n"...)); err != nil {
		return smtpreply.Reply{}, s.cfg.ioError(phase, err)
	}
	return s.await(phase, line, want)
}

// await reads a reply; one with another code is an error.
func (s *Session) await(phase Phase, line string, want int) (smtpreply.Reply, error) {
	r, err := s.read(s.cfg.CommandTimeout)
	if err != nil {
		return smtpreply.Reply{}, s.cfg.ioError(phase, err)
	}
	if r.Code == want {
		return r, nil
	}
	if !r.Negative() {
		return r, s.cfg.ioError(phase, smtpreply.Broken("%d in answer to %s", r.Code, verb(line)))
	}
	return r, s.cfg.replyError(phase, verb(line), r)
}

// verb is the command without its arguments, which may be secret or foreign.
func verb(line string) string {
	if strings.HasPrefix(line, "AUTH ") {
		return authCommand
	}
	if v, _, found := strings.Cut(line, " "); found && v == strings.ToUpper(v) {
		return v
	}
	return line
}

// hold keeps the flight of a transaction, behind those that are held already, until Flush.
func (s *Session) hold(t *transaction, flights []byte) {
	s.out, s.held = flights, len(flights)
	s.heldFor = append(s.heldFor, t)
}

// Flush sends what Gather holds.
func (s *Session) Flush() {
	if s.held == 0 {
		return
	}
	flights := s.out[:s.held]
	s.held = 0
	err := s.over()
	tried := err == nil
	if tried {
		err = s.write(flights)
	}
	for i, t := range s.heldFor {
		s.heldFor[i] = nil
		// After a failure the server lacks the end of the last message. The others it may have.
		if err == nil {
			t.begun <- struct{}{}
		}
		t.writeEnds(err, tried && (err == nil || i < len(s.heldFor)-1))
	}
	s.heldFor = s.heldFor[:0]
}

// write sends p in one piece.
func (s *Session) write(p []byte) error {
	s.out, s.held = p[:0], 0
	if len(p) <= inlineSize {
		_, err := s.conn.Write(p)
		return err
	}
	s.wire.hold()
	if _, err := s.conn.Write(p); err != nil {
		return err
	}
	return s.wire.flush()
}

// maxReplyLines bounds a reply of the server's.
const maxReplyLines = 100

// read reads a reply that has to be complete within the time given, however slowly it drips.
func (s *Session) read(within time.Duration) (smtpreply.Reply, error) {
	if err := s.wire.SetReadDeadline(time.Now().Add(within)); err != nil {
		return smtpreply.Reply{}, err
	}
	return s.readOn()
}

// readOn reads a reply under the deadline in force.
func (s *Session) readOn() (smtpreply.Reply, error) {
	var trace func(string)
	if s.cfg.Trace != nil {
		trace = func(line string) { s.trace('<', line) }
	}
	r, err := smtpreply.Read(s.br, maxReplyLines, trace)
	s.buffered.Store(int32(s.br.Buffered()))
	for i := range r.Lines {
		r.Lines[i] = s.redact(r.Lines[i])
	}
	return r, err
}

// consent reads a reply of which nobody wants to know more than its code, or returns 0.
func (s *Session) consent() (code int) {
	if s.cfg.Trace != nil {
		return 0
	}
	code = smtpreply.Consent(s.br)
	s.buffered.Store(int32(s.br.Buffered()))
	return code
}

const redacted = "[redacted]"

// redact guards against a server that repeats the token in its reply.
func (s *Session) redact(line string) string {
	for _, secret := range s.secrets {
		line = strings.ReplaceAll(line, secret, redacted)
	}
	return line
}

// traceLines traces the commands of a flight.
func (s *Session) traceLines(flight []byte) {
	if s.cfg.Trace == nil {
		return
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(flight), "\r\n"), "\r\n") {
		s.trace('>', printable.Line(line))
	}
}

func (s *Session) trace(direction byte, line string) {
	if s.cfg.Trace == nil {
		return
	}
	s.traceMu.Lock()
	defer s.traceMu.Unlock()
	s.cfg.Trace(direction, s.redact(line))
}

// MaxSize is the largest message in bytes that the server takes; 0 when it sets no limit.
func (s *Session) MaxSize() int64 { return s.ext.Size }

// Extensions are what the server offers.
func (s *Session) Extensions() Extensions { return s.ext }

// Server is the name in the server's greeting.
func (s *Session) Server() string {
	name, _, _ := strings.Cut(s.greeting, " ")
	return name
}

// Greeting is the text of the server's greeting.
func (s *Session) Greeting() string { return s.greeting }

// TLS tells how the connection is encrypted and as whom the server has proved itself.
func (s *Session) TLS() tls.ConnectionState {
	if c, ok := s.conn.(*tls.Conn); ok {
		return c.ConnectionState()
	}
	return tls.ConnectionState{}
}

// LastUsed is when the last reply came.
func (s *Session) LastUsed() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastUsed
}

// Usable reports whether another message may be sent: nothing has failed, and the server
// has neither said anything unasked, such as a 421, nor closed the connection.
func (s *Session) Usable() bool {
	s.mu.Lock()
	over := s.err != nil || s.retired || s.ext.MaxMessages > 0 && s.messages >= s.ext.MaxMessages
	s.mu.Unlock()
	if over {
		return false
	}
	if s.last != nil && !s.last.finished() {
		return true // what can be read is the reply to come
	}
	return s.br.Buffered() == 0 && quiet(s.wire.Conn)
}

// Answered reports whether the next reply has come, or a part of it, as far as that is known without
// asking the system.
func (s *Session) Answered() bool { return s.buffered.Load() > 0 }

// Close says QUIT, does not wait for the answer, and closes the connection.
func (s *Session) Close() error {
	s.mu.Lock()
	over := s.err != nil
	s.mu.Unlock()
	if over {
		return nil
	}
	s.wire.limitWrites(time.Now().Add(quitTimeout))
	s.Flush()
	s.wire.hold()
	s.trace('>', "QUIT")
	_ = s.write(append(s.out[:0], "QUIT\r\n"...))
	if c, ok := s.conn.(*tls.Conn); ok {
		_ = c.CloseWrite()
	}
	_ = s.wire.flush()
	s.kill(net.ErrClosed)
	return nil
}

// quitTimeout bounds the write of QUIT, which normally goes into a buffer of the kernel's.
const quitTimeout = time.Second

// kill ends the session; the first reason stays.
func (s *Session) kill(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.wire.Conn.Close()
}

// over returns why the session is over, nil if it is not.
func (s *Session) over() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
