package xoauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxReply = 256 << 10 // bytes read of a reply
	maxToken = 64 << 10  // bytes of a token; a token of Exchange has 2 to 8 KiB
	// maxLife is beyond any lifetime that Entra gives: policies end at a day,
	// continuous access evaluation at 28 hours, managed identities at a day.
	maxLife       = 48 * time.Hour
	maxRetryAfter = 24 * time.Hour
)

// reply is what a token endpoint sent.
type reply struct {
	status  int
	header  http.Header
	body    []byte // at most maxReply bytes
	cut     bool   // there was more
	readErr error  // why the body ended early
}

// grant is a successful reply (RFC 6749 5.1).
type grant struct {
	access, refresh string
	expiresIn       time.Duration
	refreshIn       time.Duration // 0 when the server named none
}

// token turns a grant into a Token, by the clock as it was before the request.
func (g grant) token(sent time.Time) Token {
	sent = sent.Round(0) // a stored token outlives the monotonic clock
	t := Token{Access: NewSecret(g.access), Obtained: sent, Expiry: sent.Add(g.expiresIn)}
	if g.refreshIn > 0 {
		t.RefreshAt = sent.Add(g.refreshIn)
	}
	return t
}

// parseReply reads a reply of the token endpoint: either a grant or an error. now
// is the local clock, for replies that name a point in time.
func parseReply(r reply, now time.Time, secrets []string) (grant, *Error) {
	fields, complete := parseObject(r.body)
	_, refused := fields["error"]
	if r.status < 200 || r.status > 299 || refused {
		return grant{}, parseFailure(r, fields, now, secrets)
	}
	if !complete && isPage(r) {
		e := newFailure(r, now)
		e.Err = errPage
		e.Description = clean(redact(bodyText(string(r.body)), secrets), 200)
		return grant{}, e
	}
	g, err := parseGrant(r, fields, complete, now)
	if err != nil {
		e := newFailure(r, now)
		e.Err = err
		return grant{}, e
	}
	return g, nil
}

// errPage says that a web page came in place of a token: not Entra has answered.
var errPage = errors.New("an HTML page came in place of a token")

// isPage reports whether a reply is a web page.
func isPage(r reply) bool {
	kind, _, _ := strings.Cut(strings.ToLower(r.header.Get("Content-Type")), ";")
	kind = strings.TrimSpace(kind)
	return kind == "text/html" || kind == "application/xhtml+xml" ||
		bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(r.body, []byte("\xef\xbb\xbf"))), []byte("<"))
}

func parseGrant(r reply, fields map[string]json.RawMessage, complete bool, now time.Time) (grant, error) {
	switch {
	case r.cut:
		return grant{}, fmt.Errorf("the reply has more than %d bytes", maxReply)
	case r.readErr != nil:
		return grant{}, fmt.Errorf("the reply was cut off: %w", r.readErr)
	case len(r.body) == 0:
		return grant{}, errors.New("the reply is empty")
	case !complete:
		return grant{}, errors.New("the reply is not a whole JSON object")
	}
	g := grant{access: text(fields["access_token"]), refresh: text(fields["refresh_token"])}
	if err := checkToken("access_token", g.access); err != nil {
		return grant{}, err
	}
	if g.refresh != "" {
		if err := checkToken("refresh_token", g.refresh); err != nil {
			return grant{}, err
		}
	}
	if !strings.EqualFold(text(fields["token_type"]), "Bearer") {
		return grant{}, errors.New("the token_type is not Bearer")
	}
	var err error
	if g.expiresIn, err = lifetime(fields, now); err != nil {
		return grant{}, err
	}
	if d, ok := seconds(fields["refresh_in"]); ok && d > 0 && d < g.expiresIn {
		g.refreshIn = d
	}
	return g, nil
}

// checkToken refuses what could not stand in an XOAUTH2 response: anything but
// printable ASCII (RFC 6749 A.12), and more of it than any token has.
func checkToken(name, s string) error {
	if s == "" {
		return fmt.Errorf("the reply has no %s", name)
	}
	if len(s) > maxToken {
		return fmt.Errorf("the %s has %d bytes, more than %d", name, len(s), maxToken)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return fmt.Errorf("the %s holds the byte 0x%02x", name, s[i])
		}
	}
	return nil
}

// lifetime reads expires_in, or else expires_on (seconds since 1970), which is all
// that App Service sends.
func lifetime(fields map[string]json.RawMessage, now time.Time) (time.Duration, error) {
	d, ok := seconds(fields["expires_in"])
	if !ok {
		var on time.Duration
		if on, ok = seconds(fields["expires_on"]); ok {
			d = time.Unix(int64(on/time.Second), 0).Sub(now)
		}
	}
	switch {
	case !ok:
		return 0, errors.New("the reply has no expires_in that is a number")
	case d <= 0 || d > maxLife:
		return 0, fmt.Errorf("the lifetime of %v is not between 1 s and %v", d, maxLife)
	}
	return d, nil
}

// seconds reads a number of seconds; managed identities send it as a string.
func seconds(raw json.RawMessage) (time.Duration, bool) {
	s := string(raw)
	if t := text(raw); t != "" {
		s = t
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > float64(math.MaxInt64/int64(time.Second)) {
		return 0, false
	}
	return time.Duration(f) * time.Second, true
}

// text returns a JSON string's value, and "" for any other value.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// parseObject returns the fields of a JSON object. Of a damaged or truncated one
// it returns the fields before the damage, and false.
func parseObject(body []byte) (fields map[string]json.RawMessage, complete bool) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if json.Unmarshal(body, &fields) == nil {
		return fields, fields != nil
	}
	fields = make(map[string]json.RawMessage)
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fields, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			break
		}
		key, ok := name.(string)
		var value json.RawMessage
		if !ok || d.Decode(&value) != nil {
			break
		}
		fields[key] = value
	}
	return fields, false
}

// retryAfter reads a Retry-After header: seconds or an HTTP date (RFC 9110 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	var d time.Duration
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		// Both times by the server's clock, so that ours does not matter.
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			now = date
		}
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
