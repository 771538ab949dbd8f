package xoauth

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// newFailure makes an Error of what every reply has.
func newFailure(r reply, now time.Time) *Error {
	e := &Error{Status: r.status, RetryAfter: retryAfter(r.header, now), Err: r.readErr}
	if date, err := http.ParseTime(r.header.Get("Date")); err == nil {
		e.ClockSkew = date.Sub(now).Round(time.Second)
	}
	return e
}

// parseFailure makes an Error of a reply that grants nothing. It takes what it
// finds: JSON whole or cut, plain text, HTML, or nothing.
func parseFailure(r reply, fields map[string]json.RawMessage, now time.Time, secrets []string) *Error {
	e := newFailure(r, now)
	if r.status >= 300 && r.status < 400 {
		// The rest of the location may hold what is nobody's business.
		if u, err := url.Parse(r.header.Get("Location")); err == nil {
			e.Description = clean(redact(u.Scheme+"://"+u.Host, secrets), 200)
		}
		return e
	}
	hide := func(s string) string { return redact(s, secrets) }
	description := text(fields["error_description"])
	e.Code = word(hide(text(fields["error"])), 64)
	if nested, ok := parseObject(fields["error"]); ok { // Azure's other APIs: {"error":{"code":...,"message":...}}
		e.Code = word(hide(text(nested["code"])), 64)
		description = text(nested["message"])
	}
	if len(fields) == 0 && !r.cut {
		description = bodyText(hide(string(r.body)))
	}
	id := func(field, label string) string {
		return word(hide(cmp.Or(text(fields[field]), labelled(description, label))), 64)
	}
	e.SubError = word(hide(text(fields["suberror"])), 64)
	e.AADSTS = aadsts(fields["error_codes"], description)
	if e.AADSTS == aadLoop && e.RetryAfter == 0 {
		e.RetryAfter = time.Minute // it names no time, and asking again at once prolongs it
	}
	e.TraceID = id("trace_id", "Trace ID:")
	e.CorrelationID = id("correlation_id", "Correlation ID:")
	e.Timestamp = clean(hide(cmp.Or(text(fields["timestamp"]), timestamp(description))), 40)
	e.Description = clean(hide(beforeIDs(description)), 600)
	return e
}

// aadsts takes the number of Entra's error from error_codes, else from the
// description's "AADSTS<number>:". 0 means none.
func aadsts(codes json.RawMessage, description string) int {
	var list []json.Number // reads strings that hold numbers, too
	if json.Unmarshal(codes, &list) == nil {
		for _, c := range list {
			if n, err := strconv.Atoi(c.String()); err == nil && n > 0 {
				return n
			}
		}
	}
	_, rest, found := strings.Cut(description, "AADSTS")
	if !found {
		return 0
	}
	end := 0
	for end < len(rest) && end < 10 && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(rest[:end])
	return n
}

// labelled returns the word after a label in a description. Labels were set off
// by CR LF once, and by one space in newer replies.
func labelled(description, label string) string {
	_, rest, found := strings.Cut(description, label)
	if !found {
		return ""
	}
	rest = strings.TrimLeft(rest, " ")
	if i := strings.IndexAny(rest, " \r\n\t"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// timestamp returns the "2026-11-23 20:30:00Z" after its label.
func timestamp(description string) string {
	_, rest, found := strings.Cut(description, "Timestamp:")
	if !found {
		return ""
	}
	rest = strings.TrimLeft(rest, " ")
	if i := strings.IndexByte(rest, 'Z'); i >= 0 && i < 30 {
		return rest[:i+1]
	}
	return ""
}

// beforeIDs cuts the ids off a description; they have fields of their own.
func beforeIDs(description string) string {
	if i := strings.Index(description, "Trace ID:"); i >= 0 {
		return description[:i]
	}
	return description
}

// bodyText returns what a reply without JSON says: plain text as it is, and of an
// HTML page its title.
func bodyText(s string) string {
	s = strings.TrimSpace(s[:min(len(s), 4096)])
	if !strings.HasPrefix(s, "<") {
		return s
	}
	lower := strings.Map(func(r rune) rune { // keeps the length
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
	if from := strings.Index(lower, "<title>") + len("<title>"); from >= len("<title>") && len(lower) == len(s) {
		if n := strings.Index(lower[from:], "</title>"); n >= 0 {
			return s[from : from+n]
		}
	}
	return "an HTML page"
}
