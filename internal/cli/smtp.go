package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/direct"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/smtpd"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// smtp is the mode -bs: SMTP on standard input and output, any number of messages. With
// an agent this process only carries bytes to and fro, since the agent speaks as
// sendmail's callers do; without one it is the server itself.
func (e *Env) smtp(ctx context.Context, name string, o *cmdline.Options) int {
	r, err := e.process(name).OpenRoute(ctx, o)
	if err != nil {
		return e.refuse(name, o, err)
	}
	defer r.Close()
	switch r := r.(type) {
	case *route.AgentRoute:
		return e.relay(ctx, name, r.Conn)
	case *direct.Direct:
		c := smtpd.Stdio(e.Stdin, e.Stdout)
		smtpd.Serve(ctx, c, smtpd.Options{
			Host: host.Name(), Handler: &directHandler{r}, ExitCode: deliver.ExitCode,
			MaxSize: r.MaxSize(), MaxHeader: r.MaxHeader(),
			MaxRecipients: r.MaxRecipients(),
			Log:           func(err error) { e.errorf(name, "%v", err) },
		})
		if c.GivenUp() {
			return sysexits.TempFail
		}
	}
	return sysexits.OK
}

// refuse is fail for a call whose mode may be -bs.
func (e *Env) refuse(name string, o *cmdline.Options, err error) int {
	if o.Mode == cmdline.ModeSMTP {
		// The caller reads SMTP: it must not take silence for a slow server.
		fmt.Fprintf(e.Stdout, "421 4.3.0 %s\r\n", printable.OneLine(err.Error()))
	}
	return e.fail(name, err)
}

// directHandler takes messages in this process.
type directHandler struct{ *direct.Direct }

func (h *directHandler) Begin() error { return nil }

func (h *directHandler) Message(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message,
	_ envelope.Options) (envelope.Receipt, error) {
	return h.Send(ctx, &route.Draft{Envelope: env, Message: msg})
}

// relay carries the dialogue between the caller and the agent.
func (e *Env) relay(ctx context.Context, name string, conn *route.Conn) int {
	c, greeting, err := conn.Take()
	if err != nil {
		return e.fail(name, sysexits.With(sysexits.OSErr, err))
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	out := &lastLine{w: e.Stdout}
	if _, err := io.WriteString(out, greeting+"\r\n"); err != nil {
		return e.fail(name, sysexits.With(sysexits.IOErr, err))
	}
	ended := make(chan struct{})
	sysexits.Go(func() {
		// Whoever started this process decides when its input ends; the process does not
		// wait for this goroutine.
		_, _ = io.Copy(c, e.Stdin)
		close(ended)
		_ = c.CloseWrite()
	})
	_, err = io.Copy(out, c)
	select {
	case <-ended:
		if out.err == nil {
			return sysexits.OK
		}
	default:
	}
	switch {
	case out.err != nil:
		return e.fail(name, sysexits.With(sysexits.IOErr, fmt.Errorf("the caller does not read the replies: %w", out.err)))
	case out.code() == "221":
		return sysexits.OK
	case out.code() == "421":
		return sysexits.TempFail
	case err == nil:
		err = errors.New("it went away")
	}
	err = fmt.Errorf("the agent broke off: %w", err)
	fmt.Fprintf(e.Stdout, "421 4.3.2 %s; what was not acknowledged was not taken\r\n", printable.OneLine(err.Error()))
	return e.fail(name, sysexits.With(sysexits.TempFail, err))
}

// lastLine remembers how the last line began that went through.
type lastLine struct {
	w     io.Writer
	start []byte
	mid   bool // the next byte continues a line
	err   error
}

func (l *lastLine) Write(p []byte) (int, error) {
	body := bytes.TrimSuffix(p, []byte{'\n'})
	switch i := bytes.LastIndexByte(body, '\n'); {
	case i >= 0:
		l.start = append(l.start[:0], body[i+1:]...)
	case l.mid:
		l.start = append(l.start, body...)
	default:
		l.start = append(l.start[:0], body...)
	}
	l.start = l.start[:min(len(l.start), 3)]
	l.mid = len(body) == len(p)
	n, err := l.w.Write(p)
	if err != nil {
		l.err = err
	}
	return n, err
}

func (l *lastLine) code() string { return string(l.start) }
