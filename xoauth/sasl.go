package xoauth

import (
	"errors"
	"fmt"
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
