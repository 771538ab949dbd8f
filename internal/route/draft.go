package route

import (
	"errors"
	"fmt"
	"io"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// Draft is a message as the caller gave it: read, completed, and with its recipients
// known, but neither aliased nor sent.
type Draft struct {
	Envelope *envelope.Envelope
	Message  *rfc822.Message    // nil of one that is too large
	Refused  []envelope.Refusal // addresses that are none
}

// Compose reads the message from standard input, or as much of it as the route asks for. The caller closes the
// draft's message. With the error of a message that is too large there is a draft without one, if the command line names
// recipients.
func Compose(stdin io.Reader, o *cmdline.Options, user host.User, r Route) (*Draft, error) {
	env, refused, err := envelopeOf(o, user)
	if err != nil {
		return nil, err
	}
	if len(env.Recipients)+len(refused) == 0 && !o.ReadHeader {
		return nil, cmdline.Usagef("no recipients: name them as arguments, or use -t and a To, Cc or Bcc field")
	}
	msg, err := rfc822.Read(stdin, rfc822.ReadOptions{DotEnds: !o.IgnoreDots, MaxSize: r.MaxSize(),
		MaxHeader: r.MaxHeader(), NeedsTo: o.ReadHeader, InPlace: r.ReadsBody()})
	if large := (*rfc822.TooLargeError)(nil); errors.As(err, &large) && len(env.Recipients) > 0 {
		return &Draft{Envelope: env, Refused: refused}, readError(err)
	}
	if err != nil {
		return nil, readError(err)
	}
	d := &Draft{Envelope: env, Message: msg, Refused: refused}
	if o.ReadHeader {
		d.addFromHeader(o.Notify)
	}
	// Intake completes the rest: it knows what this host is called.
	if from, _ := msg.Header.Get("From"); from == "" {
		msg.Header.Set("From", author(o, user).String())
	}
	msg.Header.RemoveBcc()
	msg.Header.Remove(envelope.OptionsField)
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

// envelopeOf takes what the command line says.
func envelopeOf(o *cmdline.Options, user host.User) (*envelope.Envelope, []envelope.Refusal, error) {
	env := &envelope.Envelope{Sender: user.Name, Ret: o.Return, EnvID: o.EnvelopeID}
	if o.Sender != nil {
		env.Sender = ""
		if *o.Sender != "" {
			a, err := rfc822.ParseAddress(*o.Sender)
			if err != nil {
				return nil, nil, sysexits.With(sysexits.Usage, fmt.Errorf("sender %.128q: %w", *o.Sender, err))
			}
			env.Sender = a.Addr()
		}
	}
	if printable.HasControl(o.FullName) || printable.HasControl(o.EnvelopeID) {
		return nil, nil, cmdline.Usagef("control characters in -F or -V")
	}
	var refused []envelope.Refusal
	for _, arg := range o.Recipients {
		list, errs := rfc822.ParseAddressList(arg)
		for _, a := range list {
			env.Recipients = append(env.Recipients, envelope.Recipient{Address: a.Addr(), Notify: o.Notify})
		}
		refused = append(refused, badAddresses(arg, errs)...)
		if len(list)+len(errs) == 0 {
			refused = append(refused,
				envelope.Refusal{Address: arg, Err: sysexits.With(sysexits.DataErr,
					fmt.Errorf("recipient %.128q holds no address", arg))})
		}
	}
	return env, refused, nil
}

func badAddresses(in string, errs []error) []envelope.Refusal {
	out := make([]envelope.Refusal, 0, len(errs))
	for _, err := range errs {
		if bad := (*rfc822.AddressError)(nil); errors.As(err, &bad) {
			in = bad.Text
		}
		out = append(out, envelope.Refusal{Address: in, Err: sysexits.With(sysexits.DataErr, err)})
	}
	return out
}

// addFromHeader adds the recipients of -t to those named as arguments, as Sendmail and
// Postfix do (Exim takes them away).
func (d *Draft) addFromHeader(n envelope.Notify) {
	list, errs := d.Message.Header.Recipients()
	for _, a := range list {
		d.Envelope.Recipients = append(d.Envelope.Recipients, envelope.Recipient{Address: a.Addr(), Notify: n})
	}
	d.Refused = append(d.Refused, badAddresses("", errs)...)
}

// author is the From of a message that has none: the sender, with the full name from -F
// or the user's entry in /etc/passwd. A local name stays bare.
func author(o *cmdline.Options, user host.User) rfc822.Address {
	a := rfc822.Address{Local: user.Name}
	name := user.FullName
	if o.Sender != nil && *o.Sender != "" {
		if given, err := rfc822.ParseAddress(*o.Sender); err == nil {
			a.Local, a.Domain, name = given.Local, given.Domain, given.Display
		}
	}
	if o.FullName != "" {
		name = o.FullName
	}
	a.Display = name
	return a
}
