package submit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/smtpreply"
)

// Phase is the part of a session in which something failed.
type Phase string

// The phases, in the order of a session.
const (
	PhaseToken    Phase = "token"    // getting the access token
	PhaseConnect  Phase = "connect"  // name resolution and TCP
	PhaseGreeting Phase = "greeting" // the server's first line
	PhaseEHLO     Phase = "ehlo"
	PhaseStartTLS Phase = "starttls"
	PhaseTLS      Phase = "tls" // the handshake
	PhaseAuth     Phase = "auth"
	PhaseReset    Phase = "rset"
	PhaseMail     Phase = "mail"
	PhaseRcpt     Phase = "rcpt"
	PhaseData     Phase = "data" // the DATA command
	PhaseBody     Phase = "body" // the content, by BDAT or after 354, and the reply to its end
)

// Error is why a session, a message or one recipient failed.
type Error struct {
	Phase Phase
	// Server is the configured host name.
	Server string
	// Command is what the server answered, as "AUTH XOAUTH2" or "RCPT"; without arguments.
	Command string
	// Address is the sender or recipient concerned, if it is about one.
	Address string
	// Code, Enhanced and Text are the server's reply; Code is 0 if there was none.
	Code     int
	Enhanced string
	Text     string
	// Class is Diagnosis.Class, except that an error of the token's source keeps its own.
	Class     diagnose.Class
	Diagnosis diagnose.Diagnosis
	// Mailbox is the one that signs in, Way how the application may send (Config.Way).
	Mailbox, Way string
	// Uncertain is set when the whole message was sent and no reply came: the server may
	// have taken it, and sending it again may send it twice.
	Uncertain bool
	// Chunked is set when the content went by BDAT, or would have.
	Chunked bool
	// Err is the error below, if there is one.
	Err error
}

// Error returns one line: at which server, what it means and what to do, and last, as it may be long and be cut, what
// the server answered to which command.
func (e *Error) Error() string {
	text := e.Server
	switch {
	case e.Code != 0 && e.Diagnosis.Cause == "":
		return printable.Line(withAdvice(text+" "+e.answer(), e.Advice()))
	case e.Code != 0:
	case e.Address != "":
		text += fmt.Sprintf(": %q", printable.Clean(e.Address))
	case e.Phase == PhaseToken:
		text += ": no access token"
	default:
		text += ", " + string(e.Phase)
	}
	for _, part := range [...]string{e.Diagnosis.Cause, errText(e.Err)} {
		if part != "" {
			text += ": " + part
		}
	}
	text = withAdvice(text, e.Advice())
	if e.Code != 0 {
		text += "; it " + e.answer()
	}
	return printable.Line(text)
}

// answer quotes the reply.
func (e *Error) answer() string {
	text := "answered " + e.Command
	if e.Address != "" {
		text += fmt.Sprintf(" for %q", printable.Clean(e.Address))
	}
	return fmt.Sprintf("%s with %d %s", text, e.Code, strings.TrimPrefix(e.Enhanced+" "+printable.Clean(e.Text), " "))
}

func withAdvice(text, advice string) string {
	if advice == "" {
		return text
	}
	return text + "; " + advice
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Unwrap returns the error below.
func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether this message may pass later without anybody's doing.
func (e *Error) Temporary() bool {
	return e.Class == diagnose.Temporary || e.Class == diagnose.AccountTemporary
}

// Configuration reports whether every message will fail until an administrator acts.
func (e *Error) Configuration() bool { return e.Class == diagnose.Configuration }

// Account reports whether the mailbox should pause, not this message.
func (e *Error) Account() bool { return e.Class == diagnose.AccountTemporary }

// Advice says what to do next, with the mailbox filled in; "" when only waiting helps.
func (e *Error) Advice() string { return e.Diagnosis.Advice(e.Mailbox, e.Way) }

// TooLargeError is below an Error when a message is larger than the server's SIZE.
type TooLargeError struct{ Size, Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("it has %d bytes, the limit is %d", e.Size, e.Limit)
}

// replyError makes the error of a negative reply.
func (c *Config) replyError(phase Phase, command string, r smtpreply.Reply) *Error {
	d := diagnose.Reply(string(phase), r.Code, r.Enhanced, r.Text())
	return &Error{Phase: phase, Server: c.Host, Command: command, Mailbox: c.User, Way: c.Way,
		Code: r.Code, Enhanced: r.Enhanced, Text: r.Text(), Class: d.Class, Diagnosis: d}
}

// fault makes the error of a failure that is not a reply.
func (c *Config) fault(phase Phase, f diagnose.Fault, err error) *Error {
	d := diagnose.Failure(f)
	if c.Port != submissionPort {
		d.Remedy = strings.ReplaceAll(d.Remedy, "587", strconv.Itoa(c.Port))
	}
	return &Error{Phase: phase, Server: c.Host, Mailbox: c.User, Way: c.Way, Class: d.Class, Diagnosis: d, Err: err}
}

// ioError makes the error of a read, a write or a handshake that failed.
func (c *Config) ioError(phase Phase, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	f := ioFault(phase, err)
	if c.Certificate != nil && refusesCertificate(err) {
		f = diagnose.FaultClientCertificate
	}
	return c.fault(phase, f, err)
}

// refusesCertificate recognizes a server's alert about the certificate that it was shown, or was not (RFC 8446 6.2).
// With TLS 1.3 it comes after the handshake. Package tls has no value for it.
func refusesCertificate(err error) bool {
	_, alert, ok := strings.Cut(err.Error(), "remote error: tls: ")
	return ok && (strings.Contains(alert, "certificate") || strings.Contains(alert, "access denied"))
}

func ioFault(phase Phase, err error) diagnose.Fault {
	var protocol *smtpreply.ProtocolError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return diagnose.FaultCanceled
	case errors.As(err, &protocol):
		return diagnose.FaultProtocol
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return diagnose.FaultTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return diagnose.FaultDropped
	case phase == PhaseTLS:
		return tlsFault(err)
	}
	return diagnose.FaultDropped
}

func tlsFault(err error) diagnose.Fault {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &verification), errors.As(err, &authority):
		return diagnose.FaultCertificate
	// Package tls has no value for either: the server's alert, or its choice.
	case strings.Contains(err.Error(), "protocol version not supported"),
		strings.Contains(err.Error(), "unsupported protocol version"):
		return diagnose.FaultTLSVersion
	}
	return diagnose.FaultTLS
}
