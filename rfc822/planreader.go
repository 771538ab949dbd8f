package rfc822

import "io"

// planReader gives the bytes of a plan, piece by piece.
type planReader struct {
	plan *plan
	body io.ReaderAt

	index int   // of the segment
	off   int64 // bytes of it that were used
	enc   encoder
	src   []byte // read from the body for the encoder and not yet used
	buf   []byte // behind src, and for copying
	out   []byte
}

// atCopy returns the segment if it is at the beginning of one that goes as it is.
func (r *planReader) atCopy() (segment, bool) {
	if r.index == len(r.plan.segments) || r.off != 0 {
		return segment{}, false
	}
	s := r.plan.segments[r.index]
	return s, s.kind == segCopy
}

// skip goes to the next segment.
func (r *planReader) skip() {
	r.index++
	r.off = 0
	r.enc = nil
	r.src = nil
}

// next returns the next bytes, which are valid until the next call, and io.EOF at the end.
func (r *planReader) next() ([]byte, error) {
	for r.index < len(r.plan.segments) {
		s := r.plan.segments[r.index]
		var b []byte
		var err error
		switch s.kind {
		case segLiteral:
			b = r.plan.literals[s.from:s.to]
			r.skip()
		case segCopy:
			b, err = r.copied(s)
		default:
			b, err = r.encoded(s)
		}
		if len(b) > 0 || err != nil {
			return b, err
		}
	}
	return nil, io.EOF
}

// copied returns the next bytes of a segment that goes as it is; those in memory are not copied.
func (r *planReader) copied(s segment) ([]byte, error) {
	from := s.from + r.off
	if from == s.to {
		r.skip()
		return nil, nil
	}
	if st, ok := r.body.(*store); ok && from < int64(len(st.mem)) {
		b := st.mem[from:min(s.to, int64(len(st.mem)))]
		r.off += int64(len(b))
		return b, nil
	}
	b := r.space(s.to - from)
	if err := readFull(r.body, b, from); err != nil {
		return nil, err
	}
	r.off += int64(len(b))
	return b, nil
}

// space returns room for n bytes or as many as fit.
func (r *planReader) space(n int64) []byte {
	if r.buf == nil {
		r.buf = make([]byte, pieceSize)
	}
	return r.buf[:min(n, int64(len(r.buf)))]
}

// encoded returns the next bytes of an encoder; none do not mean the end of the segment.
func (r *planReader) encoded(s segment) ([]byte, error) {
	if r.enc == nil {
		r.enc = r.plan.encoder(s.kind)
	}
	kept := copy(r.space(pieceSize), r.src)
	b := r.space(int64(kept) + s.to - s.from - r.off)
	if err := readFull(r.body, b[kept:], s.from+r.off); err != nil {
		return nil, err
	}
	r.off += int64(len(b) - kept)
	last := s.from+r.off == s.to
	out, used := r.enc.encode(r.out[:0], b, last)
	r.out = out
	r.src = b[used:]
	if last {
		r.skip()
	}
	return out, nil
}
