package spool

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Waits tells whether the message is in the queue.
func (s *Spool) Waits(id string) bool {
	_, err := os.Lstat(s.path(queueDir, id, suffixMessage))
	return err == nil
}

// OpenContent reads the octets of a message in the queue or in failed/ without a lock, for
// people to look at. A reading that meets a damaged message ends in ErrDamaged.
func (s *Spool) OpenContent(id string) (io.ReadCloser, error) {
	if !ValidID(id) {
		return nil, ErrBadID
	}
	for _, dir := range [...]string{queueDir, failedDir} {
		fd, err := openRead(atWorkingDir, s.path(dir, id, suffixMessage), 0)
		if err == syscall.ENOENT {
			continue
		}
		if err != nil {
			return nil, readFault(err)
		}
		r, err := newContent(os.NewFile(uintptr(fd), id), id)
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
	h, err := contentHead(f, id)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r := io.NewSectionReader(f, h.messageOffset(), h.size)
	return &content{&verifier{r: r, left: h.size, want: h.sum}, f}, nil
}

func contentHead(f *os.File, id string) (head, error) {
	st, err := f.Stat()
	if err != nil {
		return head{}, err
	}
	b := make([]byte, firstRead)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return head{}, readFault(err)
	}
	h, _, err := decodeFile(b[:n], f, st.Size())
	if err == nil && h.id != id {
		err = damaged("it is message %s by its head", h.id)
	}
	return h, err
}
