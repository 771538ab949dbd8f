package history

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/printable"
)

// The words of Entry.Status. They are the mail log's for the end of a recipient.
const (
	Sent    = "sent"    // the relay took it
	Refused = "refused" // the caller was told so
	Bounced = "bounced" // refused by the relay, and the sender was told by mail
	Expired = "expired" // given up when it was too old, and the sender was told by mail
	Failed  = "failed"  // refused or damaged, and nobody could be told
)

// Statuses are all of them, the good one first.
var Statuses = [...]string{Sent, Refused, Bounced, Expired, Failed}

// Entry is the end of one recipient of one message.
type Entry struct {
	Time      time.Time `json:"time"`
	ID        string    `json:"id"`
	UID       int       `json:"uid"` // of the local user who gave the message, -1 if unknown
	User      string    `json:"user,omitempty"`
	Sender    string    `json:"sender"`                    // of the envelope, "" is the null sender
	Origin    string    `json:"original_sender,omitempty"` // what the caller gave, where that is another
	Recipient string    `json:"recipient"`
	MessageID string    `json:"message_id,omitempty"` // without angle brackets
	Size      int64     `json:"size,omitempty"`       // bytes, 0 if unknown
	Status    string    `json:"status"`
	Enhanced  string    `json:"enhanced,omitempty"` // status code (RFC 3463)
	Delay     float64   `json:"delay"`              // seconds since the message was taken
	Reply     string    `json:"reply,omitempty"`    // the server's words or the fault, shortened
}

// A line has these fields, with a tab between two. A number that is not known is empty.
const (
	fieldTime = iota // milliseconds since 1970, in base 36
	fieldID
	fieldUID
	fieldStatus // a letter
	fieldEnhanced
	fieldDelay // milliseconds
	fieldSize
	fieldSender
	fieldOrigin
	fieldRecipient
	fieldMessageID
	fieldReply
	fieldCount
)

// letters stand for the Statuses in a line.
const letters = "srbef"

// What a line holds of texts, in bytes. An address has 320 at most by RFC 5321 4.5.3.1.
const (
	maxAddress = 320
	maxReply   = 200
	maxThanks  = 32 // of a reply that took the message
	maxLine    = 4096
)

// append writes the entry's line.
func (e *Entry) append(b []byte) []byte {
	number := func(n int64) {
		if n != 0 {
			b = strconv.AppendInt(b, n, 10)
		}
		b = append(b, '\t')
	}
	text := func(s string, most int) {
		b = append(append(b, printable.Cut(printable.Clean(s), most)...), '\t')
	}
	b = append(strconv.AppendInt(b, e.Time.UnixMilli(), 36), '\t')
	text(e.ID, maxAddress)
	b = append(strconv.AppendInt(b, int64(e.UID), 10), '\t')
	for i, s := range Statuses {
		if s == e.Status {
			b = append(b, letters[i])
		}
	}
	b = append(b, '\t')
	reply, enhanced := e.Reply, e.Enhanced
	if e.Status == Sent {
		reply = thanks(reply, e.Enhanced, e.MessageID)
		if enhanced == "2.0.0" {
			enhanced = ""
		}
	}
	text(enhanced, maxThanks)
	number(int64(e.Delay * 1000))
	number(e.Size)
	text(e.Sender, maxAddress)
	text(e.Origin, maxAddress)
	text(e.Recipient, maxAddress)
	text(e.MessageID, maxAddress)
	text(reply, maxReply)
	b[len(b)-1] = '\n'
	return b
}

// thanks is what a reply to a message that was taken says besides what stands elsewhere in the line: the server's name
// for the message, or its own.
func thanks(reply, enhanced, messageID string) string {
	for _, known := range [...]string{"250", enhanced, "OK", "<" + messageID + ">"} {
		reply = strings.TrimPrefix(strings.TrimPrefix(reply, known), " ")
	}
	return printable.Cut(reply, maxThanks)
}

// row is a line in its fields, which are a part of the buffer that it was read into.
type row [fieldCount][]byte

// parse reports whether the line, without its end, is one.
func (r *row) parse(line []byte) bool {
	for i := range fieldCount - 1 {
		end := bytes.IndexByte(line, '\t')
		if end < 0 {
			return false
		}
		r[i], line = line[:end], line[end+1:]
	}
	r[fieldReply] = line
	return bytes.IndexByte(line, '\t') < 0 && len(r[fieldStatus]) == 1 && len(r[fieldTime]) > 0 && r.status() >= 0
}

func (r *row) status() int { return strings.IndexByte(letters, r[fieldStatus][0]) }

// number reads a field; base is 10 or 36. What is no number is -1.
func (r *row) number(field int, base int64) (n int64) {
	digits, negative := bytes.CutPrefix(r[field], []byte{'-'})
	if len(digits) > 12 {
		return -1
	}
	for _, c := range digits {
		d := int64(c - '0')
		if c > '9' {
			d = int64(c-'a') + 10
		}
		if d < 0 || d >= base {
			return -1
		}
		n = n*base + d
	}
	if negative {
		return -n
	}
	return n
}

// entry makes an entry of a row.
func (r *row) entry(e *Entry) {
	*e = Entry{Time: time.UnixMilli(r.number(fieldTime, 36)).UTC(), ID: string(r[fieldID]),
		UID: int(r.number(fieldUID, 10)), Status: Statuses[r.status()], Enhanced: string(r[fieldEnhanced]),
		Delay: float64(r.number(fieldDelay, 10)) / 1000, Size: r.number(fieldSize, 10), Sender: string(r[fieldSender]),
		Origin: string(r[fieldOrigin]), Recipient: string(r[fieldRecipient]), MessageID: string(r[fieldMessageID]),
		Reply: string(r[fieldReply])}
	if e.Status == Sent && e.Enhanced == "" {
		e.Enhanced = "2.0.0"
	}
}
