package xoauth

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzTokenResponse checks what every reply must give: a usable token or an error
// that is one clean line, and never the secret.
func FuzzTokenResponse(f *testing.F) {
	for _, body := range []string{
		"", "{", "null", "[]", `"x"`, "Too Many Requests", "<html><title>503</title></html>", goodReply, identityReply,
		delegated, deviceReply,
		entraReply("invalid_client", 7000215, "Invalid client secret provided.", "\r\n"),
		entraReply("invalid_grant", 53003, "Access has been blocked.", " ")[:150],
		`{"error":{"code":"x","message":"y"}}`, `{"error":"a","error_codes":["1",2,null]}`,
		`{"access_token":"a","token_type":"Bearer","expires_in":"1e400"}`,
		`{"access_token":"a","token_type":"Bearer","expires_on":-9e18,"refresh_in":NaN}`,
		`{"error":"` + testSecret + `","error_description":"AADSTS1: ` + testSecret + ` Trace ID: ` + testSecret + `"}`,
	} {
		for _, status := range []int{200, 302, 400, 401, 429, 503} {
			f.Add(status, []byte(body), "60", "Mon, 23 Nov 2026 20:31:00 GMT")
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, after, date string) {
		r := reply{status: status, header: http.Header{"Retry-After": {after}, "Date": {date}, "Location": {after}},
			body: body}
		g, e := parseReply(r, testNow, []string{testSecret})
		if e == nil {
			if checkToken("token", g.access) != nil || g.expiresIn <= 0 || g.expiresIn > maxLife || g.refreshIn < 0 ||
				g.refreshIn >= g.expiresIn {
				t.Errorf("grant %+v", g)
			}
			if status < 200 || status > 299 {
				t.Errorf("a grant with HTTP %d", status)
			}
			return
		}
		e.Op, e.Host = opToken, "h"
		checkFuzzed(t, e)
		if _, e := parseDevice(r, testNow); e != nil {
			e.Op = opDevice
			checkFuzzed(t, e)
		}
	})
}

func checkFuzzed(t *testing.T, e *Error) {
	t.Helper()
	s := e.Error()
	if clean(s, len(s)+8) != s || len(s) > 3000 {
		t.Errorf("error is not one clean line: %q", s)
	}
	if e.Op == opToken && strings.Contains(fmt.Sprintf("%v", *e), testSecret) {
		t.Errorf("error shows the secret: %q", s)
	}
	if e.RetryAfter < 0 || e.RetryAfter > maxRetryAfter || e.Temporary() == e.Configuration() {
		t.Errorf("error %+v", *e)
	}
}

func TestCleanAndRedact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {"  a  b  ", "a b"}, {"a\r\nb\x00c", "a b c"}, {"a\u202eb\u2028c", "a b c"}, {"\xff\xfe", ""},
		{"größe", "größe"},
		{strings.Repeat("x", 30), "xxxxxxxxxxxxxxxxx..."},
	} {
		if got := clean(tt.in, 20); got != tt.want {
			t.Errorf("clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	for _, tt := range []struct{ in, want string }{
		{"no secret", "no secret"},
		{"x" + testSecret + "y", "x[redacted]y"},
		{"eyJ short", "eyJ short"},
		{"a eyJ0eXAiOiJKV1QiLCJub25jZSI6.e30.c2ln b", "a [redacted] b"},
		{"eyJ0eXAiOiJKV1QiLCJub25jZSI6", "[redacted]"},
		{"abc", "abc"},
	} {
		if got := redact(tt.in, []string{testSecret, "", "abc"}); got != tt.want {
			t.Errorf("redact(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestNewGUID(t *testing.T) {
	t.Parallel()
	a, b := newGUID(), newGUID()
	if !IsGUID(a) || a == b || a[14] != '4' || !strings.Contains("89ab", a[19:20]) {
		t.Errorf("GUIDs %s, %s", a, b)
	}
	for _, s := range []string{"", "x", testClient + "0", strings.Replace(testClient, "-", "0", 1),
		strings.Replace(testClient, "1", "g", 1)} {
		if IsGUID(s) {
			t.Errorf("IsGUID(%q)", s)
		}
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	if err := sleep(t.Context(), time.Nanosecond); err != nil {
		t.Error(err)
	}
}
