package route

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/smtpreply"
	"o365-sendmail/internal/sysexits"
)

// oneWrite is up to how many bytes are written before a reply is read: a socket's buffer
// holds them, so that both sides can't wait for each other.
const oneWrite = 48 << 10

// Send hands a message over. Recipients that the agent refuses for good are in the
// receipt; the error is for the message as a whole and carries the exit code that the
// agent chose. If the agent goes away before it answers, the code is 75.
func (c *Conn) Send(ctx context.Context, env *envelope.Envelope, o envelope.Options,
	msg envelope.Message) (envelope.Receipt, error) {
	if most := max(c.maxRcpt, c.maxOwn); most > 0 && len(env.Recipients) > most {
		return envelope.Receipt{},
			sysexits.With(sysexits.DataErr,
				fmt.Errorf("%d recipients are more than delivery.max_recipients_per_call allows (%d)",
					len(env.Recipients), most))
	}
	o.Partial = true
	head, err := c.head(env, o, msg.Size())
	if err != nil {
		return envelope.Receipt{}, err
	}
	var deadline time.Time
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		receipt, err := c.transaction(ctx, env, head, msg)
		var busy *busyError
		if !errors.As(err, &busy) {
			return receipt, err
		}
		c.s.close()
		if deadline.IsZero() {
			deadline = time.Now().Add(c.o.Patience)
		}
		if time.Now().After(deadline) || !sleep(ctx, pause) {
			return envelope.Receipt{}, c.unreachable(err)
		}
		// The agent stopped, and its successor takes the message; or it needed the connection for others.
		if err := c.connect(ctx, true); err != nil {
			return envelope.Receipt{}, sysexits.With(sysexits.TempFail, fmt.Errorf("%w; nothing was kept", err))
		}
	}
}

func (c *Conn) transaction(ctx context.Context, env *envelope.Envelope, head []byte,
	msg envelope.Message) (envelope.Receipt, error) {
	if !c.drop.Stop() || time.Since(c.since) > stale/2 {
		return envelope.Receipt{}, &busyError{"the connection was given up while the message was read"}
	}
	c.s.setDeadline(time.Now().Add(c.o.Answer))
	defer context.AfterFunc(ctx, c.s.abort)()
	written := make(chan error, 1)
	if int64(len(head))+msg.Size() <= oneWrite {
		written <- c.write(head, msg)
	} else {
		sysexits.Go(func() { written <- c.write(head, msg) })
	}
	receipt, err := c.answers(env)
	if err != nil {
		c.s.abort() // the writer may wait for an agent that reads no more
	}
	writeErr := <-written
	var local *unreadError
	switch {
	case errors.As(writeErr, &local):
		return envelope.Receipt{}, sysexits.With(sysexits.IOErr, local)
	case err != nil && ctx.Err() != nil:
		return envelope.Receipt{},
			sysexits.With(sysexits.TempFail, fmt.Errorf("stopped before the agent answered: %w", ctx.Err()))
	}
	return receipt, err
}

// head returns the commands and the private field.
func (c *Conn) head(env *envelope.Envelope, o envelope.Options, size int64) ([]byte, error) {
	if err := checkWords(env); err != nil {
		return nil, err
	}
	field := ""
	if v := o.Value(); v != "" {
		field = envelope.OptionsField + ": " + v + "\r\n"
	}
	declared := size
	if c.maxSize > 0 {
		declared = min(size, c.maxSize) // a From that was added does not count
	}
	size += int64(len(field))
	sender := env.Sender
	if sender != "" && strings.IndexByte(sender, '@') < 0 {
		sender += "@" + c.o.HostName
	}
	b, utf8 := make([]byte, 0, 256+64*len(env.Recipients)), env.SMTPUTF8 || !printable.IsASCII(sender)
	for _, r := range env.Recipients {
		utf8 = utf8 || !printable.IsASCII(r.Address)
	}
	b = append(b, "MAIL FROM:<"+sender+"> SIZE="+strconv.FormatInt(declared, 10)...)
	b = param(b, env.EightBit, "BODY=8BITMIME")
	b = param(b, utf8, "SMTPUTF8")
	b = param(b, env.Ret != "", "RET="+env.Ret)
	b = param(b, env.EnvID != "" && printable.IsASCII(env.EnvID), "ENVID="+xtext(env.EnvID))
	b = param(b, c.maxOwn > 0 && len(env.Recipients) > c.maxRcpt, envelope.RecipientsKeyword) // the last one
	for _, r := range env.Recipients {
		addr := r.Address
		if strings.IndexByte(addr, '@') < 0 {
			addr += "@localhost"
		}
		b = append(b, "\r\nRCPT TO:<"+addr+">"...)
		n := r.Notify.String()
		b = param(b, n != "", "NOTIFY="+n)
		kind, orig, _ := strings.Cut(r.ORcpt, ";")
		b = param(b, orig != "" && printable.IsASCII(r.ORcpt), "ORCPT="+kind+";"+xtext(orig))
	}
	b = append(b, "\r\nBDAT "+strconv.FormatInt(size, 10)+" LAST\r\n"...)
	if c.o.Trace != nil {
		for line := range strings.Lines(string(b)) {
			c.trace('>', strings.TrimRight(line, "\r\n"))
		}
	}
	return append(b, field...), nil
}

func param(b []byte, wanted bool, text string) []byte {
	if !wanted {
		return b
	}
	return append(append(b, ' '), text...)
}

// checkWords refuses what would end a command early.
func checkWords(env *envelope.Envelope) error {
	words := []string{env.Sender, env.Ret}
	for _, r := range env.Recipients {
		words = append(words, r.Address, r.ORcpt)
	}
	for _, w := range words {
		if printable.HasControl(w) {
			return sysexits.With(sysexits.DataErr, fmt.Errorf("address %.128q has a control character", w))
		}
	}
	return nil
}

func xtext(s string) string { return string(envelope.AppendXtext(nil, s)) }

// unreadError is a failure to read our own message.
type unreadError struct{ err error }

func (e *unreadError) Error() string { return "the message can't be read again: " + e.err.Error() }
func (e *unreadError) Unwrap() error { return e.err }

// write sends everything; a small message in one call.
func (c *Conn) write(head []byte, msg envelope.Message) error {
	r, err := msg.Open()
	if err != nil {
		c.s.abort()
		return &unreadError{err}
	}
	defer r.Close()
	const quit = "QUIT\r\n"
	if total := int64(len(head)) + msg.Size(); total <= oneWrite {
		b := append(make([]byte, 0, int(total)+len(quit)), head...)
		rest := b[len(b) : len(b)+int(msg.Size())]
		if _, err := io.ReadFull(r, rest); err != nil {
			c.s.abort()
			return &unreadError{err}
		}
		_, err := c.s.Write(append(b[:int(total)], quit...))
		return err
	}
	if _, err := c.s.Write(head); err != nil {
		return err
	}
	w := &errorWriter{w: c.s}
	n, err := io.Copy(w, io.LimitReader(r, msg.Size()))
	switch {
	case w.err != nil:
		return w.err
	case err == nil && n != msg.Size():
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		// Less than was promised: the agent must not take what came for the message.
		c.s.abort()
		return &unreadError{err}
	}
	_, err = c.s.Write([]byte(quit))
	return err
}

// errorWriter keeps its error, to tell it from one of reading.
type errorWriter struct {
	w   io.Writer
	err error
}

func (w *errorWriter) Write(p []byte) (n int, err error) {
	n, err = w.w.Write(p)
	w.err = err
	return n, err
}

// closing is the reply with which an agent ends the connection, whatever it was asked (RFC 5321 3.8). It has taken
// no message for which it sends that.
const closing = 421

// answers reads the replies to MAIL, each RCPT and the message.
func (c *Conn) answers(env *envelope.Envelope) (envelope.Receipt, error) {
	mail, err := c.reply()
	if err != nil {
		return envelope.Receipt{}, c.lost(err)
	}
	if mail.Code == closing {
		return envelope.Receipt{}, &busyError{mail.Text()}
	}
	var refused []envelope.Refusal
	accepted := make([]string, 0, len(env.Recipients))
	for _, r := range env.Recipients {
		rcpt, err := c.reply()
		switch {
		case err != nil && mail.Code != 250:
			return envelope.Receipt{}, refusal(mail)
		case err != nil:
			return envelope.Receipt{}, c.lost(err)
		case rcpt.Code == closing:
			return envelope.Receipt{}, &busyError{rcpt.Text()}
		case rcpt.Code/100 == 2:
			accepted = append(accepted, r.Address)
		default:
			refused = append(refused, envelope.Refusal{Address: r.Address, Err: refusal(rcpt)})
		}
	}
	if mail.Code != 250 {
		return envelope.Receipt{}, refusal(mail)
	}
	end, err := c.reply()
	switch {
	case err == nil && end.Code == closing:
		return envelope.Receipt{}, &busyError{end.Text()}
	case err != nil && len(accepted) == 0 && len(refused) > 0, err == nil && end.Code/100 != 2 && len(accepted) == 0 &&
		len(refused) > 0:
		return envelope.Receipt{Refused: refused}, refused[0].Err
	case err != nil:
		return envelope.Receipt{}, c.lost(err)
	case end.Code != 250:
		each, rest := smtpreply.ParseRefused(end.Lines)
		end.Lines = rest
		return envelope.Receipt{Refused: append(refused, each...)}, refusal(end)
	}
	receipt := smtpreply.ParseReceipt(end.Lines)
	if receipt.Reply != "" {
		receipt.Reply = "250 2.0.0 " + receipt.Reply
	}
	receipt.Accepted = without(accepted, receipt.Refused)
	receipt.Refused = append(refused, receipt.Refused...)
	return receipt, nil
}

// without drops those that were refused later.
func without(addrs []string, refused []envelope.Refusal) []string {
	out := addrs[:0]
next:
	for _, a := range addrs {
		for _, r := range refused {
			if strings.EqualFold(a, r.Address) {
				continue next
			}
		}
		out = append(out, a)
	}
	return out
}

// lost is for an agent that went away, or keeps silent, before it took responsibility.
func (c *Conn) lost(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errors.New("it does not answer")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("it went away")
	}
	return sysexits.With(sysexits.TempFail,
		fmt.Errorf("the agent at %s did not acknowledge the message: %w; try again, and see its log", c.o.Path, err))
}
