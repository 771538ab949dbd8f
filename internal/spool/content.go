package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Waits reports whether the message is in the queue.
func (s *Spool) Waits(id string) bool {
	_, err := os.Lstat(s.path(queueDir, id, suffixMessage))
	return err == nil
}

// OpenContent reads the bytes of a message in the queue or in failed/ without a lock, for
// people to look at. A reading that meets a damaged message ends in ErrDamaged.
func (s *Spool) OpenContent(id string) (io.ReadCloser, error) {
	if !ValidID(id) {
		return nil, ErrBadID
	}
	for _, dir := range [...]string{queueDir, failedDir} {
		f, err := openRead(s.path(dir, id, suffixMessage))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, readFault(err)
		}
		r, err := newContent(f, id)
		if err != nil {
			return nil, err
		}
		return r, nil
	}
	return nil, ErrGone
}

// content is an open message file, of which the head is passed over.
type content struct {
	io.Reader
	io.Closer
}

func newContent(f *os.File, id string) (*content, error) {
	h, _, err := readHead(f, id, make([]byte, firstRead))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r := io.NewSectionReader(f, h.messageOffset(), h.size)
	return &content{&verifier{r: r, left: h.size, want: h.sum}, f}, nil
}
