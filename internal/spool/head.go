package spool

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
)

// Sizes of the format, see docs/spool-format.md.
const (
	formatName    = "o365-sendmail-message"
	formatVersion = 1
	sector        = 512      // the unit that a disk writes whole
	maxHead       = 32 << 20 // bytes; 50,000 recipients with addresses of any length
	maxMessage    = 1 << 40  // bytes
)

// crcTable is made by the standard library once, at its first use.
func checksum(sum uint32, p []byte) uint32 {
	return crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), p)
}

// Meta is what the spool records of a message beside its envelope.
type Meta struct {
	// UID is the local user who gave the message, as the kernel said; -1 if unknown.
	UID int
	// Origin says how it came in, in one word or so, for people.
	Origin string
	// Arrived is when it was accepted, kept to the microsecond. Zero means now.
	Arrived time.Time
	// Hold keeps the message back from its first moment, with this reason; Release ends it. It is kept with the
	// status, not with the head.
	Hold string
	// Internal is set for what this program writes itself (reports): the bounds do
	// not apply. It is not kept on disk.
	Internal bool
}

// head is the immutable first part of a spool file.
type head struct {
	headSize   int   // bytes, a multiple of sector
	statusSize int   // bytes, a multiple of sector
	size       int64 // bytes of the message
	sum        uint32
	id         string
	meta       Meta
	env        envelope.Envelope
}

func (h *head) messageOffset() int64 { return int64(h.headSize) + int64(h.statusSize) }
func (h *head) fileSize() int64      { return h.messageOffset() + h.size }

func roundUp(n int) int { return (n + sector - 1) / sector * sector }

// encodeHead returns the head, padded to h.headSize if that is larger than needed.
func encodeHead(h *head) []byte {
	b, layout := layOut(h)
	appendLayout(b[:layout], h)
	b = fmt.Appendf(b, "end %08x\n", checksum(0, b))
	return append(b, bytes.Repeat([]byte{'\n'}, h.headSize-len(b))...)
}

// layOut sets the sizes of the head and the status, and returns the head up to its checksum, with the place of its
// layout line. It does without the checksum, whose table takes a process longer to make than all the rest.
func layOut(h *head) (b []byte, layout int) {
	b = make([]byte, 0, sector)
	b = fmt.Appendf(b, "%s %d\n", formatName, formatVersion)
	layout = len(b)
	b = appendLayout(b, h)
	b = append(b, "id "+h.id+"\narrived "...)
	b = h.meta.Arrived.UTC().AppendFormat(b, arrivedFormat)
	b = append(b, "\nuid "...)
	b = strconv.AppendInt(b, int64(h.meta.UID), 10)
	for _, f := range [...]struct{ name, value string }{
		{"origin", h.meta.Origin}, {"from", h.env.Sender}, {"reports-to", h.env.Origin}, {"sign-in", h.env.SignIn},
		{"ret", h.env.Ret}, {"envid", h.env.EnvID},
	} {
		b = append(b, "\n"+f.name+" "...)
		b = appendQuoted(b, f.value)
	}
	b = append(b, "\nflags "+flags(&h.env)+"\nrecipients "...)
	b = strconv.AppendInt(b, int64(len(h.env.Recipients)), 10)
	for _, r := range h.env.Recipients {
		b = appendRecipient(append(b, "\nto "...), r)
	}
	b = append(b, '\n')
	h.headSize = max(h.headSize, roundUp(len(b)+len("end 00000000\n")))
	h.statusSize = statusSize(len(h.env.Recipients))
	return b, layout
}

const arrivedFormat = "2006-01-02T15:04:05.000000Z"

// appendLayout writes a line of fixed length: a reader finds it without knowing the
// rest, a writer can put in the size when the message has come to its end.
func appendLayout(b []byte, h *head) []byte {
	return fmt.Appendf(b, "layout %08d %08d %016d %08x\n", h.headSize, h.statusSize, h.size, h.sum)
}

func flags(e *envelope.Envelope) string {
	switch {
	case e.EightBit && e.SMTPUTF8:
		return "8bitmime smtputf8"
	case e.EightBit:
		return "8bitmime"
	case e.SMTPUTF8:
		return "smtputf8"
	}
	return "-"
}

func appendRecipient(b []byte, r envelope.Recipient) []byte {
	b = appendQuoted(b, r.Address)
	if n := r.Notify.String(); n != "" {
		b = append(b, " notify="+n...)
	}
	if r.ORcpt != "" {
		b = appendQuoted(append(b, " orcpt="...), r.ORcpt)
	}
	return b
}

// sumIs reports whether field is the checksum of b in hexadecimal.
func sumIs(field string, b []byte) bool {
	sum, err := strconv.ParseUint(field, 16, 32)
	return err == nil && len(field) == 8 && uint32(sum) == checksum(0, b)
}

// errShort asks decodeHead's caller for more bytes of the file.
var errShort = errors.New("more of the head is needed")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// layoutLength is that of the layout line's value.
const layoutLength = len("00000000 00000000 0000000000000000 00000000")

// headLength reads the first two lines: how long is the part before the message?
func headLength(b []byte) (h head, err error) {
	// The two lines are short, and nothing of them is kept.
	p := parser{rest: string(b[:min(len(b), 128)])}
	version, err := strconv.Atoi(p.line(formatName))
	switch {
	case p.failed || err != nil || version < 1:
		return h, damaged("no such format line at its start")
	case version > formatVersion:
		return h, fmt.Errorf("%w: version %d", ErrNewer, version)
	}
	line := p.line("layout")
	if p.failed || len(line) != layoutLength {
		return h, damaged("no layout line")
	}
	var errs [4]error
	h.headSize, errs[0] = strconv.Atoi(line[:8])
	h.statusSize, errs[1] = strconv.Atoi(line[9:17])
	h.size, errs[2] = strconv.ParseInt(line[18:34], 10, 64)
	sum, err := strconv.ParseUint(line[35:], 16, 32)
	h.sum, errs[3] = uint32(sum), err
	switch {
	case errs != [4]error{}, line[8] != ' ' || line[17] != ' ' || line[34] != ' ',
		h.headSize < sector || h.headSize > maxHead || h.headSize%sector != 0,
		h.statusSize < sector || h.statusSize > maxHead || h.statusSize%sector != 0,
		h.size < 0 || h.size > maxMessage:
		return h, damaged("a layout that can't be: %q", line)
	}
	return h, nil
}

// decodeHead reads a head and the status behind it. It returns errShort when b
// ends too early; then h.messageOffset() bytes of the file are needed.
func decodeHead(b []byte) (h head, st Status, err error) {
	h, err = headLength(b)
	if err != nil {
		return h, st, err
	}
	if int64(len(b)) < h.messageOffset() {
		return h, st, errShort
	}
	p := parser{rest: string(b[:h.headSize])}
	p.line(formatName)
	p.line("layout")
	h.id = p.line("id")
	arrived, arrivedErr := time.Parse(arrivedFormat, p.line("arrived"))
	uid, uidErr := strconv.Atoi(p.line("uid"))
	h.meta = Meta{UID: uid, Origin: p.quoted("origin"), Arrived: arrived}
	h.env = envelope.Envelope{Sender: p.quoted("from"), Origin: p.quoted("reports-to"), SignIn: p.quoted("sign-in"),
		Ret: p.quoted("ret"), EnvID: p.quoted("envid")}
	p.flags(&h.env)
	p.recipients(&h)
	covered := h.headSize - len(p.rest)
	end := p.line("end")
	switch {
	case p.failed || arrivedErr != nil || uidErr != nil:
		return h, st, damaged("line %d of its head", p.number)
	case !sumIs(end, b[:covered]):
		return h, st, damaged("its head has another checksum")
	case !ValidID(h.id):
		return h, st, damaged("its head has no queue id")
	case strings.Trim(p.rest, "\n") != "":
		return h, st, damaged("its head goes on behind its end")
	}
	st = decodeStatus(b[h.headSize:h.messageOffset()], len(h.env.Recipients))
	return h, st, nil
}
