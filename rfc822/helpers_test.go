package rfc822

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
)

// mustRead reads a message that must be readable, and closes it at the end of the test.
func mustRead(t testing.TB, input string, o ReadOptions) *Message {
	t.Helper()
	m, err := Read(strings.NewReader(input), o)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

// wireText returns the wire form, read in two ways that must agree with Size.
func wireText(t testing.TB, m *Message, o WireOptions) string {
	t.Helper()
	w, err := m.Wire(o)
	if err != nil {
		t.Fatalf("Wire: %v", err)
	}
	var whole bytes.Buffer
	r := open(t, w)
	if _, err := r.(io.WriterTo).WriteTo(&whole); err != nil {
		t.Fatalf("WriteTo: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	pieces, err := io.ReadAll(struct{ io.Reader }{open(t, w)})
	if err != nil {
		t.Fatalf("ReadAll: %v", err)
	}
	if !bytes.Equal(pieces, whole.Bytes()) {
		t.Fatalf("Read and WriteTo differ")
	}
	if int64(whole.Len()) != w.Size() {
		t.Fatalf("Size() = %d, the reader gave %d bytes", w.Size(), whole.Len())
	}
	checkWire(t, whole.String(), w)
	return whole.String()
}

func open(t testing.TB, w *Wire) io.ReadCloser {
	t.Helper()
	r, err := w.Open()
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return r
}

// checkWire checks what holds for every message on the wire.
func checkWire(t testing.TB, text string, w *Wire) {
	t.Helper()
	if strings.ContainsRune(text, 0) {
		t.Error("NUL on the wire")
	}
	if !strings.HasSuffix(text, "\r\n") {
		t.Error("the last line has no end")
	}
	bare := strings.ReplaceAll(text, "\r\n", "")
	if strings.ContainsAny(bare, "\r\n") {
		t.Error("bare CR or LF on the wire")
	}
	signed := strings.Contains(strings.ToLower(text), "multipart/signed")
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > maxLine && !signed {
			t.Errorf("a line of %d bytes on the wire: %.60q...", len(line), line)
		}
	}
	head, body, found := strings.Cut("\r\n"+text, "\r\n\r\n")
	if !found {
		t.Fatal("no blank line on the wire")
	}
	if !isASCII(head) && !w.SMTPUTF8() {
		t.Errorf("the header is not ASCII: %q", head)
	}
	if !isASCII(body) != w.EightBit() {
		t.Errorf("EightBit() = %v, which is wrong", w.EightBit())
	}
}

func bufReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }
