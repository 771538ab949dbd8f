package emulator

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	// maxCommand is generous to the parameters of RFC 6531, 3461 and 1870; maxAuth is
	// RFC 4954's 12288 bytes and some.
	maxCommand = 4096
	maxAuth    = 64 << 10
)

var errEnd = errors.New("session ended")

// session is one SMTP connection.
type session struct {
	e      *Emulator
	number int
	id     string
	wire   *wireConn
	tls    *tls.Conn
	r      *bufio.Reader
	w      *bufio.Writer
	start  time.Time

	helo   string
	user   string  // mailbox that signed in
	tenant string  // id
	claims *claims // nil before AUTH
	holds  string  // mailbox whose connection it counts as; Emulator.mu guards it
	over   bool    // QUIT came: it counts no more; Emulator.mu guards it
	errors int
	mail   *transaction

	turns, tlsTurns int64
	pipelined       int
	ordinal         int
	spentTrips      int64
	spentPipelined  int
}

func (e *Emulator) serveSMTP(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		e.wg.Go(func() { e.serveConn(c) })
	}
}

// ServeSMTP serves one connection that did not come by the listener, and returns when it ends. Tests in fake
// time use it, which a socket would stop.
func (e *Emulator) ServeSMTP(c net.Conn) { e.serveConn(c) }

func (e *Emulator) serveConn(c net.Conn) {
	wire := &wireConn{Conn: c, e: e}
	s := &session{e: e, id: sessionID(), wire: wire, start: time.Now()}
	s.setBuffers(wire)
	e.enter(s)
	defer e.leave(s)
	if f := e.fire("wire", c.RemoteAddr().String()); f != nil {
		wire.cutIn, wire.cutOut, wire.then = f.In, f.Out, f.Then
		wire.drip.Store(int64(f.Drip))
		e.sleep(e.ctx, f.Delay)
	}
	s.note("open from " + c.RemoteAddr().String())
	if err := s.run(); errors.Is(err, errEnd) {
		s.hangUp()
	} else {
		s.note("closed: " + err.Error())
	}
}

// hangUp sends what is left and says goodbye before it closes: a close with bytes
// unread would be a reset, and the client would lose the last reply.
func (s *session) hangUp() {
	if s.flush() != nil {
		return
	}
	_ = s.wire.SetDeadline(time.Now().Add(2 * time.Second))
	if s.tls != nil {
		_ = s.tls.CloseWrite()
	}
	if t, ok := s.wire.Conn.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, s.wire.Conn)
}

// setBuffers makes a new reader and writer, on the connection or on TLS.
func (s *session) setBuffers(c io.ReadWriter) {
	s.r, s.w = bufio.NewReaderSize(c, maxAuth+maxCommand), bufio.NewWriter(c)
}

// enter counts a connection, and how many there are at once.
func (e *Emulator) enter(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.serial++
	s.number = e.serial
	e.sessions[s] = struct{}{}
	e.stats.Connections++
	n := 0
	for other := range e.sessions {
		if !other.over && !other.wire.peerGone() {
			n++
		}
	}
	e.stats.MaxConcurrent = max(e.stats.MaxConcurrent, n)
	if e.ctx.Err() != nil {
		s.wire.Close()
	}
}

func (e *Emulator) leave(s *session) {
	s.abort()
	s.wire.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, s)
	e.stats.RoundTrips += s.trips()
	e.stats.Pipelined += s.pipelined
}

// trips are the round trips so far, connect and TLS included.
func (s *session) trips() int64 { return 1 + s.turns + s.tlsTurns }

func (s *session) note(what string) { s.e.transcript.line(strconv.Itoa(s.number), what) }

// tag ends the replies of the front end: host, time and session.
func (s *session) tag() string {
	host := strings.Replace(s.e.Host, ".outlook.office365.com", ".eurprd00.prod.outlook.com", 1)
	return fmt.Sprintf("[%s %s %s]", host, s.e.now().UTC().Format("2006-01-02T15:04:05.000Z"), s.id)
}

// hostTag ends the replies to the end of the data: the back end's host.
func (s *session) hostTag() string {
	return "[Hostname=AM0PR00MB0001.eurprd00.prod.outlook.com]"
}

func (s *session) run() error {
	err := s.answer("connect", "", func() string {
		if s.e.current().Exchange.ForeignBanner {
			return "220 mail.example.test ESMTP Postfix"
		}
		return fmt.Sprintf("220 %s Microsoft ESMTP MAIL Service ready at %s [%s]",
			s.e.Host, s.e.now().UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700"), s.id)
	})
	for err == nil {
		var line string
		if line, err = s.readCommand(); err == nil {
			err = s.command(line)
		}
	}
	return err
}

// flush sends the replies that are waiting: one turnaround, if there are any.
func (s *session) flush() error {
	if s.w.Buffered() > 0 {
		s.turns++
	}
	return s.push()
}

// push is flush where the client is not waiting: it is still sending.
func (s *session) push() error {
	_ = s.wire.SetWriteDeadline(time.Now().Add(5 * time.Minute))
	return s.w.Flush()
}

// readLine reads up to LF. Replies go out first if the client would be waiting for
// them, so that pipelined commands get their replies together (RFC 2920).
func (s *session) readLine(limit int) (string, error) {
	if s.r.Buffered() == 0 {
		if err := s.flush(); err != nil {
			return "", err
		}
	} else if s.w.Buffered() > 0 {
		s.pipelined++
	}
	x := s.e.current().Exchange
	idle := time.Now().Add(time.Duration(x.IdleTimeout))
	end := s.start.Add(time.Duration(x.SessionAge))
	if end.Before(idle) {
		idle = end
	}
	_ = s.wire.SetReadDeadline(idle)
	b, err := s.r.ReadSlice('\n')
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		s.reply(s.timeoutText(end))
		return "", errEnd
	case errors.Is(err, bufio.ErrBufferFull) || err == nil && len(b) > limit:
		s.reply("500 5.5.2 Line too long")
		return "", errEnd
	case err != nil:
		return "", err
	}
	return string(b), nil
}

func (s *session) timeoutText(end time.Time) string {
	age := time.Since(s.start).Round(time.Second)
	if time.Now().Before(end) {
		return "451 4.7.0 Timeout waiting for client input " + s.tag()
	}
	return fmt.Sprintf("421 4.4.1 Connection timed out. Total session duration: %02d:%02d:%02d %s",
		int(age.Hours()), int(age.Minutes())%60, int(age.Seconds())%60, s.tag())
}

// readCommand reads one command with its line end.
func (s *session) readCommand() (string, error) { return s.readLine(maxCommand + maxAuth) }

// reply queues a reply, whose lines are separated by LF.
func (s *session) reply(text string) {
	s.e.countReply(text)
	for line := range strings.SplitSeq(text, "\n") {
		s.note("S: " + line)
		_, _ = s.w.WriteString(line + "\r\n") // flush reports the error
	}
}

// wait delays, after the replies so far went out.
func (s *session) wait(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	if !s.e.sleep(s.e.ctx, d) {
		return errEnd
	}
	return nil
}

// answer replies to an event at a stage: with what action returns, or as a rule has it.
func (s *session) answer(stage, text string, action func() string) error {
	if stage == "dot" {
		if refusal := s.throttled(); refusal != "" {
			return s.conclude(refusal)
		}
	}
	f := s.e.fire(stage, text)
	if f == nil {
		return s.conclude(s.counted(stage, action()))
	}
	if f.Drip > 0 {
		s.wire.drip.Store(int64(f.Drip))
	}
	if err := s.wait(f.Delay); err != nil {
		return err
	}
	negative := f.Reply != "" && !positive(f.Reply)
	silent := f.Reply == "" && f.Then != ""
	var reply string
	switch {
	case f.Keep, !negative && !silent:
		reply = action()
		if f.Reply != "" && (f.Keep || positive(reply)) {
			reply = f.Reply
		}
		if silent {
			reply = ""
		}
	case negative:
		reply = f.Reply
	}
	reply = s.counted(stage, reply)
	if f.Then == "" {
		return s.conclude(reply)
	}
	if reply != "" {
		s.reply(reply)
	}
	_ = s.flush() // the connection is about to end
	s.note("scripted: " + f.Then)
	return s.wire.cut(f.Then)
}

func positive(reply string) bool {
	return reply != "" && reply[0] != '4' && reply[0] != '5'
}

// conclude sends a reply and ends the session after a 421, or after too many protocol
// errors. "" is no reply.
func (s *session) conclude(reply string) error {
	if reply == "" {
		return nil
	}
	s.reply(reply)
	if strings.HasPrefix(reply, "421") {
		return errEnd
	}
	switch reply[:3] {
	case "500", "501", "503", "504", "535": // the client's faults, not the message's
		limit := s.e.current().Exchange.MaxErrors
		if s.errors++; limit > 0 && s.errors >= limit {
			s.reply("421 4.7.0 Too many errors on this connection, closing transmission channel " + s.tag())
			return errEnd
		}
	}
	return nil
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}
