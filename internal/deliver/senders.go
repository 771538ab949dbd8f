package deliver

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/submit"
	"o365-sendmail/rfc822"
)

// Senders says who chose a sender address: the administrator, in the configuration, or the caller.
type Senders struct {
	// Keep is set when a From address goes out as its caller wrote it, though the configuration doesn't
	// name it. Without it every sender is the administrator's choice.
	Keep bool
	// Match reports whether the configuration names the address: listed if a pattern does, exact if it
	// stands there itself. Nil names every address.
	Match func(addr string) (listed, exact bool)
}

// Chosen reports whether the administrator chose the address.
func (s Senders) Chosen(addr string) bool {
	if !s.Keep || s.Match == nil {
		return true
	}
	listed, _ := s.Match(addr)
	return listed
}

// Named reports whether the configuration has the address itself, and not only a pattern that it matches.
func (s Senders) Named(addr string) bool {
	if s.Match == nil {
		return true
	}
	_, exact := s.Match(addr)
	return exact
}

// Inside reports whether an address is in the organization, as far as the configuration tells: in one of the
// domains of its own addresses.
func (a *Account) Inside(address string) bool {
	domain := strings.ToLower(domainOf(address))
	return domain != "" && (domain == strings.ToLower(domainOf(a.Mailbox)) || slices.Contains(a.Domains, domain))
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// strangeAuthor returns the first sender address of a message that its caller chose, in lower case; "" when
// the administrator chose them all. Exchange judges From and Sender, and the envelope at times.
func (a *Account) strangeAuthor(env *envelope.Envelope, msg envelope.Message) string {
	if !a.Senders.Keep {
		return ""
	}
	for _, addr := range append(authorsOf(msg), env.Sender) {
		if addr != "" && !a.Senders.Chosen(addr) {
			return strings.ToLower(addr)
		}
	}
	return ""
}

// authorsOf returns the addresses in From and Sender. What can't be read has none.
func authorsOf(msg envelope.Message) (addrs []string) {
	h := headerOf(msg)
	for _, v := range append(h.All("From"), h.All("Sender")...) {
		list, _ := rfc822.ParseAddressList(v)
		for _, x := range list {
			addrs = append(addrs, x.Addr())
		}
	}
	return addrs
}

// callersFault makes the refusal of a sender that the caller chose the caller's error: nothing is kept that could
// be tried later, and no administrator has to act.
func (a *Account) callersFault(env *envelope.Envelope, msg envelope.Message, err error) error {
	var e *submit.Error
	if !errors.As(err, &e) || !e.Diagnosis.SenderRefused() {
		return err
	}
	if author := a.strangeAuthor(env, msg); author != "" {
		return &SenderError{Author: author, Tries: 1, Err: err}
	}
	return err
}

// SenderError says that Exchange refuses the sender that a caller chose, and that no more tries are made.
type SenderError struct {
	Author string
	Tries  int // refused, of several messages maybe
	Err    error
}

func (e *SenderError) Error() string {
	return fmt.Sprintf("the sender <%s> is refused after %s: %v", e.Author, tries(e.Tries), e.Err)
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries over 2 hours", n)
}

func (e *SenderError) Unwrap() error { return e.Err }
