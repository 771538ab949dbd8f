package submit

import (
	"bytes"
	"time"

	"o365-sendmail/internal/sysexits"
)

// converse sends the message by DATA, to servers without CHUNKING or PIPELINING, and
// reads all replies.
func (t *transaction) converse(c *content) {
	defer t.settle()
	t.finishPrevious()
	proceed := t.stepByStep
	if t.s.ext.Pipelining {
		proceed = t.inOneFlight
	}
	if proceed() && t.readyForData() {
		t.sendData(c)
	}
}

// inOneFlight sends everything up to DATA and reads the replies; true means that the
// reply to DATA is next.
func (t *transaction) inOneFlight() bool {
	b := t.flight(t.s.out[:0])
	b = append(b, "DATA\r\n"...)
	t.s.trace('>', "DATA")
	t.setDeadline()
	written := make(chan error, 1)
	write := func() {
		err := t.s.write(b)
		if err != nil {
			t.mu.Lock()
			t.writeErr = err
			t.mu.Unlock()
			t.setDeadline()
		}
		written <- err
	}
	if len(b) > inlineSize {
		sysexits.Go(write)
	} else {
		write()
	}
	ok := t.readReset() && t.readMail() && t.readRcpts()
	if err := <-written; err != nil && ok {
		t.lost(PhaseData, err)
		return false
	}
	return ok
}

// stepByStep sends command by command up to DATA. Without a recipient it stops before.
func (t *transaction) stepByStep() bool {
	s := t.s
	if t.reset && !(t.say(PhaseReset, []byte("RSET\r\n")) && t.readReset()) {
		return false
	}
	if !t.say(PhaseMail, s.appendMail(s.out[:0], t.env, t.size, t.utf8)) || !t.readMail() || t.err != nil {
		return false
	}
	accepted := 0
	for _, i := range t.named {
		if !t.say(PhaseRcpt, s.appendRcpt(s.out[:0], &t.env.Recipients[i])) {
			return false
		}
		r, ok := t.reply(PhaseRcpt)
		if !ok || !t.noteRcpt(i, r) {
			return false
		}
		if t.res.Recipients[i].Err == nil {
			accepted++
		}
	}
	return accepted > 0 && t.say(PhaseData, []byte("DATA\r\n"))
}

// say sends a command and starts the time for its reply.
func (t *transaction) say(phase Phase, line []byte) bool {
	t.s.traceLines(line)
	err := t.s.write(line)
	if err == nil {
		err = t.s.wire.SetReadDeadline(time.Now().Add(t.s.cfg.CommandTimeout))
	}
	if err != nil {
		t.lost(phase, err)
	}
	return err == nil
}

// readyForData reads the reply to DATA. Nothing of the message goes out unless it is 354
// and somebody will get it; with nobody, a lone dot ends what the server now expects.
func (t *transaction) readyForData() bool {
	r, ok := t.reply(PhaseData)
	switch {
	case !ok:
		return false
	case r.Code == 354 && !t.halt.Load():
		return true
	case r.Code == 354:
		if t.say(PhaseBody, []byte(".\r\n")) {
			t.reply(PhaseBody)
		}
		return false
	case !r.Negative():
		t.fail(PhaseData, t.unexpected(PhaseData, r))
		return false
	case !t.halt.Load():
		t.err = t.s.cfg.replyError(PhaseData, "DATA", r)
		t.giveUp()
	}
	return false
}

// sendData sends the content and its end, and reads the reply.
func (t *transaction) sendData(c *content) {
	t.writeBegins()
	err := t.writeDots(c)
	t.writeEnds(err, err == nil)
	if err != nil {
		t.postMortem()
		return
	}
	r, ok := t.reply(PhaseBody)
	switch {
	case !ok:
	case r.Positive():
		t.res.Reply = r
		t.s.setNeedReset(false)
	case r.Negative():
		t.err = t.s.cfg.replyError(PhaseBody, "the message", r)
	default:
		t.fail(PhaseBody, t.unexpected(PhaseBody, r))
	}
}

// writeDots writes the content with a dot before each line that starts with one, and the
// final dot (RFC 5321 4.5.2).
func (t *transaction) writeDots(c *content) error {
	in := make([]byte, min(t.size, pieceSize))
	out := t.s.out[:0]
	lineStart := true
	for {
		in = in[:min(c.left, int64(len(in)))]
		if err := c.fill(in); err != nil {
			t.abandon(err)
			return err
		}
		out = appendDots(out, in, lineStart)
		lineStart = c.last == '\n'
		if c.left == 0 {
			out = append(out, ".\r\n"...)
		}
		if err := t.s.write(out); err != nil {
			return err
		}
		if c.left == 0 {
			t.s.trace('>', ".")
			return nil
		}
		out = out[:0]
	}
}

// appendDots appends p with its dots stuffed.
func appendDots(out, p []byte, lineStart bool) []byte {
	if lineStart && len(p) > 0 && p[0] == '.' {
		out = append(out, '.')
	}
	for {
		i := bytes.Index(p, []byte("\n."))
		if i < 0 {
			return append(out, p...)
		}
		out = append(append(out, p[:i+1]...), '.')
		p = p[i+1:]
	}
}
