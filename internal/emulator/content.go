package emulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
)

const keepInMemory = 1 << 20

// content takes a message in as it arrives, dots unstuffed, and looks at every byte
// once.
type content struct {
	limit int64 // bytes kept in memory, -1: all
	size  int64
	hash  hash.Hash
	data  []byte // nil once size is over limit
	file  *os.File
	err   error // of the file

	header     []byte // up to the empty line, without it
	headerSize int64
	headerDone bool
	maxHeader  int64

	line      int64 // bytes of the current line so far
	cr        bool  // the last byte was a CR
	longest   int64 // without CRLF
	bareLF    bool
	bareCR    bool
	nul       bool
	eightBody bool
	eightHead bool
}

func (e *Emulator) newContent(maxHeader int64) *content {
	c := &content{limit: keepInMemory, hash: sha256.New(), data: []byte{}, maxHeader: maxHeader}
	if e.opts.KeepBodies {
		c.limit = -1
	}
	if e.opts.Dir != "" {
		c.file, c.err = os.CreateTemp(e.opts.Dir, ".incoming-*")
	}
	return c
}

// drop forgets the content.
func (c *content) drop() {
	if c.file != nil {
		c.file.Close()
		os.Remove(filepath.Clean(c.file.Name()))
		c.file = nil
	}
}

// Write takes bytes in; it never fails (see err).
func (c *content) Write(p []byte) (int, error) {
	c.size += int64(len(p))
	c.hash.Write(p)
	if c.limit >= 0 && c.size > c.limit {
		c.data = nil
	}
	if c.data != nil {
		c.data = append(c.data, p...)
	}
	if c.file != nil && c.err == nil {
		_, c.err = c.file.Write(p)
	}
	c.scan(p)
	return len(p), nil
}

// scan works a line at a time; only CR, NUL and bytes over 127 need a closer look.
func (c *content) scan(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			c.part(p)
			return
		}
		c.part(p[:i])
		if !c.cr {
			c.bareLF = true
		}
		c.endLine()
		p = p[i+1:]
	}
}

// part looks at a piece of a line, without its LF.
func (c *content) part(p []byte) {
	if len(p) == 0 {
		return
	}
	if c.cr {
		c.bareCR = true
	}
	if i := bytes.IndexByte(p, '\r'); i >= 0 && i < len(p)-1 {
		c.bareCR = true
	}
	c.cr = p[len(p)-1] == '\r'
	c.line += int64(len(p))
	for _, b := range p {
		if b == 0 {
			c.nul = true
		}
		if b >= 0x80 {
			c.eightBody = c.eightBody || c.headerDone
			c.eightHead = c.eightHead || !c.headerDone
		}
	}
	if !c.headerDone {
		c.headerSize += int64(len(p))
		if c.headerSize <= c.maxHeader || c.maxHeader == 0 {
			c.header = append(c.header, p...)
		}
	}
}

func (c *content) endLine() {
	length := c.line
	if c.cr {
		length--
	}
	c.longest = max(c.longest, length)
	if !c.headerDone {
		if c.headerSize++; c.headerSize <= c.maxHeader || c.maxHeader == 0 {
			c.header = append(c.header, '\n')
		}
		c.headerDone = length == 0
	}
	c.line, c.cr = 0, false
}

// finish closes the last line.
func (c *content) finish() {
	if c.cr {
		c.bareCR = true
		c.cr = false
	}
	c.longest = max(c.longest, c.line)
}

func (c *content) sha256() string { return hex.EncodeToString(c.hash.Sum(nil)) }

// field is one header field; value is unfolded and trimmed.
type field struct{ name, value string }

// headerFields reads header fields with CRLF or LF line ends. A line that is not a field
// ends up with an empty name.
func headerFields(head []byte) []field {
	var out []field
	var value strings.Builder // of the last field
	end := func() {
		if len(out) > 0 {
			out[len(out)-1].value = strings.TrimSpace(value.String())
		}
		value.Reset()
	}
	for line := range bytes.Lines(head) {
		s := strings.TrimRight(string(line), "\r\n")
		if s == "" {
			break
		}
		if (s[0] == ' ' || s[0] == '\t') && len(out) > 0 {
			value.WriteString(s)
			continue
		}
		end()
		name, rest, ok := strings.Cut(s, ":")
		if !ok {
			name, rest = "", s
		}
		out = append(out, field{name: strings.TrimRight(name, " \t")})
		value.WriteString(rest)
	}
	end()
	return out
}

// values returns the values of all fields of that name.
func values(fields []field, name string) []string {
	var out []string
	for _, f := range fields {
		if strings.EqualFold(f.name, name) {
			out = append(out, f.value)
		}
	}
	return out
}

// addresses reads a From or Sender value: RFC 5322 addresses, nothing more tolerant
// (learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements).
func addresses(value string) ([]string, error) {
	// A name in any charset is a name: only the addresses count.
	anyCharset := func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	p := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: anyCharset}}
	list, err := p.ParseList(value)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", value, err)
	}
	var out []string
	for _, a := range list {
		out = append(out, strings.ToLower(a.Address))
	}
	return out, nil
}

// mangle damages 8-bit text in the parts of a multipart, in memory: the record (MailKit 1999) tells that it arrives
// broken, not how.
func (c *content) mangle(fields []field) {
	types := values(fields, "Content-Type")
	if len(types) == 0 || !strings.HasPrefix(strings.ToLower(types[0]), "multipart/") || !c.eightBody {
		return
	}
	for i, b := range c.data {
		if b >= 0x80 {
			c.data[i] = '?'
		}
	}
}
