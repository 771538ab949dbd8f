package rfc822

import (
	"bytes"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"sort"
	"sync"
)

// inPlace is a body that stays in the caller's file, whose lines all end in LF. It has been
// read once, to its end; each piece that is read again must be what it was then, so that
// a file that is changed or cut short meanwhile is an error and never another message.
type inPlace struct {
	file    io.ReaderAt
	from    int64 // where the body begins in the file
	length  int64 // octets in the file
	size    int64 // octets in wire form
	unended bool  // the last line has no LF
	seed    maphash.Seed
	pieces  []placed

	mu       sync.Mutex // guards what follows, which serves ReadAt
	raw, out []byte
	have     int // the piece in out, -1 for none
}

// placed is what is known of a piece of pieceSize octets.
type placed struct {
	wire int64 // where its text begins in wire form
	sum  uint64
}

var errChanged = errors.New("the file on standard input has changed since it was read")

// readInPlace takes the rest of in where it is, if that is in a file and large. It returns nil if
// the body has to be read in the ordinary way, of which nothing is taken yet.
func readInPlace(in *input, dotEnds bool, least, room int64) (*inPlace, BodyInfo, error) {
	f, ok := in.r.(*os.File)
	if !ok {
		return nil, BodyInfo{}, nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, BodyInfo{}, nil
	}
	at, err := f.Seek(0, io.SeekCurrent)
	from := at - int64(len(in.pending()))
	if err != nil || from < 0 || info.Size()-from <= least {
		return nil, BodyInfo{}, nil
	}
	b := &inPlace{file: f, from: from, seed: maphash.MakeSeed(), have: -1}
	b.raw = make([]byte, pieceSize)
	seen, ok, err := b.scan(dotEnds, room)
	if err != nil || !ok {
		return nil, BodyInfo{}, err
	}
	if _, err := f.Seek(from+b.length, io.SeekStart); err != nil {
		return nil, BodyInfo{}, readError(err)
	}
	return b, seen, nil
}

// scan reads all of the body. It gives up at a CR or at a line of a single dot that
// ends the message, which want more than this knows, and at an error, which will be met again.
func (b *inPlace) scan(dotEnds bool, room int64) (info BodyInfo, ok bool, err error) {
	var line int64 // octets of the unfinished line
	dot := false   // it begins with a dot
	for {
		n, err := b.file.ReadAt(b.raw, b.from+b.length)
		if err != nil && err != io.EOF {
			return info, false, nil
		}
		p := b.raw[:n]
		if bytes.IndexByte(p, '\r') >= 0 {
			return info, false, nil
		}
		if n > 0 {
			b.pieces = append(b.pieces, placed{wire: b.size, sum: maphash.Bytes(b.seed, p)})
		}
		info.EightBit = info.EightBit || hasEightBit(p)
		info.NUL = info.NUL || bytes.IndexByte(p, 0) >= 0
		b.length += int64(n)
		b.size += int64(n)
		for len(p) > 0 {
			if line == 0 {
				dot = p[0] == '.'
			}
			i := bytes.IndexByte(p, '\n')
			if i < 0 {
				line += int64(len(p))
				break
			}
			line += int64(i)
			if dotEnds && dot && line == 1 {
				return info, false, nil
			}
			info.LongestLine = max(info.LongestLine, line)
			info.Lines++
			b.size++
			line, dot, p = 0, false, p[i+1:]
		}
		if b.size > room {
			return info, false, &TooLargeError{What: "message"}
		}
		if n < len(b.raw) {
			break
		}
	}
	if line > 0 {
		if dotEnds && dot && line == 1 {
			return info, false, nil
		}
		b.unended = true
		b.size += 2
		info.LongestLine = max(info.LongestLine, line)
		info.Lines++
	}
	if b.size > room {
		return info, false, &TooLargeError{What: "message"}
	}
	info.Size = b.size
	return info, true, nil
}

// find returns the piece whose text has the octet at off.
func (b *inPlace) find(off int64) int {
	return sort.Search(len(b.pieces), func(i int) bool { return b.pieces[i].wire > off }) - 1
}

// text appends the i-th piece in wire form to out. It reads into raw, of pieceSize octets.
func (b *inPlace) text(i int, raw, out []byte) ([]byte, error) {
	off := int64(i) * pieceSize
	raw = raw[:min(pieceSize, b.length-off)]
	switch err := readFull(b.file, raw, b.from+off); {
	case err == io.ErrUnexpectedEOF:
		return out, errChanged
	case err != nil:
		return out, err
	case maphash.Bytes(b.seed, raw) != b.pieces[i].sum:
		return out, errChanged
	}
	// All of the room at once: what is made of a piece is mostly a little longer.
	out = slices.Grow(out, int(b.end(i)-b.pieces[i].wire))
	for {
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			break
		}
		out = append(append(out, raw[:end]...), '\r', '\n')
		raw = raw[end+1:]
	}
	out = append(out, raw...)
	if b.unended && i == len(b.pieces)-1 {
		out = append(out, '\r', '\n')
	}
	return out, nil
}

// end returns where the text of the i-th piece ends.
func (b *inPlace) end(i int) int64 {
	if i+1 < len(b.pieces) {
		return b.pieces[i+1].wire
	}
	return b.size
}

// ReadAt implements io.ReaderAt.
func (b *inPlace) ReadAt(p []byte, off int64) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if at >= b.size {
			return n, io.EOF
		}
		if i := b.find(at); i != b.have {
			b.have = -1
			out, err := b.text(i, b.raw, b.out[:0])
			b.out = out
			if err != nil {
				return n, err
			}
			b.have = i
		}
		n += copy(p[n:], b.out[at-b.pieces[b.have].wire:])
	}
	return n, nil
}
