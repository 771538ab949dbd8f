package deliver

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/submit"
)

// noChunksFor is how long no process of the host uses BDAT with a server that has failed at it.
const noChunksFor = 24 * time.Hour

// NoChunks says since when and why BDAT is not used with the server; ok is false when it is.
func (a *Account) NoChunks() (why string, until time.Time, ok bool) {
	if a.Submit.Chunking != submit.ChunkingAuto {
		return "", time.Time{}, false
	}
	return a.Quota.Note(a.chunksNote())
}

func (a *Account) chunksNote() string {
	return fmt.Sprintf("bdat %s %d", strings.ToLower(a.Submit.Host), a.Submit.Port)
}

// chunking is how the next session sends its messages.
func (a *Account) chunking() submit.Chunking {
	if _, _, off := a.NoChunks(); off {
		return submit.ChunkingOff
	}
	return a.Submit.Chunking
}

// learn notes what the outcome of a message says about BDAT, and reports whether it fails with this
// server: the message's next try goes by DATA.
func (a *Account) learn(err error) bool {
	var e *submit.Error
	errors.As(err, &e)
	switch {
	case a.Submit.Chunking != submit.ChunkingAuto:
		return false
	case e == nil:
		if err == nil {
			a.chunksWork.Store(true)
		}
		return false
	case submit.ChunkingFailed(e):
		a.noteNoChunks(e)
		return true
	}
	// The header really is too large: that DATA had the same answer clears BDAT.
	if why, _, off := a.NoChunks(); off && e.Diagnosis.Key == "header-too-large" && strings.HasPrefix(why, "552 ") {
		a.Quota.DropNote(a.chunksNote())
	}
	return false
}

func (a *Account) noteNoChunks(e *submit.Error) {
	why := "no answer to BDAT"
	if e.Code != 0 {
		why = strings.TrimSpace(fmt.Sprintf("%d %s %s", e.Code, e.Enhanced, e.Text))
	}
	_, _, known := a.NoChunks()
	until := a.now().Add(noChunksFor)
	a.Quota.SetNote(a.chunksNote(), why, until)
	a.chunksWork.Store(false)
	if a.Warn != nil && !known {
		a.Warn(fmt.Errorf("%s offers CHUNKING and fails at BDAT (%s): messages go by DATA until %s; "+
			"smtp.chunking = \"off\" makes that lasting",
			a.Submit.Host, why, until.UTC().Format("2006-01-02 15:04 MST")))
	}
}

func (a *Account) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// window is how many messages a new session may have on its way: one, until the server is known to take
// BDAT, as those behind a refused one might arrive twice.
func (a *Account) window(depth int) int {
	if a.Submit.Chunking != submit.ChunkingAuto || a.chunksWork.Load() || a.chunking() == submit.ChunkingOff {
		return depth
	}
	return 1
}

// uncertain reports whether the server may have taken the message nevertheless.
func uncertain(err error) bool {
	var e *submit.Error
	return errors.As(err, &e) && e.Uncertain
}

// refusedChunks reports whether the message goes by DATA at once.
func refusedChunks(err error) bool {
	var e *submit.Error
	return errors.As(err, &e) && e.Diagnosis.Key == diagnose.KeyChunkingRefused
}
