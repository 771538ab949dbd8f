package deliver

import (
	"io"
	"sync"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
)

// job is one try of one message. A message of the queue has an item from the start; one
// whose caller waits gets it only when the caller has waited long enough.
type job struct {
	*queue.Job
	id   string
	env  *envelope.Envelope
	msg  envelope.Message
	todo []int // which of the item's recipients env names, by index

	slow bool // it is large, and on its way
	// probed lets go of what Account.probe gave; nil for nothing.
	probed func()
	wait   func() (*submit.Result, error)
	grant  quota.Grant // what the account's rates gave

	mu       sync.Mutex
	item     *spool.Item
	outcome  *Outcome // set when the try is over and no item was there to record it
	finished chan struct{}
}

// adopt gives a job that is under way an item to record its outcome in. When the try is
// over already it returns the outcome instead, and the caller records it.
func (j *job) adopt(it *spool.Item) *Outcome {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.outcome == nil {
		j.item = it
	}
	return j.outcome
}

// inSpool reports whether the message is in the spool.
func (j *job) inSpool() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.item != nil
}

// end hands the outcome to the waiting caller. It returns false when there is an item,
// and so nobody waits any more.
func (j *job) end(v *Outcome) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.item != nil {
		return false
	}
	j.outcome = v
	close(j.finished)
	return true
}

// handoff is a message whose bytes come from the caller at first and from the spool as
// soon as it is committed there: the caller may take back its own when it was
// told "queued", though a try is reading it.
type handoff struct {
	size    int64
	mu      sync.Mutex
	from    envelope.Message
	readers map[*handoffReader]struct{}
}

func newHandoff(msg envelope.Message) *handoff {
	return &handoff{size: msg.Size(), from: msg, readers: map[*handoffReader]struct{}{}}
}

func (h *handoff) Size() int64 { return h.size }

func (h *handoff) Open() (io.ReadCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.from.Open()
	if err != nil {
		return nil, err
	}
	hr := &handoffReader{h: h, r: r}
	h.readers[hr] = struct{}{}
	return hr, nil
}

// Kept is that of the message that comes from the caller.
func (h *handoff) Kept() (end io.ReaderAt, before int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if kept, ok := h.from.(interface{ Kept() (io.ReaderAt, int64) }); ok {
		return kept.Kept()
	}
	return nil, 0
}

// change lets all readers go on with another copy of the same bytes.
func (h *handoff) change(msg envelope.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.from = msg
	for hr := range h.readers {
		hr.reopen()
	}
}

type handoffReader struct {
	h   *handoff
	r   io.ReadCloser
	at  int64
	err error
}

func (hr *handoffReader) Read(p []byte) (int, error) {
	hr.h.mu.Lock()
	defer hr.h.mu.Unlock()
	if hr.err != nil {
		return 0, hr.err
	}
	n, err := hr.r.Read(p)
	hr.at += int64(n)
	return n, err
}

func (hr *handoffReader) Close() error {
	hr.h.mu.Lock()
	defer hr.h.mu.Unlock()
	delete(hr.h.readers, hr)
	return hr.r.Close()
}

// reopen continues at the same place of the new copy. The lock is held.
func (hr *handoffReader) reopen() {
	r, err := hr.h.from.Open()
	if err == nil {
		_ = hr.r.Close()
		hr.r = r
		_, err = io.CopyN(io.Discard, r, hr.at)
	}
	if err != nil {
		hr.err = err
	}
}
