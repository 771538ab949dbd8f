package cli

import (
	"errors"
	"fmt"
	"strings"

	"o365-sendmail/internal/agent/protocol"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// draft is a message as the caller gave it: read, completed, and with its recipients
// known, but neither aliased nor sent.
type draft struct {
	env     *envelope.Envelope
	msg     *rfc822.Message
	refused []envelope.Refusal // addresses that are none
}

// compose reads the message from standard input. maxSize is the limit on its wire form,
// 0 for none. The caller closes the draft's message.
func (e *Env) compose(o *options, user host.User, maxSize int64) (*draft, error) {
	env, refused, err := o.envelope(user)
	if err != nil {
		return nil, err
	}
	if len(env.Recipients)+len(refused) == 0 && !o.readHeader {
		return nil, usagef("no recipients: name them as arguments, or use -t and a To, Cc or Bcc field")
	}
	msg, err := rfc822.Read(e.Stdin, rfc822.ReadOptions{DotEnds: !o.ignoreDots, MaxSize: maxSize})
	if err != nil {
		return nil, readError(err)
	}
	d := &draft{env: env, msg: msg, refused: refused}
	if o.readHeader {
		d.addFromHeader(o.notify)
	}
	// Intake completes the rest: it knows what this host is called.
	if from, _ := msg.Header.Get("From"); from == "" {
		msg.Header.Set("From", author(o, user).String())
	}
	msg.Header.RemoveBcc()
	msg.Header.Remove(protocol.OptionsField)
	return d, nil
}

// readError gives a failed reading its exit code.
func readError(err error) error {
	var large *rfc822.TooLargeError
	if errors.As(err, &large) {
		return sysexits.With(sysexits.DataErr, err)
	}
	return sysexits.With(sysexits.NoInput, fmt.Errorf("the message can't be read from standard input: %w", err))
}

// envelope takes what the command line says.
func (o *options) envelope(user host.User) (*envelope.Envelope, []envelope.Refusal, error) {
	env := &envelope.Envelope{Sender: user.Name, Ret: o.ret, EnvID: o.envelopeID}
	if o.sender != nil {
		env.Sender = ""
		if *o.sender != "" {
			a, err := rfc822.ParseAddress(*o.sender)
			if err != nil {
				return nil, nil, sysexits.With(sysexits.Usage, fmt.Errorf("sender %.128q: %w", *o.sender, err))
			}
			env.Sender = a.Addr()
		}
	}
	if hasControl(o.fullName) || hasControl(o.envelopeID) {
		return nil, nil, usagef("control characters in -F or -V")
	}
	var refused []envelope.Refusal
	for _, arg := range o.recipients {
		list, errs := rfc822.ParseAddressList(arg)
		for _, a := range list {
			env.Recipients = append(env.Recipients, envelope.Recipient{Address: a.Addr(), Notify: o.notify})
		}
		refused = append(refused, badAddresses(arg, errs)...)
		if len(list)+len(errs) == 0 {
			refused = append(refused, envelope.Refusal{Address: arg, Err: sysexits.With(sysexits.DataErr, fmt.Errorf("recipient %.128q holds no address", arg))})
		}
	}
	return env, refused, nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

func badAddresses(in string, errs []error) []envelope.Refusal {
	out := make([]envelope.Refusal, 0, len(errs))
	for _, err := range errs {
		out = append(out, envelope.Refusal{Address: in, Err: sysexits.With(sysexits.DataErr, err)})
	}
	return out
}

// addFromHeader adds the recipients of -t to those named as arguments, as Sendmail and
// Postfix do (Exim takes them away).
func (d *draft) addFromHeader(n envelope.Notify) {
	list, errs := d.msg.Header.Recipients()
	for _, a := range list {
		d.env.Recipients = append(d.env.Recipients, envelope.Recipient{Address: a.Addr(), Notify: n})
	}
	d.refused = append(d.refused, badAddresses("", errs)...)
}

// author is the From of a message that has none: the sender, with the full name from -F
// or the user's entry in /etc/passwd. A local name stays bare.
func author(o *options, user host.User) rfc822.Address {
	a := rfc822.Address{Local: user.Name}
	name := user.FullName
	if o.sender != nil && *o.sender != "" {
		if given, err := rfc822.ParseAddress(*o.sender); err == nil {
			a.Local, a.Domain, name = given.Local, given.Domain, given.Display
		}
	}
	if o.fullName != "" {
		name = o.fullName
	}
	a.Display = name
	return a
}
