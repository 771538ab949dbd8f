package front

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"o365-sendmail/internal/agent/protocol"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// Route is a way that a composed message can take.
type Route interface {
	// MaxSize is the limit on the message's wire form in octets, 0 for none.
	MaxSize() int64
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
	// MailBack tells the sender by mail what was refused, as -oem asks, and reports whether
	// it did; nil never does.
	MailBack func(d *Draft, refused []envelope.Refusal) bool
}

// Deliver reads the message, sends it along the route and returns the exit code.
func (c *Call) Deliver(ctx context.Context, r Route) int {
	d, err := Compose(c.Stdin, c.Options, c.User, r.MaxSize())
	if err != nil {
		return c.Fail(err)
	}
	defer d.Message.Close()
	if d.Message.Body().CutAtDot && isTerminal(c.Stderr) {
		// Some programs take any text here for a failure: for them there is the log.
		Warnf(c.Stderr, c.Name, "%s", protocol.DotCutText)
	}
	if len(d.Envelope.Recipients) == 0 {
		return c.report(d.Refused, noneLeft(d.Refused))
	}
	receipt, err := r.Send(ctx, d)
	refused := append(d.Refused, receipt.Refused...)
	if MailsBack(c.Options) && c.MailBack != nil && c.MailBack(d, refused) {
		return c.backCode(refused, err)
	}
	return c.report(refused, err)
}

// Fail prints err and returns its exit code.
func (c *Call) Fail(err error) int {
	Errorf(c.Stderr, c.Name, "%v", err)
	return c.ExitCode(err)
}

// MailsBack tells whether the error mode asks for mail to the sender.
func MailsBack(o *cmdline.Options) bool {
	return o.ErrorMode == 'm' || o.ErrorMode == 'w' || o.ErrorMode == 'e'
}

// backCode is the exit code when the sender was told by mail: -oee is content with that.
func (c *Call) backCode(refused []envelope.Refusal, err error) int {
	if c.Options.ErrorMode == 'e' {
		return sysexits.OK
	}
	codes := []int{c.ExitCode(err)}
	for _, r := range refused {
		codes = append(codes, c.ExitCode(r.Err))
	}
	return worst(codes...)
}

func noneLeft(refused []envelope.Refusal) error {
	if len(refused) > 0 {
		return nil // each is told by itself
	}
	return cmdline.Usagef("no recipients: the message has no To, Cc or Bcc field with an address")
}

// report prints what failed and returns the exit code: 0 only when every recipient's
// message is delivered or safe.
func (c *Call) report(refused []envelope.Refusal, err error) int {
	var codes []int
	quiet := c.Options.ErrorMode == 'q'
	if err != nil {
		codes = append(codes, c.ExitCode(err))
		if !quiet {
			Errorf(c.Stderr, c.Name, "%v", err)
		}
	}
	for _, r := range refused {
		if errors.Is(err, r.Err) {
			continue
		}
		codes = append(codes, c.ExitCode(r.Err))
		if quiet {
			continue
		}
		text := r.Err.Error()
		if r.Address != "" && !strings.Contains(text, r.Address) {
			text = fmt.Sprintf("recipient %.128q: %s", r.Address, text)
		}
		Errorf(c.Stderr, c.Name, "%s", text)
	}
	return worst(codes...)
}

// worst returns the exit code that stands for several refusals: the first one's, since
// sysexits codes have no order.
func worst(codes ...int) int {
	for _, c := range codes {
		if c != sysexits.OK {
			return c
		}
	}
	return sysexits.OK
}
