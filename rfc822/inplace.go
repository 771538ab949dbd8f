package rfc822

import (
	"bytes"
	"io"
	"os"
)

// placed returns what is still to come of a regular file, if that is more than least bytes and not more than most: its
// length is known, and it can be read again. It returns nil where something has changed what was read, and for a file
// whose size does not say where it ends, as below /proc. dotEnds asks for no line of a single dot besides.
func placed(in *input, least, most int64, dotEnds bool) *io.SectionReader {
	f, ok := in.r.(*os.File)
	if !ok || in.onlyCR {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	at, err := f.Seek(0, io.SeekCurrent)
	from := at - int64(len(in.pending()))
	if err != nil || from < 0 || info.Size()-from <= least || info.Size()-from > most {
		return nil
	}
	if n, _ := f.ReadAt(make([]byte, 1), info.Size()); n > 0 {
		return nil
	}
	rest := io.NewSectionReader(f, from, info.Size()-from)
	if dotEnds && mayEndAtDot(rest) {
		return nil
	}
	if _, err := f.Seek(info.Size(), io.SeekStart); err != nil { // as if it had been read
		return nil
	}
	return rest
}

// mayEndAtDot reports whether a text has a line of a single dot, whatever its lines end in, or can't be read.
func mayEndAtDot(r *io.SectionReader) bool {
	buf := make([]byte, pieceSize)
	buf[0] = '\n'
	for kept, off := 1, int64(0); ; {
		n, err := r.ReadAt(buf[kept:len(buf)-1], off)
		p := buf[:kept+n]
		if err != nil {
			p = append(p, '\n')
		}
		for rest := p; ; {
			i := bytes.IndexByte(rest, '.')
			if i < 0 || i+1 == len(rest) {
				break
			}
			if i > 0 && isLineEnd(rest[i-1]) && isLineEnd(rest[i+1]) {
				return true
			}
			rest = rest[i+1:]
		}
		if err != nil {
			return err != io.EOF
		}
		kept, off = copy(buf, p[len(p)-2:]), off+int64(n)
	}
}

func isLineEnd(c byte) bool { return c == '\r' || c == '\n' }
