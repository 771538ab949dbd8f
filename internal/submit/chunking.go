package submit

import (
	"errors"
	"strings"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/smtpreply"
)

// Chunking is a choice between BDAT (RFC 3030) and DATA.
type Chunking int

const (
	// ChunkingAuto uses BDAT where it is offered. A server that offers and refuses it is told apart
	// from one that refuses the message (ChunkingFailed), so that the caller can send by DATA.
	ChunkingAuto Chunking = iota
	// ChunkingOn uses BDAT where it is offered; to refuse it is a fault of the configuration.
	ChunkingOn
	// ChunkingOff never uses BDAT.
	ChunkingOff
)

// ChunkingFailed reports whether err says that BDAT doesn't work with the server: it was refused, and
// nobody has got the message, or not answered in time (MailKit issues 904 and 921), and err.Uncertain
// says whether somebody may have.
func ChunkingFailed(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Diagnosis.Key == diagnose.KeyChunkingRefused ||
		e.Chunked && e.Phase == PhaseBody && e.Diagnosis.Key == diagnose.Failure(diagnose.FaultTimeout).Key
}

// chunkError makes the error of a negative reply to BDAT.
func (s *Session) chunkError(r smtpreply.Reply) *Error {
	e := s.cfg.replyError(PhaseBody, "BDAT", r)
	headerSize := r.Code == 552 && r.Enhanced == "5.3.4" && strings.Contains(strings.ToLower(r.Text()), "header size")
	if r.Code != 500 && r.Code != 502 && r.Code != 503 && !(headerSize && s.cfg.Chunking == ChunkingAuto) {
		return e
	}
	e.Diagnosis = diagnose.Failure(diagnose.FaultChunking)
	if s.cfg.Chunking == ChunkingOn {
		e.Diagnosis.Class = diagnose.Configuration
	}
	e.Class = e.Diagnosis.Class
	return e
}

// refuseChunks ends a message whose BDAT was refused. Before BDAT has ever worked on this connection nothing
// that follows can be trusted: the server may have taken the content for commands, and its replies for
// those to the next messages. It is killed with a reason that leaves their fate open.
func (t *transaction) refuseChunks(e *Error) (goOn bool) {
	t.err = e
	t.giveUp()
	if e.Diagnosis.Key != diagnose.KeyChunkingRefused {
		return true
	}
	if t.s.chunksWork {
		t.s.retire()
		return true
	}
	t.s.kill(t.s.cfg.fault(PhaseBody, diagnose.FaultChunking, nil))
	return false
}

// retire lets no further message begin.
func (s *Session) retire() {
	s.mu.Lock()
	s.retired = true
	s.mu.Unlock()
}
