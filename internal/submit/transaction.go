package submit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/smtpreply"
	"o365-sendmail/internal/sysexits"
)

// transaction is one message on its way. It is written by Begin and read to its end by
// finish, in the order of the session's transactions, whoever calls that first.
type transaction struct {
	s    *Session
	prev *transaction // has to be read to its end before this one
	env  *envelope.Envelope
	size int64
	utf8 bool

	named   []int // recipients that RCPT commands name, as indices into res.Recipients
	signIn  bool  // AUTH goes first
	reset   bool  // then RSET
	replies int32 // that are due: to RSET, MAIL, the RCPTs and BDAT

	begun chan struct{} // one for each BDAT command written, closed after the last
	last  int           // number of the BDAT command with LAST, from 0
	halt  atomic.Bool   // nobody will get this message: stop sending at the next chunk

	mu       sync.Mutex
	writing  bool  // the body is still being written
	writeErr error // why writing stopped early
	whole    bool  // all of the message was written

	claimed atomic.Bool   // somebody reads the replies or has read them
	done    chan struct{} // closed when res and err are final
	stop    func() bool   // ends the watch over the context
	res     *Result
	err     *Error // of the message as a whole
}

// maxUnread is how many replies may wait to be read while the next message is sent: any socket's
// buffer holds them.
const maxUnread = 64

// start sends the message, or as much as goes before an answer is needed.
func (t *transaction) start(ctx context.Context, msg envelope.Message) {
	s := t.s
	if err := s.over(); err != nil {
		e := *s.cfg.ioError(PhaseMail, err) // a copy: it is the error of another message
		e.Address, e.Uncertain = "", false
		t.err = &e
		t.skip()
		return
	}
	if err := ctx.Err(); err != nil {
		t.err = s.cfg.ioError(PhaseMail, err)
		t.skip()
		return
	}
	if s.last != nil && !s.last.finished() {
		t.prev = s.last
		if s.unread.Load() > maxUnread {
			// They are read beside, so that the server can't wait for us to read while
			// we wait for it to do so.
			sysexits.Go(t.prev.finish)
		}
	} else if s.br.Buffered() > 0 {
		t.unasked()
		t.skip()
		return
	}
	c, err := openContent(msg)
	if err != nil {
		t.err = s.cfg.fault(PhaseBody, diagnose.FaultMessage, err)
		t.skip()
		return
	}
	defer c.close()
	s.last = t
	s.mu.Lock()
	s.messages++
	// Behind a message whose fate is not known RSET goes first: had that one failed, its
	// recipients could otherwise still be there and get this one.
	t.reset = s.needReset || t.prev != nil
	s.mu.Unlock()
	t.replies = int32(len(t.named) + 3)
	s.unread.Add(t.replies)
	t.stop = context.AfterFunc(ctx, func() { s.kill(context.Cause(ctx)) })
	if s.ext.Pipelining && s.ext.Chunking {
		t.startChunks(c)
	} else {
		t.claimed.Store(true)
		t.converse(c)
	}
}

// unasked reads what the server has said without being asked: why it closes the
// session, or a reply too many, after which no reply could be trusted.
func (t *transaction) unasked() {
	if r, ok := t.reply(PhaseMail); ok {
		t.fail(PhaseMail, smtpreply.Broken("%d without a command", r.Code))
	}
}

// skip ends a transaction of which nothing was sent.
func (t *transaction) skip() {
	t.claimed.Store(true)
	t.settle()
}

// finished reports whether the outcome is known.
func (t *transaction) finished() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// wait reads the replies, unless that is done, and returns the outcome.
func (t *transaction) wait() (*Result, error) {
	t.finish()
	if t.err != nil {
		return t.res, t.err
	}
	return t.res, nil
}

// finish reads the replies to all transactions up to this one.
func (t *transaction) finish() {
	if t.claimed.Swap(true) {
		<-t.done
		return
	}
	t.finishPrevious()
	t.setDeadline()
	t.readReplies()
	t.settle()
}

func (t *transaction) finishPrevious() {
	if t.prev != nil {
		t.prev.finish()
		t.prev = nil
	}
}

// setDeadline bounds the wait for all replies to a flight, once it is written and its turn
// has come. A server may hold the first back until it has the last (RFC 2920 section
// 3.2), so the time for the end of the data is due to all of them, but once only. A server
// that did not get the whole flight may wait for the rest, and is heard for a moment only.
func (t *transaction) setDeadline() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.writing {
		return
	}
	within := t.s.cfg.DataTimeout
	if t.writeErr != nil {
		within = lastWords
	}
	_ = t.s.wire.SetReadDeadline(time.Now().Add(within))
}

// settle gives every recipient its outcome and lets go of the session.
func (t *transaction) settle() {
	if t.stop != nil {
		t.stop()
	}
	if t.err != nil {
		t.err.Chunked = t.begun != nil
		if t.err.Diagnosis.Key == diagnose.KeyTokenExpired {
			t.s.retire()
		}
		for i := range t.res.Recipients {
			if r := &t.res.Recipients[i]; r.Err == nil {
				r.Err = t.err
			}
		}
	}
	t.s.unread.Add(-t.replies)
	t.s.mu.Lock()
	t.s.lastUsed = time.Now()
	t.s.mu.Unlock()
	close(t.done)
}

// flight appends what goes before the content: AUTH, RSET, MAIL and RCPTs.
func (t *transaction) flight(b []byte) []byte {
	s := t.s
	if s.pendingAuth != nil {
		b = append(b, s.pendingAuth...)
		t.signIn, s.pendingAuth = true, nil
	}
	if t.reset {
		b = append(b, "RSET\r\n"...)
	}
	b = s.appendMail(b, t.env, t.size, t.utf8)
	for _, i := range t.named {
		b = s.appendRcpt(b, &t.env.Recipients[i])
	}
	s.traceLines(b)
	return b
}

// readReplies reads the replies to a flight and to the BDAT commands behind it.
func (t *transaction) readReplies() {
	if !t.readSignIn() || !t.readReset() || !t.readMail() || !t.readRcpts() {
		return
	}
	for n := 0; ; n++ {
		if _, more := <-t.begun; !more {
			break
		}
		if !t.readChunk(n == t.last) {
			return
		}
	}
	if w := t.writeFailure(); w != nil && t.err != nil {
		t.s.kill(w)
	} else if w != nil {
		t.postMortem()
	}
}

func (t *transaction) readSignIn() bool {
	if !t.signIn {
		return true
	}
	r, ok := t.reply(PhaseAuth)
	challenge := ""
	if ok && r.Code == 334 { // the server has taken the next line of the flight for the answer
		challenge = t.s.decodeChallenge(r)
		r, ok = t.reply(PhaseAuth)
	}
	if !ok {
		return false
	}
	if err := t.s.authVerdict(r, challenge); err != nil {
		t.fail(PhaseAuth, err)
		return false
	}
	return true
}

func (t *transaction) readReset() bool {
	if !t.reset {
		return true
	}
	r, ok := t.reply(PhaseReset)
	if ok && !r.Positive() {
		t.fail(PhaseReset, t.unexpected(PhaseReset, r))
		return false
	}
	t.s.setNeedReset(false)
	return ok
}

func (t *transaction) readMail() bool {
	r, ok := t.reply(PhaseMail)
	switch {
	case !ok:
		return false
	case r.Positive():
		t.s.setNeedReset(true)
	case r.Negative():
		t.err = t.s.cfg.replyError(PhaseMail, "MAIL", r)
		t.err.Address = t.env.Sender
		t.giveUp()
	default:
		t.fail(PhaseMail, t.unexpected(PhaseMail, r))
		return false
	}
	return true
}

// readRcpts reads the replies to the RCPT commands.
func (t *transaction) readRcpts() bool {
	accepted := 0
	for _, i := range t.named {
		r, ok := t.reply(PhaseRcpt)
		if !ok || !t.noteRcpt(i, r) {
			return false
		}
		if t.res.Recipients[i].Err == nil && t.err == nil {
			accepted++
		}
	}
	if accepted == 0 {
		t.giveUp()
	}
	return true
}

// noteRcpt notes the reply to one recipient; false means that the session is over.
func (t *transaction) noteRcpt(i int, r smtpreply.Reply) bool {
	switch {
	case r.Negative():
		if t.err == nil {
			e := t.s.cfg.replyError(PhaseRcpt, "RCPT", r)
			e.Address = t.res.Recipients[i].Address
			t.res.Recipients[i].Err = e
		}
		return true
	case r.Positive():
		return true
	}
	t.fail(PhaseRcpt, t.unexpected(PhaseRcpt, r))
	return false
}

// readChunk reads the reply to a BDAT command (RFC 3030 section 2).
func (t *transaction) readChunk(last bool) bool {
	r, ok := t.reply(PhaseBody)
	if !ok {
		return false
	}
	refused := t.halt.Load()
	switch {
	case r.Negative():
		if !refused {
			return t.refuseChunks(t.s.chunkError(r))
		}
	case !r.Positive():
		t.fail(PhaseBody, t.unexpected(PhaseBody, r))
		return false
	case refused && last && t.err != nil && t.err.Phase == PhaseMail:
		// What has it taken, if it refused the sender?
		t.fail(PhaseBody, t.unexpected(PhaseBody, r))
		return false
	case last && !refused:
		t.res.Reply = r
		t.s.setNeedReset(false)
	}
	t.s.chunksWork = t.s.chunksWork || r.Positive() && !refused
	return true
}

// giveUp notes that nobody will get the message. A body still being written stops at the
// end of its chunk, and has a short time for that if the server no longer reads.
func (t *transaction) giveUp() {
	t.s.setNeedReset(true)
	t.halt.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.writing {
		t.s.wire.limitWrites(time.Now().Add(giveUpTimeout))
	}
}

// giveUpTimeout is how long the rest of a chunk may take that the server will discard.
const giveUpTimeout = 15 * time.Second

// reply reads one reply. False means that the session is over and t.err says why.
func (t *transaction) reply(phase Phase) (smtpreply.Reply, bool) {
	if err := t.s.over(); err != nil {
		t.lost(phase, err)
		return smtpreply.Reply{}, false
	}
	if phase == PhaseReset || phase == PhaseMail || phase == PhaseRcpt {
		if code := t.s.consent(); code > 0 {
			return smtpreply.Reply{Code: code}, true
		}
	}
	r, err := t.s.readOn()
	if err != nil {
		if w := t.writeFailure(); w != nil {
			err = w
		}
		t.lost(phase, err)
		return smtpreply.Reply{}, false
	}
	if r.Code == 421 { // RFC 5321 3.8: the server closes the connection, whatever it answers
		t.fail(phase, t.s.cfg.replyError(phase, phaseCommand(phase), r))
		return r, false
	}
	return r, true
}

// postMortem looks for a reply that says why the server broke off while we wrote.
func (t *transaction) postMortem() {
	r, err := t.s.readOn()
	if err == nil && r.Negative() {
		t.fail(PhaseBody, t.s.chunkError(r))
		return
	}
	t.lost(PhaseBody, t.writeFailure())
}

// lost ends the session after an I/O error, and the message with it.
func (t *transaction) lost(phase Phase, err error) {
	if over := t.s.over(); over != nil {
		err = over // the first reason is the real one
	}
	t.fail(phase, err)
}

// fail ends the session with err, and the message with it unless that has failed before.
func (t *transaction) fail(phase Phase, err error) {
	e := *t.s.cfg.ioError(phase, err) // a copy: it may be the error of another message
	t.mu.Lock()
	e.Address, e.Uncertain = "", t.whole && e.Code == 0 && !t.halt.Load()
	t.mu.Unlock()
	t.s.kill(&e)
	t.halt.Store(true)
	if t.err == nil {
		t.err = &e
	}
}

func (t *transaction) unexpected(phase Phase, r smtpreply.Reply) error {
	return smtpreply.Broken("%d in answer to %s", r.Code, phaseCommand(phase))
}

func phaseCommand(p Phase) string {
	switch p {
	case PhaseAuth:
		return authCommand
	case PhaseReset:
		return "RSET"
	case PhaseMail:
		return "MAIL"
	case PhaseRcpt:
		return "RCPT"
	case PhaseData:
		return "DATA"
	case PhaseBody:
		return "the message"
	}
	return string(p)
}

func (t *transaction) writeFailure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writeErr
}

func (s *Session) setNeedReset(need bool) {
	s.mu.Lock()
	s.needReset = need
	s.mu.Unlock()
}
