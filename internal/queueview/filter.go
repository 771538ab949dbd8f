package queueview

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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
	// Sender and Recipient are looked for anywhere in the address, Reason in why a message waits, in any case.
	Sender, Recipient, Reason string
	// Domain is that of a recipient, State Why.Kind or Message.State, Code an SMTP reply code or RFC 3463's, or
	// another word of the reason, as Entra's AADSTS7000222.
	Domain, State, Code string
	// UID is the local user's; nil for any.
	UID *int
	// Before and After bound the time of arrival, Due the next try; the zero time is no bound.
	Before, After, Due time.Time
	// MinSize and MaxSize bound the size in bytes, MinTries and MaxTries the tries; nil is no bound.
	MinSize, MaxSize, MinTries, MaxTries *int64
	// IDs chooses by queue id; nil for all.
	IDs []string
}

// States are the values of Filter.State.
func States() []string {
	return []string{"waiting", "deferred", "held", "paused", "failed", "damaged"}
}

// Zero reports whether the filter passes the whole queue.
func (f *Filter) Zero() bool { return len(f.Query()) == 0 && f.IDs == nil }

// Plain reports whether it chooses by ids, sender, recipient and user alone, as a run of the queue can.
func (f *Filter) Plain() bool {
	plain := Filter{Sender: f.Sender, Recipient: f.Recipient, UID: f.UID, IDs: f.IDs}
	return plain.Query().Encode() == f.Query().Encode()
}

// Match reports whether a message passes, but for Failed and IDs, which choose where to look, and for what
// MatchWhy judges.
func (f *Filter) Match(info *spool.Info) bool {
	switch {
	case f.UID != nil && (info.Err != nil || info.Meta.UID != *f.UID),
		f.Held && !info.Status.Held,
		!f.Before.IsZero() && !info.Meta.Arrived.Before(f.Before),
		!f.After.IsZero() && !info.Meta.Arrived.After(f.After),
		!within(info.Size, f.MinSize, f.MaxSize), !within(int64(info.Status.Tries()), f.MinTries, f.MaxTries),
		f.Sender != "" && !contains(SenderName(info.Envelope.Sender), f.Sender) &&
			!contains(info.Envelope.Origin, f.Sender):
		return false
	case f.Recipient == "" && f.Domain == "":
		return true
	}
	for i, r := range info.Envelope.Recipients {
		done := i < len(info.Status.Recipients) && info.Status.Recipients[i].State == spool.Done
		domain := r.Address[strings.LastIndexByte(r.Address, '@')+1:]
		if !done && contains(r.Address, f.Recipient) && (f.Domain == "" || strings.EqualFold(domain, f.Domain)) {
			return true
		}
	}
	return false
}

// NeedsWhy reports whether MatchWhy has anything to judge.
func (f *Filter) NeedsWhy() bool {
	return f.State != "" || f.Reason != "" || f.Code != "" || !f.Due.IsZero()
}

// MatchWhy reports whether a message passes by the reason for which it waits.
func (f *Filter) MatchWhy(m *Message, e *Explainer) bool {
	w := e.Why(m)
	switch {
	case f.State != "" && f.State != w.Kind && f.State != string(m.State),
		f.Reason != "" && !contains(w.text(), f.Reason) && !contains(m.Reason, f.Reason),
		f.Code != "" && !w.hasCode(m, f.Code),
		!f.Due.IsZero() && (!w.comes(m) || w.Next.After(f.Due)):
		return false
	}
	return true
}

func within(n int64, least, most *int64) bool {
	return (least == nil || n >= *least) && (most == nil || n <= *most)
}

func contains(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// fields are the filter's parts by their names in a query, but for IDs.
func (f *Filter) fields() map[string]any {
	return map[string]any{"failed": &f.Failed, "held": &f.Held, "sender": &f.Sender, "recipient": &f.Recipient,
		"reason": &f.Reason, "domain": &f.Domain, "state": &f.State, "code": &f.Code, "uid": &f.UID,
		"before": &f.Before, "after": &f.After, "due": &f.Due, "min-size": &f.MinSize, "max-size": &f.MaxSize,
		"min-tries": &f.MinTries, "max-tries": &f.MaxTries}
}

// Query writes the filter as the query of a URL.
func (f *Filter) Query() url.Values {
	q := url.Values{}
	for name, field := range f.fields() {
		text := ""
		switch v := field.(type) {
		case *bool:
			text = map[bool]string{true: "1"}[*v]
		case *string:
			text = *v
		case **int:
			if *v != nil {
				text = strconv.Itoa(**v)
			}
		case **int64:
			if *v != nil {
				text = strconv.FormatInt(**v, 10)
			}
		case *time.Time:
			if !v.IsZero() {
				text = v.UTC().Format(time.RFC3339Nano)
			}
		}
		if text != "" {
			q.Set(name, text)
		}
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
	switch v := f.fields()[name].(type) {
	case nil:
		return fmt.Errorf("%.32q is no filter", name)
	case *bool:
		*v, err = strconv.ParseBool(value)
	case *string:
		*v = value
	case **int:
		*v = new(int)
		**v, err = strconv.Atoi(value)
	case **int64:
		*v = new(int64)
		**v, err = strconv.ParseInt(value, 10, 64)
	case *time.Time:
		*v, err = time.Parse(time.RFC3339Nano, value)
	}
	if err != nil {
		return fmt.Errorf("%s=%.32q can't be read", name, value)
	}
	return nil
}

// Check tells what of the filter can't be meant.
func (f *Filter) Check() error {
	for _, text := range [...]string{f.Sender, f.Recipient, f.Reason, f.Domain, f.Code} {
		if len(text) > maxFilter {
			return fmt.Errorf("a text to look for is longer than %d bytes", maxFilter)
		}
	}
	if f.State != "" && !slices.Contains(States(), f.State) {
		return fmt.Errorf("%.32q is no state; there are %s", f.State, strings.Join(States(), ", "))
	}
	if f.UID != nil && *f.UID < -1 {
		return fmt.Errorf("%d is not a user id", *f.UID)
	}
	for _, id := range f.IDs {
		if !spool.ValidID(id) {
			return fmt.Errorf("%.64q is no queue id", id)
		}
	}
	return nil
}
