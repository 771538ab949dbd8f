package xoauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error is a failure to get a token. Its text fields came from the server; they are
// redacted, printable and short. Error() adds what to do next.
type Error struct {
	// Op says what failed, such as "token request".
	Op string
	// Host, Tenant and ClientID say for whom; advice repeats them.
	Host, Tenant, ClientID string
	// Status is the HTTP status; 0 when no reply came.
	Status int
	// Code and SubError are the fields error and suberror, Description is
	// error_description without its ids, or what a reply without JSON said.
	Code, SubError, Description string
	// AADSTS is Entra's number of the error, 0 when there is none. Microsoft may
	// change these numbers, so they serve advice and no decision.
	AADSTS int
	// TraceID, CorrelationID and Timestamp are what Microsoft's support asks for.
	TraceID, CorrelationID, Timestamp string
	// RetryAfter is how long the server asked to wait, 0 when it did not.
	RetryAfter time.Duration
	// ClockSkew is the server's Date minus the local clock, 0 when unknown.
	ClockSkew time.Duration
	// Err is the cause when no reply came or the reply was unusable, or the error
	// of the credential tried before.
	Err error
}

// Operations that an Error names.
const (
	opToken    = "token request"
	opRefresh  = "token refresh"
	opDevice   = "device code request"
	opIdentity = "managed identity"
)

// localError is a fault on this side, before any request.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// Error returns one line: what happened, to whom, what to do next, and last, as it may be long, what the reply says.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Host != "" {
		b.WriteString(" to " + e.Host)
	}
	d := e.diagnose()
	b.WriteString(": " + d.cause)
	if ids := e.ids(); ids != "" {
		b.WriteString(" (" + ids + ")")
	}
	var before *Error
	if errors.As(e.Err, &before) {
		fmt.Fprintf(&b, ", and before with the other credential: %s (%s)", before.diagnose().cause, before.ids())
	} else if e.Err != nil && !d.complete {
		b.WriteString(": " + clean(e.Err.Error(), 400))
	}
	if a := e.Advice(); a != "" {
		b.WriteString("; " + a)
	}
	if d.quote && e.Description != "" {
		fmt.Fprintf(&b, "; the reply says %q", e.Description)
	}
	return b.String()
}

// ids lists the numbers of the error, and how long to wait.
func (e *Error) ids() string {
	var parts []string
	if e.Status != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("HTTP %d %s", e.Status, e.Code)))
	}
	if e.AADSTS != 0 {
		parts = append(parts, fmt.Sprintf("AADSTS%d", e.AADSTS))
	}
	if e.TraceID != "" {
		parts = append(parts, "trace "+e.TraceID)
	}
	if e.RetryAfter > 0 {
		parts = append(parts, fmt.Sprintf("retry after %v", e.RetryAfter))
	}
	return strings.Join(parts, ", ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// aadLoop is the one number that the error code misjudges: the client has asked too often
// and is told invalid_grant.
const aadLoop = 50196

// Temporary reports whether the same request may succeed later with nothing changed.
// It goes by the HTTP status and the error code. What is not Temporary is
// Configuration: an administrator fixes it, and the mail is worth keeping.
func (e *Error) Temporary() bool {
	switch {
	case e.Status == 0 && e.Code == "":
		return !e.localFault()
	case e.Status >= 500, e.Status == 429, e.Status == 408:
		return true
	case e.Status >= 300 && e.Status < 400:
		return false // a redirect: the URL is wrong, or something else answers
	case e.Op == opIdentity && (e.Status == 404 || e.Status == 410):
		return true // the endpoint is being updated
	}
	if e.AADSTS == aadLoop {
		return true
	}
	switch e.Code {
	case "temporarily_unavailable", "server_error", "slow_down", "authorization_pending":
		return true
	case "":
		return e.Status < 400 || e.Status == 400
	}
	return false
}

// Configuration reports whether an administrator must change something first.
func (e *Error) Configuration() bool { return !e.Temporary() }

// localFault reports whether an error without a reply calls for an administrator:
// a credential that can't be read, an unknown CA, a proxy that refuses.
func (e *Error) localFault() bool {
	if errors.Is(e.Err, context.Canceled) || errors.Is(e.Err, context.DeadlineExceeded) {
		return false
	}
	var local *localError
	var proxy *proxyError
	if errors.As(e.Err, &local) {
		return true
	}
	if errors.As(e.Err, &proxy) {
		return proxy.status < 500 && proxy.status != 429
	}
	return isCertificateError(e.Err)
}

// Advice says what the administrator does next, "" when there is nothing to do but
// wait. It names the tenant and the client ID where they are known.
func (e *Error) Advice() string {
	advice := e.diagnose().advice
	if e.ClockSkew.Abs() > 2*time.Minute && (e.AADSTS == 700024 || e.AADSTS == 50027) {
		advice = fmt.Sprintf("the local clock differs by %v from the server's; ", e.ClockSkew.Abs()) + advice
	}
	return strings.NewReplacer(
		"<client id>", cmp.Or(e.ClientID, "<client id>"),
		"<tenant>", cmp.Or(e.Tenant, "<tenant>"),
		"<host>", cmp.Or(e.Host, "the login host"),
	).Replace(advice)
}
