package queueview

import (
	"bufio"
	"bytes"
	"io"
)

// Headers reads a message up to the empty line that ends its header.
func Headers(r io.Reader) io.Reader { return &headers{in: bufio.NewReaderSize(r, 4<<10), start: true} }

type headers struct {
	in    *bufio.Reader
	line  []byte // of in, to be handed on
	start bool   // the next byte begins a line
	ended bool
}

func (h *headers) Read(p []byte) (int, error) {
	if len(h.line) == 0 {
		if h.ended {
			return 0, io.EOF
		}
		line, err := h.in.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull && (err != io.EOF || len(line) == 0) {
			return 0, err
		}
		if h.start && len(bytes.TrimRight(line, "\r\n")) == 0 {
			h.ended = true
			return 0, io.EOF
		}
		h.start = err == nil
		h.line = line
	}
	n := copy(p, h.line)
	h.line = h.line[n:]
	return n, nil
}
