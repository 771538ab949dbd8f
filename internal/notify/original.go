package notify

import (
	"bufio"
	"bytes"
	"io"

	"o365-sendmail/internal/printable"
)

// maxHeader bounds the header that a report repeats.
const maxHeader = 64 << 10

// original returns what the report repeats of the message, and its media type: the
// whole when the message failed and the sender did not ask for less (RFC 3461 4.3), else
// the header. What can't be read is left out.
func (r *Report) original() (b []byte, kind string, eightBit bool) {
	if r.Message == nil {
		return nil, "", false
	}
	whole := r.Action == Failed && r.Message.Size() <= maxOriginal
	if r.Envelope != nil {
		whole = whole && r.Envelope.Ret != "HDRS" && !r.Envelope.SMTPUTF8
	}
	in, err := r.Message.Open()
	if err != nil {
		return nil, "", false
	}
	defer in.Close()
	if !whole {
		return header(in), "text/rfc822-headers", false
	}
	b, err = io.ReadAll(io.LimitReader(in, maxOriginal))
	if err != nil {
		return nil, "", false
	}
	return b, "message/rfc822", !printable.IsASCII(string(b))
}

// header reads up to the blank line. Bytes outside ASCII are replaced, and so are lines
// that no server would take.
func header(in io.Reader) []byte {
	var b bytes.Buffer
	br := bufio.NewReader(io.LimitReader(in, maxHeader))
	for {
		line, err := br.ReadBytes('\n')
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		b.WriteString(ascii(string(line)) + "\r\n")
		if err != nil {
			break
		}
	}
	return b.Bytes()
}
