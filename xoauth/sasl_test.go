package xoauth

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func TestInitialResponse(t *testing.T) {
	t.Parallel()
	// The example of Microsoft's page.
	got := base64.StdEncoding.EncodeToString(InitialResponse("test@contoso.onmicrosoft.com", NewSecret("EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA")))
	want := "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ=="
	if got != want {
		t.Errorf("response = %s, want %s", got, want)
	}
}

func TestClientLongToken(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("x", 8<<10)
	mech, ir, err := NewClient("a@contoso.com", NewSecret(token)).Start()
	if want := "user=a@contoso.com\x01auth=Bearer " + token + "\x01\x01"; mech != "XOAUTH2" || string(ir) != want || err != nil {
		t.Errorf("Start = %q, %d bytes, %v", mech, len(ir), err)
	}
}

func TestClientRefusesInjection(t *testing.T) {
	t.Parallel()
	tests := []struct{ user, token string }{
		{"", "abc"}, {"a\x01auth=Bearer x", "abc"}, {"a\r", "abc"}, {"a\nb", "abc"}, {"a b", "abc"}, {"a\x00", "abc"}, {"a\x7f", "abc"},
		{"a@b", ""}, {"a@b", "abc\x01"}, {"a@b", "abc\r\nQUIT"}, {"a@b", "a b"}, {"a@b", "\xff"},
	}
	for _, tt := range tests {
		if ir := InitialResponse(tt.user, NewSecret(tt.token)); ir != nil {
			t.Errorf("InitialResponse(%q, %q) = %q", tt.user, tt.token, ir)
		}
		_, ir, err := NewClient(tt.user, NewSecret(tt.token)).Start()
		if err == nil || ir != nil {
			t.Errorf("Start with %q, %q = %q, %v", tt.user, tt.token, ir, err)
			continue
		}
		checkLine(t, tt.user, err)
	}
}

func TestClientChallenge(t *testing.T) {
	t.Parallel()
	const google = `{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}`
	tests := []struct {
		name, challenge string
		want            ChallengeError
	}{
		{"Google's", google, ChallengeError{Status: "401", Schemes: "bearer mac", Scope: "https://mail.google.com/"}},
		{"in base64", base64.StdEncoding.EncodeToString([]byte(google)), ChallengeError{Status: "401", Schemes: "bearer mac", Scope: "https://mail.google.com/"}},
		{"status a number", `{"status":400}`, ChallengeError{Status: "400"}},
		{"empty", "", ChallengeError{}},
		{"words", "go away\x1b[1m", ChallengeError{Text: "go away [1m"}},
		{"cut", `{"status":"401","sch`, ChallengeError{Status: "401"}},
		{"echo of an opaque token", `{"scope":"EwBAAl3BAAUFFpUA"}`, ChallengeError{Scope: "[redacted]"}},
		{"echo of a token", `{"status":"eyJ0eXAiOiJKV1QiLCJub25jZSI6.e30.c2ln"}`, ChallengeError{Status: "[redacted]"}},
	}
	for _, tt := range tests {
		c := NewClient("a@contoso.com", NewSecret("EwBAAl3BAAUFFpUA"))
		if _, _, err := c.Start(); err != nil || c.Challenge() != nil {
			t.Fatalf("%s: %v, challenge %v", tt.name, err, c.Challenge())
		}
		answer, err := c.Next([]byte(tt.challenge))
		if err != nil || answer == nil || len(answer) != 0 {
			t.Errorf("%s: Next = %q, %v; want an empty line", tt.name, answer, err)
		}
		if *c.Challenge() != tt.want {
			t.Errorf("%s: challenge %+v, want %+v", tt.name, *c.Challenge(), tt.want)
		}
		checkLine(t, tt.name, error(c.Challenge()))
		if _, err := c.Next(nil); err == nil {
			t.Errorf("%s: a second challenge is answered", tt.name)
		}
		var e *ChallengeError
		if !errors.As(error(c.Challenge()), &e) {
			t.Errorf("%s: not a ChallengeError", tt.name)
		}
	}
}
