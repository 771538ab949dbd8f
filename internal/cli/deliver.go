package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// route is a way that a composed message can take.
type route interface {
	// MaxSize is the limit on the message's wire form in octets, 0 for none.
	MaxSize() int64
	// Send takes responsibility for the draft or says why not.
	Send(ctx context.Context, d *draft) (envelope.Receipt, error)
	// Close ends what the route has open.
	Close()
}

// deliver is the mode -bm: a message from standard input.
func (e *Env) deliver(ctx context.Context, name string, o *options) int {
	user, hostName := host.UserByID(e.UID), host.Name()
	r, err := e.openRoute(ctx, name, o, user, hostName)
	if err != nil {
		return e.fail(name, err)
	}
	defer r.Close()
	d, err := e.compose(o, user, r.MaxSize())
	if err != nil {
		return e.fail(name, err)
	}
	defer d.msg.Close()
	if d.msg.Body().CutAtDot {
		e.warnf(name, "the message ended at a line with a single dot, and what followed is lost; call sendmail with -i")
	}
	if len(d.env.Recipients) == 0 {
		return e.report(name, o, d.refused, noneLeft(d.refused))
	}
	receipt, err := r.Send(ctx, d)
	refused := append(d.refused, receipt.Refused...)
	if mailsBack(o.errorMode) && e.mailBack(ctx, name, o, user, d, refused) {
		return backCode(o, refused, err)
	}
	return e.report(name, o, refused, err)
}

// mailsBack tells whether an error mode asks for mail to the sender.
func mailsBack(errorMode byte) bool {
	return errorMode == 'm' || errorMode == 'w' || errorMode == 'e'
}

// backCode is the exit code when the sender was told by mail: -oee is content with that.
func backCode(o *options, refused []envelope.Refusal, err error) int {
	if o.errorMode == 'e' {
		return sysexits.OK
	}
	codes := []int{deliver.ExitCode(err)}
	for _, r := range refused {
		codes = append(codes, deliver.ExitCode(r.Err))
	}
	return worst(codes...)
}

func noneLeft(refused []envelope.Refusal) error {
	if len(refused) > 0 {
		return nil // each is told by itself
	}
	return usagef("no recipients: the message has no To, Cc or Bcc field with an address")
}

// report prints what failed and returns the exit code: 0 only when every recipient's
// message is delivered or safe.
func (e *Env) report(name string, o *options, refused []envelope.Refusal, err error) int {
	var codes []int
	if err != nil {
		codes = append(codes, deliver.ExitCode(err))
		if o.errorMode != 'q' {
			e.errorf(name, "%v", err)
		}
	}
	for _, r := range refused {
		if errors.Is(err, r.Err) {
			continue
		}
		codes = append(codes, deliver.ExitCode(r.Err))
		if o.errorMode == 'q' {
			continue
		}
		text := r.Err.Error()
		if r.Address != "" && !strings.Contains(text, r.Address) {
			text = fmt.Sprintf("recipient %.128q: %s", r.Address, text)
		}
		e.errorf(name, "%s", text)
	}
	return worst(codes...)
}

// refreshWait bounds how long a process waits for its own token refresh after its
// message is delivered.
const refreshWait = 5 * time.Second

var errNoConfig = errors.New("no configuration")

// explainNoConfig says where was looked, and what to do.
func explainNoConfig(tried []string) error {
	return sysexits.With(sysexits.Config, fmt.Errorf("%w: looked for %s; copy the sample o365-sendmail.toml there or run o365-sendmail setup",
		errNoConfig, strings.Join(tried, ", ")))
}
