package xoauth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// endpoint sends requests to Entra on behalf of one application.
type endpoint struct {
	client                           *http.Client
	now                              func() time.Time
	tokenURL, host, tenant, clientID string
}

// fill adds to an error for whom it happened.
func (e *endpoint) fill(op string, failed *Error) *Error {
	failed.Op, failed.Host, failed.Tenant, failed.ClientID = op, e.host, e.tenant, e.clientID
	return failed
}

// post sends a form and returns the reply. It fails when none came.
func (e *endpoint) post(ctx context.Context, op, to string, form url.Values, secrets []string) (reply, *Error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, e.fill(op, &Error{Err: &localError{err}})
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r, err := exchange(e.client, req)
	if err != nil {
		return reply{}, e.fill(op, transportError(ctx, err, secrets))
	}
	return r, nil
}

// record lets send make one request and reads the reply itself: x/oauth2 throws
// away refresh_in, Entra's error numbers, and a reply that is not JSON. now is the
// time before the request.
func (e *endpoint) record(ctx context.Context, op string, now time.Time, secrets []string,
	send func(*http.Client) error) (grant, *Error) {
	r, err := record(e.client, send)
	if err == nil {
		g, failed := parseReply(r, now, secrets)
		if failed == nil {
			return g, nil
		}
		return grant{}, e.fill(op, failed)
	}
	return grant{}, e.fill(op, transportError(ctx, err, secrets))
}

// exchange makes one request and returns the reply. It fails when none came.
func exchange(client *http.Client, req *http.Request) (reply, error) {
	return record(client, func(client *http.Client) error {
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close() // recorder has read it
	})
}

// record lends send a client that keeps the reply. The error is of the transport;
// whatever send made of a reply does not count.
func record(client *http.Client, send func(*http.Client) error) (reply, error) {
	base := client.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	rec := &recorder{base: base}
	lent := http.Client{Transport: rec, CheckRedirect: noRedirect, Timeout: client.Timeout}
	if lent.Timeout <= 0 {
		lent.Timeout = defaultTimeout
	}
	err := send(&lent)
	if rec.done {
		return rec.reply, nil
	}
	if err == nil {
		err = errors.New("no request was sent")
	}
	return reply{}, err
}

// recorder is a RoundTripper that reads the whole reply, up to a bound.
type recorder struct {
	base  http.RoundTripper
	reply reply
	done  bool
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	_ = res.Body.Close()
	r.reply = reply{status: res.StatusCode, header: res.Header, body: body, readErr: err}
	if len(body) > maxReply {
		r.reply.body, r.reply.cut = body[:maxReply], true
	}
	r.done = true
	res.Body = io.NopCloser(bytes.NewReader(r.reply.body))
	return res, nil
}

// hiddenError is an error whose text has been redacted.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.err }

// transportError makes an Error when no reply came.
func transportError(ctx context.Context, err error, secrets []string) *Error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return &Error{Err: hideIn(err, secrets)}
}

// hideIn drops the URL that net/http puts before its errors, and every secret.
func hideIn(err error, secrets []string) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &hiddenError{text: clean(redact(err.Error(), secrets), 400), err: err}
}
