package submit

import (
	"slices"
	"strconv"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/sysexits"
)

const (
	// inlineSize is the largest flight written without a reader beside: it fits into one
	// TLS record and into any socket's buffer, so that a server can't block us with it.
	inlineSize = 16 << 10
	// chunkSize is what one BDAT command carries. A refused message stops at a chunk's end.
	chunkSize = 1 << 20
	// pieceSize is what is read and written at once.
	pieceSize = 128 << 10
	// minPiece is what goes with commands that alone fill a piece.
	minPiece = 4 << 10
	// minRate is the least bytes a second at which a body may leave, over all.
	minRate = 8 << 10
	// lastWords is how long a server that broke off may take to say why.
	lastWords = 2 * time.Second
)

// startChunks sends the message by BDAT (RFC 3030): all in one write if it is small, else
// piece by piece with the replies read beside.
func (t *transaction) startChunks(c *content) {
	s := t.s
	held := s.held
	b := t.flight(s.out[:held])
	t.last = int(max(t.size-1, 0) / chunkSize)
	t.begun = make(chan struct{}, t.last+1)
	if held > 0 && int64(len(b))+t.size > inlineSize {
		s.Flush()
		b = b[:copy(b, b[held:])] // it has sent what was before, and uses the room no more
	}
	if int64(len(b))+t.size <= inlineSize {
		t.gather(b, c)
		return
	}
	t.writeBegins()
	sysexits.Go(t.finish)
	err := t.sendChunks(b, c)
	t.writeEnds(err, err == nil && c.left == 0)
}

// gather puts the whole message behind those that are held.
func (t *transaction) gather(b []byte, c *content) {
	b = t.appendBDAT(b, t.size, true)
	head := len(b)
	b = slices.Grow(b, int(t.size))[:head+int(t.size)]
	if err := c.fill(b[head:]); err != nil {
		t.abandon(err)
		t.writeEnds(err, false)
		return
	}
	t.s.hold(t, b)
}

// sendChunks sends the message in chunks until it is sent or refused.
func (t *transaction) sendChunks(b []byte, c *content) error {
	b = slices.Grow(b, max(pieceSize-len(b), minPiece))
	for n := 0; n <= t.last && !t.halt.Load(); n++ {
		left := min(c.left, chunkSize)
		b = t.appendBDAT(b, left, n == t.last)
		t.begun <- struct{}{}
		for left > 0 {
			head := len(b)
			piece := min(left, int64(max(pieceSize-head, minPiece)))
			left -= piece
			b = slices.Grow(b, int(piece))[:head+int(piece)]
			if err := c.fill(b[head:]); err != nil {
				t.abandon(err)
				return err
			}
			if err := t.s.write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return nil
}

func (t *transaction) appendBDAT(b []byte, size int64, last bool) []byte {
	head := len(b)
	b = strconv.AppendInt(append(b, "BDAT "...), size, 10)
	if last {
		b = append(b, " LAST"...)
	}
	b = append(b, "\r\n"...)
	t.s.traceLines(b[head:])
	return b
}

// abandon ends the session when the message can't be read: an unfinished chunk makes
// the server drop what it has.
func (t *transaction) abandon(err error) {
	t.s.kill(t.s.cfg.fault(PhaseBody, diagnose.FaultMessage, err))
}

// writeBegins bounds the time that the body may take and, as the server may be busy with
// reading it, the wait for replies meanwhile.
func (t *transaction) writeBegins() {
	t.writing = true
	patience := time.Now().Add(t.s.cfg.DataTimeout + time.Duration(t.size/minRate)*time.Second)
	t.s.wire.limitWrites(patience)
	_ = t.s.wire.SetReadDeadline(patience.Add(t.s.cfg.DataTimeout))
}

// writeEnds notes how writing ended, whether the server may have the whole of it, and starts the time for what is still to be answered.
func (t *transaction) writeEnds(err error, whole bool) {
	t.mu.Lock()
	t.writeErr, t.whole = err, whole
	if t.writing {
		within := t.s.cfg.DataTimeout
		if err != nil {
			within = lastWords
		}
		_ = t.s.wire.SetReadDeadline(time.Now().Add(within))
		t.s.wire.limitWrites(time.Time{})
	}
	t.writing = false
	t.mu.Unlock()
	if t.begun != nil {
		close(t.begun)
	}
}
