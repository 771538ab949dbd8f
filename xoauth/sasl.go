package xoauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// CheckUser refuses a user that could change the meaning of an XOAUTH2 response or
// of the line around it: control characters, spaces, emptiness.
func CheckUser(user string) error {
	if user == "" {
		return errors.New("the mailbox to sign in as is empty")
	}
	for _, r := range user {
		if r <= ' ' || r == 0x7f {
			return fmt.Errorf("the mailbox %q holds a space or control character", clean(user, 80))
		}
	}
	return nil
}

// InitialResponse is the client's one message of XOAUTH2, before base64:
// "user=" user 0x01 "auth=Bearer " token 0x01 0x01. It is nil when user or token
// hold what may not stand there; CheckUser says what.
// Source: learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth.
func InitialResponse(user string, token Secret) []byte {
	if CheckUser(user) != nil || checkToken("token", token.Reveal()) != nil {
		return nil
	}
	return []byte("user=" + user + "\x01auth=Bearer " + token.Reveal() + "\x01\x01")
}

// Client is the client's side of XOAUTH2, shaped like sasl.Client of go-sasl. The
// response passes the 512 octets of an SMTP command line (RFC 4954 4), so whoever
// speaks SMTP sends it after an empty 334 rather than with AUTH.
type Client struct {
	user      string
	token     Secret
	challenge *ChallengeError
}

// NewClient makes a client for one exchange.
func NewClient(user string, token Secret) *Client { return &Client{user: user, token: token} }

// Start returns the mechanism's name and the response.
func (c *Client) Start() (mech string, ir []byte, err error) {
	if err := CheckUser(c.user); err != nil {
		return "", nil, err
	}
	if err := checkToken("token", c.token.Reveal()); err != nil {
		return "", nil, fmt.Errorf("the token can't be used: %w", err)
	}
	return "XOAUTH2", InitialResponse(c.user, c.token), nil
}

// Next answers a challenge, given without its base64. XOAUTH2 has none but the
// server's error, which an empty response acknowledges; the server then says 535.
// Challenge tells what it was.
func (c *Client) Next(challenge []byte) ([]byte, error) {
	if c.challenge != nil {
		return nil, errors.New("the server sent a second XOAUTH2 challenge")
	}
	c.challenge = parseChallenge(challenge, c.token.Reveal())
	return []byte{}, nil
}

// Challenge returns the error that the server sent as a challenge, nil if it sent none.
func (c *Client) Challenge() *ChallengeError { return c.challenge }

// ChallengeError is what a server says in a 334 before it refuses a token. Its
// fields are printable and short. Exchange Online sends none, other servers do.
type ChallengeError struct {
	// Status is the HTTP status of the token's check, such as "401".
	Status string
	// Schemes and Scope say what would be accepted.
	Schemes, Scope string
	// Text is the challenge itself when it was no JSON.
	Text string
}

// Error returns one line.
func (e *ChallengeError) Error() string {
	if e.Text != "" || *e == (ChallengeError{}) {
		return fmt.Sprintf("the server refuses the token: %q", e.Text)
	}
	return fmt.Sprintf("the server refuses the token: status %q, schemes %q, scope %q", e.Status, e.Schemes, e.Scope)
}

// ParseChallenge reads the JSON of a challenge, with or without its base64. It takes
// whatever comes.
// Source: developers.google.com/workspace/gmail/imap/xoauth2-protocol, "Error response".
func ParseChallenge(challenge []byte) *ChallengeError { return parseChallenge(challenge) }

func parseChallenge(challenge []byte, secrets ...string) *ChallengeError {
	if s := strings.TrimSpace(string(challenge)); !strings.HasPrefix(s, "{") {
		if decoded, err := base64.StdEncoding.DecodeString(s); err == nil {
			challenge = decoded
		}
	}
	fields, _ := parseObject(challenge)
	field := func(name string) string {
		s := text(fields[name])
		if s == "" && json.Valid(fields[name]) {
			s = string(fields[name]) // a bare number
		}
		return clean(redact(s, secrets), 100)
	}
	e := &ChallengeError{Status: field("status"), Schemes: field("schemes"), Scope: field("scope")}
	if *e == (ChallengeError{}) {
		e.Text = clean(redact(string(challenge), secrets), 200)
	}
	return e
}
