package rfc822

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// defaultMemory is how much of a body stays in memory, in bytes.
const defaultMemory = 256 << 10

// store keeps a body: its beginning in memory, the rest in a file without a name.
type store struct {
	memory int    // bytes that may stay in memory
	piece  int    // bytes that are worth a write
	dir    string // where the file is made
	keep   func(before int64) Rest

	mem  []byte
	file Rest // nil while everything is in mem
	size int64
}

// Rest is where the end of a body is kept that does not stay in memory. It is written from its beginning on, and
// offsets count from there.
type Rest interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// write keeps text, or its beginning when the rest is too short to be worth a write
// and final is false. It returns how much it kept.
func (s *store) write(text []byte, final bool) (int, error) {
	n := 0
	if s.file == nil {
		n = min(len(text), s.memory-len(s.mem))
		if len(s.mem) >= pieceSize && cap(s.mem) < s.memory { // it is going to be a large one
			s.mem = slices.Grow(s.mem, s.memory-len(s.mem))
		}
		s.mem = append(s.mem, text[:n]...)
		s.size += int64(n)
		if n == len(text) {
			return n, nil
		}
		if err := s.spill(); err != nil {
			return n, err
		}
	}
	rest := text[n:]
	if len(rest) < s.piece && !final {
		return n, nil
	}
	m, err := s.file.Write(rest)
	s.size += int64(m)
	if err != nil {
		return n + m, fmt.Errorf("keeping the message: %w", err)
	}
	return n + m, nil
}

func (s *store) spill() error {
	if s.keep != nil {
		if s.file = s.keep(int64(len(s.mem))); s.file != nil {
			return nil
		}
	}
	dir := s.dir
	if dir == "" {
		dir = os.TempDir()
	}
	f, err := unnamedFile(dir)
	if err != nil {
		return fmt.Errorf("keeping the message: %w", err)
	}
	s.file = f
	return nil
}

// namedThenUnlinked makes a file that only this process may open, and takes its name away.
func namedThenUnlinked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "rfc822-*") // mode 0600
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadAt implements io.ReaderAt.
func (s *store) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(s.mem)) {
		n = copy(p, s.mem[off:])
	}
	if n == len(p) {
		return n, nil
	}
	if s.file == nil {
		return n, io.EOF
	}
	m, err := s.file.ReadAt(p[n:], off+int64(n)-int64(len(s.mem)))
	return n + m, err
}

// Close gives the file back.
func (s *store) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
