package smtpd

import "bytes"

// bodyFilter finds the end of a message that DATA began, and writes the message so that
// the library behind finds the same end.
//
// The line end of the DATA command decides how lines end. A client that wrote CRLF there
// means CRLF everywhere (RFC 5321 2.3.8): a dot between other line ends is text, or mail
// could be smuggled in. A program that feeds sendmail -bs with LF alone means LF, with or
// without a CR in front.
type bodyFilter struct {
	lf  bool
	in  place
	out place // where the library is with what it got
}

// place is a position in a line.
type place byte

const (
	begin place = iota
	middle
	afterCR
	afterDot   // a dot began the line
	afterDotCR // and a CR followed
)

// feed converts b and appends to out. It stops behind the end of the message and tells so;
// n is how much of b it used.
func (f *bodyFilter) feed(out, b []byte) (_ []byte, n int, done bool) {
	for n < len(b) {
		if f.in == middle {
			run := text(b[n:])
			if run > 0 {
				out = append(out, b[n:n+run]...)
				f.out = middle
				n += run
				continue
			}
		}
		out, done = f.octet(out, b[n])
		n++
		if done {
			return f.end(out), n, true
		}
	}
	return out, n, false
}

// text returns how many octets at the start of b are neither CR nor LF.
func text(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, '\r'); i >= 0 {
		b = b[:i]
	}
	return len(b)
}

func (f *bodyFilter) octet(out []byte, c byte) (_ []byte, done bool) {
	switch f.in {
	case begin:
		if c == '.' {
			f.in = afterDot
			return out, false
		}
	case afterDot:
		switch {
		case c == '\r':
			f.in = afterDotCR
			return out, false
		case c == '\n' && f.lf:
			return out, true
		case f.out == begin:
			// The client's own dot hides the next octet from the library, too. Where the
			// library sees no line begin, the filter has taken the dot away.
			out, f.out = append(out, '.'), middle
		}
	case afterDotCR:
		if c == '\n' {
			return out, true
		}
		out = f.put(out, '\r')
	case afterCR:
		if c == '\n' {
			f.in = begin
			if f.lf {
				out = f.put(out, '\r')
			}
			return f.put(out, '\n'), false
		}
		if f.lf {
			out = f.put(out, '\r')
		}
	}
	switch {
	case c == '\r':
		return f.carriageReturn(out), false
	case c == '\n' && f.lf:
		f.in = begin
		return f.put(f.put(out, '\r'), '\n'), false
	}
	f.in = middle
	return f.put(out, c), false
}

// carriageReturn notes a CR. Where lines end in LF it is held back until it is known
// whether it belongs to a line end.
func (f *bodyFilter) carriageReturn(out []byte) []byte {
	f.in = afterCR
	if f.lf {
		return out
	}
	return f.put(out, '\r')
}

// put appends an octet and follows the library: a CR counts only in front of an LF, and
// the second of two CRs does not.
func (f *bodyFilter) put(out []byte, c byte) []byte {
	switch {
	case f.out == afterCR && c == '\n':
		f.out = begin
	case f.out != afterCR && c == '\r':
		f.out = afterCR
	default:
		f.out = middle
	}
	return append(out, c)
}

// end appends the end of the message.
func (f *bodyFilter) end(out []byte) []byte {
	for f.out != begin {
		out = f.put(f.put(out, '\r'), '\n')
	}
	return append(out, ".\r\n"...)
}
