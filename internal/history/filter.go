package history

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxText bounds a text to look for, in bytes, and maxIDs the ids: each line is compared with all of them.
const (
	maxText = 512
	maxIDs  = 100
)

// Filter chooses entries. The zero value chooses all.
type Filter struct {
	// IDs chooses by queue id, or the beginning of one.
	IDs []string
	// Sender and Recipient are looked for anywhere in the address, MessageID in that of the message, in any case
	// of the letters of ASCII. Sender also finds what the caller gave as the sender.
	Sender, Recipient, MessageID string
	// Status is one of the Statuses; "" is any.
	Status string
	// UID is the local user's; nil for any.
	UID *int
	// Since and Until bound the time, Until exclusive; zero is no bound.
	Since, Until time.Time
}

// Zero reports whether the filter chooses all.
func (f *Filter) Zero() bool {
	return len(f.IDs) == 0 && f.Sender == "" && f.Recipient == "" && f.MessageID == "" && f.Status == "" &&
		f.UID == nil && f.Since.IsZero() && f.Until.IsZero()
}

// Check tells what of the filter can't be meant.
func (f *Filter) Check() error {
	for _, s := range append([]string{f.Sender, f.Recipient, f.MessageID}, f.IDs...) {
		if len(s) > maxText {
			return fmt.Errorf("a text to look for is longer than %d bytes", maxText)
		}
	}
	for _, id := range f.IDs {
		if strings.Trim(id, "0123456789abcdef-") != "" {
			return fmt.Errorf("%.64q is not a queue id or the beginning of one", id)
		}
	}
	switch {
	case len(f.IDs) > maxIDs:
		return fmt.Errorf("at most %d ids can be looked for at once", maxIDs)
	case f.Status != "" && !slices.Contains(Statuses[:], f.Status):
		return fmt.Errorf("%.32q is no status; there are %s", f.Status, strings.Join(Statuses[:], ", "))
	case !f.Since.IsZero() && !f.Until.IsZero() && !f.Until.After(f.Since):
		return errors.New("the time to look until is not after the time to look from")
	}
	return nil
}

// Query writes the filter as the query of a URL.
func (f *Filter) Query() url.Values {
	q := url.Values{}
	put := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	put("sender", f.Sender)
	put("recipient", f.Recipient)
	put("message_id", f.MessageID)
	put("status", f.Status)
	if f.UID != nil {
		put("uid", strconv.Itoa(*f.UID))
	}
	if !f.Since.IsZero() {
		put("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if !f.Until.IsZero() {
		put("until", f.Until.UTC().Format(time.RFC3339Nano))
	}
	if len(f.IDs) > 0 {
		q["id"] = f.IDs
	}
	return q
}

// ParseQuery reads what Query writes, and refuses what it does not know.
func ParseQuery(raw string) (f Filter, err error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return f, fmt.Errorf("the query can't be read: %w", err)
	}
	for name, values := range q {
		if name != "id" && len(values) != 1 {
			return f, fmt.Errorf("%.32q stands more than once", name)
		}
		switch name {
		case "id":
			f.IDs = values
		case "sender":
			f.Sender = values[0]
		case "recipient":
			f.Recipient = values[0]
		case "message_id":
			f.MessageID = values[0]
		case "status":
			f.Status = values[0]
		case "uid":
			n, bad := strconv.Atoi(values[0])
			f.UID, err = &n, bad
		case "since":
			f.Since, err = time.Parse(time.RFC3339Nano, values[0])
		case "until":
			f.Until, err = time.Parse(time.RFC3339Nano, values[0])
		default:
			return f, fmt.Errorf("%.32q is no filter", name)
		}
		if err != nil {
			return f, fmt.Errorf("%s=%.64q can't be read", name, values[0])
		}
	}
	return f, f.Check()
}

// covers reports whether a segment may have what the filter chooses. Its entries are of its day, give or take a clock
// that is set.
func (f *Filter) covers(s segment) bool {
	day, err := time.Parse(time.DateOnly, s.day)
	return err == nil && (f.Since.IsZero() || f.Since.Before(day.Add(25*time.Hour))) &&
		(f.Until.IsZero() || f.Until.After(day.Add(-time.Hour)))
}

// matcher is a filter made ready for many rows.
type matcher struct {
	ids                          [][]byte
	sender, recipient, messageID []byte // in lower case
	status                       byte   // 0 for any
	uid                          []byte // nil for any
	since, until                 int64  // milliseconds
}

func (f *Filter) matcher() *matcher {
	lower := func(s string) []byte { return toLower([]byte(s)) }
	m := &matcher{sender: lower(f.Sender), recipient: lower(f.Recipient), messageID: lower(f.MessageID)}
	for _, id := range f.IDs {
		m.ids = append(m.ids, []byte(id))
	}
	if f.Status != "" {
		m.status = letters[slices.Index(Statuses[:], f.Status)]
	}
	if f.UID != nil {
		m.uid = strconv.AppendInt(nil, int64(*f.UID), 10)
	}
	if !f.Since.IsZero() {
		m.since = f.Since.UnixMilli()
	}
	if !f.Until.IsZero() {
		m.until = f.Until.UnixMilli()
	}
	return m
}

func (m *matcher) match(r *row) bool {
	if m.uid != nil && !bytes.Equal(r[fieldUID], m.uid) || m.status != 0 && r[fieldStatus][0] != m.status {
		return false
	}
	if m.since != 0 || m.until != 0 {
		t := r.number(fieldTime, 36)
		if t < m.since || m.until != 0 && t >= m.until {
			return false
		}
	}
	return (m.ids == nil || slices.ContainsFunc(m.ids, func(id []byte) bool { return bytes.HasPrefix(r[fieldID], id) })) &&
		(contains(r[fieldSender], m.sender) || contains(r[fieldOrigin], m.sender)) &&
		contains(r[fieldRecipient], m.recipient) && contains(r[fieldMessageID], m.messageID)
}

func toLower(b []byte) []byte {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// contains reports whether part, which is in lower case, stands in b.
func contains(b, part []byte) bool {
	if len(part) == 0 {
		return true
	}
	if len(b) < len(part) {
		return false
	}
	if bytes.Contains(b, part) {
		return true
	}
	var room [maxText]byte
	if !slices.ContainsFunc(b, func(c byte) bool { return 'A' <= c && c <= 'Z' }) {
		return false
	}
	return bytes.Contains(toLower(append(room[:0], b...)), part)
}
