package queueview

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"o365-sendmail/internal/spool"
)

// maxFilter bounds a text to look for, in bytes.
const maxFilter = 512

// Filter chooses messages. The zero value chooses the whole queue.
type Filter struct {
	// Failed looks into failed/ and not into the queue.
	Failed bool
	// Held chooses only what an administrator keeps back.
	Held bool
	// Sender and Recipient are looked for anywhere in the address, in any case.
	Sender, Recipient string
	// UID is the local user's; nil for any.
	UID *int
	// IDs chooses by queue id; nil for all.
	IDs []string
}

// Zero reports whether the filter passes the whole queue.
func (f *Filter) Zero() bool {
	return !f.Failed && !f.Held && f.Sender == "" && f.Recipient == "" && f.UID == nil && f.IDs == nil
}

// Match reports whether a message passes, but for Failed and IDs, which choose where to look.
func (f *Filter) Match(info *spool.Info) bool {
	switch {
	case f.UID != nil && (info.Err != nil || info.Meta.UID != *f.UID),
		f.Held && !info.Status.Held,
		f.Sender != "" && !contains(SenderName(info.Envelope.Sender), f.Sender) &&
			!contains(info.Envelope.Origin, f.Sender):
		return false
	case f.Recipient == "":
		return true
	}
	for i, r := range info.Envelope.Recipients {
		done := i < len(info.Status.Recipients) && info.Status.Recipients[i].State == spool.Done
		if !done && contains(r.Address, f.Recipient) {
			return true
		}
	}
	return false
}

func contains(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// Query writes the filter as the query of a URL.
func (f *Filter) Query() url.Values {
	q := url.Values{}
	if f.Failed {
		q.Set("failed", "1")
	}
	if f.Held {
		q.Set("held", "1")
	}
	if f.Sender != "" {
		q.Set("sender", f.Sender)
	}
	if f.Recipient != "" {
		q.Set("recipient", f.Recipient)
	}
	if f.UID != nil {
		q.Set("uid", strconv.Itoa(*f.UID))
	}
	if len(f.IDs) > 0 {
		q["id"] = f.IDs
	}
	return q
}

// ParseQuery reads the query of a URL. It refuses what it does not know: a filter that is
// passed over would choose too much.
func ParseQuery(raw string) (Filter, error) {
	var f Filter
	q, err := url.ParseQuery(raw)
	if err != nil {
		return f, fmt.Errorf("the query can't be read: %w", err)
	}
	for name, values := range q {
		if name == "id" {
			f.IDs = values
			continue
		}
		if len(values) != 1 {
			return f, fmt.Errorf("%.32q stands more than once", name)
		}
		if err := f.set(name, values[0]); err != nil {
			return f, err
		}
	}
	return f, f.Check()
}

func (f *Filter) set(name, value string) (err error) {
	switch name {
	case "failed":
		f.Failed, err = strconv.ParseBool(value)
	case "held":
		f.Held, err = strconv.ParseBool(value)
	case "sender":
		f.Sender = value
	case "recipient":
		f.Recipient = value
	case "uid":
		var n int
		n, err = strconv.Atoi(value)
		f.UID = &n
	default:
		return fmt.Errorf("%.32q is no filter", name)
	}
	if err != nil {
		return fmt.Errorf("%s=%.32q can't be read", name, value)
	}
	return nil
}

// Check tells what of the filter can't be meant.
func (f *Filter) Check() error {
	if len(f.Sender) > maxFilter || len(f.Recipient) > maxFilter {
		return fmt.Errorf("a text to look for is longer than %d bytes", maxFilter)
	}
	if f.UID != nil && *f.UID < -1 {
		return fmt.Errorf("%d is no user id", *f.UID)
	}
	for _, id := range f.IDs {
		if !spool.ValidID(id) {
			return fmt.Errorf("%.64q is no queue id", id)
		}
	}
	return nil
}
