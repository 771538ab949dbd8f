package route

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// Route is a way that a composed message can take.
type Route interface {
	// MaxSize is the limit on the message's wire form in bytes, 0 for none.
	MaxSize() int64
	// MaxHeader is the limit on its header in bytes, 0 when only the other end knows it.
	MaxHeader() int64
	// ReadsBody reports whether a body may go as it is, since the other end reads it as if it were the first.
	ReadsBody() bool
	// Send takes responsibility for the draft or says why not.
	Send(ctx context.Context, d *Draft) (envelope.Receipt, error)
	// Close ends what the route has open.
	Close()
}

// Call is one call of sendmail in the mode -bm: a message from standard input.
type Call struct {
	Name    string // that the program was called by
	Options *cmdline.Options
	User    host.User
	Stdin   io.Reader
	Stderr  io.Writer
	// ExitCode is the exit code for an error.
	ExitCode func(error) int
	// MailBack tells the sender by mail what was refused for good, as -oem asks, and returns
	// what the sender was not told; nil tells the sender nothing.
	MailBack func(d *Draft, refused []envelope.Refusal) (untold []envelope.Refusal)
}

// Deliver reads the message, sends it along the route and returns the exit code.
func (c *Call) Deliver(ctx context.Context, r Route) int {
	d, err := Compose(c.Stdin, c.Options, c.User, r)
	switch {
	case d == nil:
		return c.Fail(err)
	case err != nil:
		return c.conclude(d, order(d, envelope.Receipt{}, err), 0, err)
	}
	defer d.Message.Close()
	if d.Message.Body().CutAtDot && isTerminal(c.Stderr) {
		// Some programs take any text here for a failure: for them there is the log.
		Warnf(c.Stderr, c.Name, "%s", envelope.DotCutText)
	}
	if len(d.Envelope.Recipients)+len(d.Refused) == 0 {
		return c.Fail(cmdline.Usagef("no recipients: the message has no To, Cc or Bcc field with an address"))
	}
	var receipt envelope.Receipt
	if len(d.Envelope.Recipients) > 0 {
		receipt, err = r.Send(ctx, d)
	}
	return c.conclude(d, order(d, receipt, err), len(receipt.Accepted), err)
}

// Fail prints err, unless the caller wants to hear nothing, and returns its exit code.
func (c *Call) Fail(err error) int {
	if c.Options.ErrorMode != 'q' {
		Errorf(c.Stderr, c.Name, "%v", err)
	}
	return c.ExitCode(err)
}

// MailsBack reports whether the error mode asks for mail to the sender.
func MailsBack(o *cmdline.Options) bool {
	return o.ErrorMode == 'm' || o.ErrorMode == 'w' || o.ErrorMode == 'e'
}

// order lists all who were refused: first those for whom the error of the whole message is the reason.
func order(d *Draft, receipt envelope.Receipt, err error) []envelope.Refusal {
	all := append(d.Refused, receipt.Refused...)
	if err == nil {
		return all
	}
	var first, rest []envelope.Refusal
	known := make(map[string]bool, len(all))
	each := false // the error is one of the refusals, and these are all
	for _, r := range all {
		known[strings.ToLower(r.Address)] = true
		if r.Err.Error() == err.Error() {
			first, each = append(first, r), true
		} else {
			rest = append(rest, r)
		}
	}
	for _, r := range d.Envelope.Recipients {
		if !each && !known[strings.ToLower(r.Address)] {
			first = append(first, envelope.Refusal{Address: r.Address, Err: err})
		}
	}
	if len(first)+len(rest) == 0 {
		first = append(first, envelope.Refusal{Err: err})
	}
	return append(first, rest...)
}

// conclude reports refused recipients in the way that the error mode asks for, and returns the exit
// code: 0 only when each recipient's message is delivered or safe, or its sender has been told by
// mail and asked for no more (-oee). gone is how many recipients the message went to, whole why it
// went to none.
func (c *Call) conclude(d *Draft, refused []envelope.Refusal, gone int, whole error) int {
	untold := refused
	if len(refused) > 0 && MailsBack(c.Options) && c.MailBack != nil {
		untold = c.MailBack(d, refused)
	}
	c.print(untold, gone, whole)
	if c.Options.ErrorMode != 'e' && len(untold) == 0 {
		untold = refused
	}
	return c.worst(untold)
}

// print reports the refused recipients, those with the same reason in one line.
func (c *Call) print(refused []envelope.Refusal, gone int, whole error) {
	if c.Options.ErrorMode == 'q' {
		return
	}
	for len(refused) > 0 {
		n := 1
		for n < len(refused) && refused[n].Err.Error() == refused[0].Err.Error() {
			n++
		}
		if text := refused[0].Err.Error(); whole != nil && text == whole.Error() {
			Errorf(c.Stderr, c.Name, "%s", text)
		} else {
			Errorf(c.Stderr, c.Name, "%s", refusalText(refused[:n], gone))
		}
		refused = refused[n:]
	}
}

// maxNamed is how many recipients a line names.
const maxNamed = 3

// refusalText is the line for recipients that were refused for one reason.
func refusalText(same []envelope.Refusal, gone int) string {
	text := same[0].Err.Error()
	if len(same) == 1 {
		a, names := same[0].Address, (*rfc822.AddressError)(nil)
		if a != "" && !strings.Contains(text, a) && !errors.As(same[0].Err, &names) {
			text = fmt.Sprintf("recipient %.128q: %s", a, text)
		}
		return text
	}
	var names []string
	for _, r := range same[:min(len(same), maxNamed)] {
		names = append(names, fmt.Sprintf("%.128s", r.Address))
	}
	who := strings.Join(names, ", ")
	if more := len(same) - len(names); more > 0 {
		who = fmt.Sprintf("%s and %d more", who, more)
	}
	if gone > 0 {
		return fmt.Sprintf("the message went to %s, but not to %d others (%s): %s", recipients(gone),
			len(same), who, text)
	}
	return fmt.Sprintf("%d recipients (%s): %s", len(same), who, text)
}

func recipients(n int) string {
	if n == 1 {
		return "1 recipient"
	}
	return fmt.Sprintf("%d recipients", n)
}

// worst is the exit code that stands for several refusals: the first one's, since sysexits
// codes have no order.
func (c *Call) worst(refused []envelope.Refusal) int {
	for _, r := range refused {
		if code := c.ExitCode(r.Err); code != sysexits.OK {
			return code
		}
	}
	return sysexits.OK
}
