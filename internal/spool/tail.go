package spool

import (
	"fmt"
	"hash/crc32"
	"io"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

// Tail is a place in the spool for the end of a message whose beginning is not known yet: a file that is not
// accepted. Fill makes that the message's, if what comes before turns out as long as it was expected to be but for a
// multiple of 512 bytes. It is an rfc822.Rest, not safe for concurrent writers.
type Tail struct {
	p     *Pending // has the file
	at    int64    // where the end begins in the file
	size  int64
	sum   uint32
	taken bool // by a message that is accepted, or was to be
}

// Tail makes a place behind so many bytes of a message, and returns nil where none can be made.
func (s *Spool) Tail(meta Meta, env *envelope.Envelope, before int64) *Tail {
	own := *env
	own.ID = "" // another's than the message's, whose file it may not become
	p, err := s.Begin(meta, &own)
	if err != nil || s.usage.check(meta, before) != nil {
		return nil
	}
	if err = p.create(); err == nil {
		_, err = p.f.Seek(p.offset+before, io.SeekStart)
	}
	if err != nil {
		p.Abort()
		return nil
	}
	return &Tail{p: p, at: p.offset + before}
}

// Write adds to the end.
func (t *Tail) Write(b []byte) (int, error) {
	n, err := t.p.s.ops.Write(t.p.f, b)
	t.sum, t.size = checksum(t.sum, b[:n]), t.size+int64(n)
	return n, err
}

// ReadAt reads what was written.
func (t *Tail) ReadAt(b []byte, off int64) (int, error) { return t.p.f.ReadAt(b, t.at+off) }

// Close gives the place up, unless an accepted message has it.
func (t *Tail) Close() error {
	t.p.Abort()
	return nil
}

// take makes the file in which the end of a message lies this one's, and writes what stands before the end. False
// means that the message has to be copied.
func (p *Pending) take(msg envelope.Message) (bool, error) {
	kept, ok := msg.(interface{ Kept() (io.ReaderAt, int64) })
	if !ok {
		return false, nil
	}
	end, before := kept.Kept()
	t, ok := end.(*Tail)
	if !ok || t.taken || t.p.s != p.s || p.f != nil || p.h.size > 0 || before+t.size != msg.Size() {
		return false, nil
	}
	headSize := t.at - before - int64(p.h.statusSize)
	if headSize%sector != 0 || headSize < int64(p.h.headSize) || headSize > maxHead {
		return false, nil
	}
	text := make([]byte, before)
	in, err := msg.Open()
	if err == nil {
		_, err = io.ReadFull(in, text)
		_ = in.Close()
	}
	if err != nil {
		return false, sysexits.With(sysexits.IOErr, fmt.Errorf("can't read the message: %w", err))
	}
	t.taken = true
	p.tail, p.f, p.h.headSize, p.offset, p.buf = t, t.p.f, int(headSize), t.at-before, nil
	p.h.size, p.h.sum = msg.Size(), joinedSum(checksum(0, text), t.sum, t.size)
	if _, err = p.s.ops.WriteAt(p.f, text, p.offset); err != nil {
		p.err = fault(err)
	}
	return true, p.err
}

// joinedSum is the checksum of two texts, one behind the other, of which the second has n bytes: the first one's is
// multiplied by x to the power of 8n, modulo the polynomial (as crc32_combine of zlib does).
func joinedSum(first, second uint32, n int64) uint32 {
	const one = 1 << 31 // bits are reflected
	for power := uint32(one >> 8); n > 0; n >>= 1 {
		if n&1 != 0 {
			first = sumProduct(power, first)
		}
		power = sumProduct(power, power)
	}
	return first ^ second
}

// sumProduct multiplies two polynomials modulo that of the checksum.
func sumProduct(a, b uint32) (product uint32) {
	for bit := uint32(1 << 31); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		b = b>>1 ^ crc32.Castagnoli&-(b&1)
	}
	return product
}
