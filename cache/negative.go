package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/printable"
)

const (
	refusalHold    = time.Minute      // how long a definite refusal is remembered
	maxHold        = time.Hour        // the longest Retry-After that is obeyed
	refreshPause   = 30 * time.Second // between attempts ahead of the end, after one failed
	failureStreak  = time.Minute      // failures closer than this follow each other
	sharedFailures = 3                // so many in a row answer those who waited for them, too
	maxText        = 2000             // bytes of an error text that is kept
)

// NegativeEntry is what is remembered of the last failed token request.
type NegativeEntry struct {
	// Text is the error on one line; it holds no secret.
	Text string
	// Advice says what the administrator does next; may be empty.
	Advice string
	// At is when the request failed, Until when the next may be made.
	At, Until time.Time
	// Failures counts the requests that failed one after the other.
	Failures int
	// Refused is true for a definite refusal: the configuration has to change.
	Refused bool
}

// RememberedError is returned instead of a request that would fail again.
type RememberedError struct {
	NegativeEntry
	wait time.Duration
}

func (e *RememberedError) Error() string {
	if e.wait <= 0 {
		return e.Text + " (another process was told so just now)"
	}
	return fmt.Sprintf("%s (remembered; the next request is made in %s)", e.Text, e.wait.Round(time.Second))
}

// Configuration reports whether an administrator has to change something.
func (e *RememberedError) Configuration() bool { return e.Refused }

// Temporary reports whether waiting alone may help.
func (e *RememberedError) Temporary() bool { return !e.Refused }

// RetryAfterDuration is how long no request will be made.
func (e *RememberedError) RetryAfterDuration() time.Duration { return max(e.wait, 0) }

// Advice says what the administrator does next.
func (e *RememberedError) Advice() string { return e.NegativeEntry.Advice }

// refusedRecord is the body of a refusal file.
type refusedRecord struct {
	Key      Key       `json:"key"`
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
	Failures int       `json:"failures"`
	Refused  bool      `json:"refused"`
	Text     string    `json:"text"`
	Advice   string    `json:"advice,omitempty"`
	stamp
}

func (r *refusedRecord) entry() NegativeEntry {
	return NegativeEntry{Text: r.Text, Advice: r.Advice, At: r.At, Until: r.Until, Failures: r.Failures,
		Refused: r.Refused}
}

func encodeRefused(r *refusedRecord) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return seal(body), nil
}

func decodeRefused(data []byte, k Key) (*refusedRecord, error) {
	body, err := unseal(data)
	if err != nil {
		return nil, err
	}
	r := new(refusedRecord)
	if err := json.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("%w: %w", errContent, err)
	}
	if r.Key != k {
		return nil, errForeign
	}
	hold := r.Until.Sub(r.At)
	if r.At.IsZero() || hold < 0 || hold > maxHold || r.Failures < 1 || len(r.Text) > maxText ||
		len(r.Advice) > maxText {
		return nil, errContent
	}
	// What was written by hand must not reach a terminal raw either.
	r.Text, r.Advice = oneLine(r.Text), oneLine(r.Advice)
	return r, nil
}

// refusal is a remembered failure and its age.
type refusal struct {
	rec *refusedRecord
	age time.Duration
}

// lastRefusal reads what is remembered of the last failure; nil when there is nothing.
func (c *Cache) lastRefusal(k Key) *refusal {
	rec := c.mem.refused(k)
	if data, err := durable.ReadPrivate(c.path(k, refusedSuffix), maxFile, os.Geteuid()); err == nil {
		if r, err := decodeRefused(data, k); err == nil && (rec == nil || r.At.After(rec.At)) {
			rec = r
		}
	}
	if rec == nil {
		return nil
	}
	age, ok := c.clock.age(rec.At, rec.stamp)
	if !ok || age > maxHold {
		return nil
	}
	return &refusal{rec: rec, age: age}
}

// verdict returns the remembered error that answers a call begun at started, or nil
// when a request should be made.
func (r *refusal) verdict(started time.Time) error {
	if r == nil {
		return nil
	}
	left := r.rec.Until.Sub(r.rec.At) - r.age
	if left > 0 {
		return &RememberedError{NegativeEntry: r.rec.entry(), wait: left}
	}
	// Those who waited while others failed one by one need not each fail again.
	if r.rec.Failures >= sharedFailures && !r.rec.At.Before(started) {
		return &RememberedError{NegativeEntry: r.rec.entry()}
	}
	return nil
}

// pausesRefresh reports whether it is too early to try again ahead of the end.
func (r *refusal) pausesRefresh() bool {
	return r != nil && (r.age < refreshPause || r.age < r.rec.Until.Sub(r.rec.At))
}

// remember keeps a failure for the others. A call that was given up says nothing
// about the server and is not kept.
func (c *Cache) remember(ctx context.Context, k Key, err error) {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return
	}
	now := c.clock.now()
	rec := &refusedRecord{
		Key: k, At: now.UTC(), Until: now.Add(hold(err)).UTC(), Failures: 1,
		Refused: isConfiguration(err), Text: oneLine(err.Error()), Advice: oneLine(advice(err)), stamp: c.clock.stamp(),
	}
	if last := c.lastRefusal(k); last != nil && last.age < failureStreak {
		rec.Failures = last.rec.Failures + 1
	}
	data, encErr := encodeRefused(rec)
	if encErr == nil {
		encErr = c.dir.Replace(c.path(k, refusedSuffix), data)
	}
	if encErr != nil {
		c.mem.keepRefused(k, rec)
		c.dir.Failed(theCache, encErr)
	}
}

// forget drops the remembered failure after a success.
func (c *Cache) forget(k Key) {
	c.mem.keepRefused(k, nil)
	_ = os.Remove(c.path(k, refusedSuffix))
}

// hold is how long no request is made after err.
func hold(err error) time.Duration {
	var d time.Duration
	if isConfiguration(err) {
		d = refusalHold
	}
	return min(max(d, retryAfter(err)), maxHold)
}

func isConfiguration(err error) bool {
	var c interface{ Configuration() bool }
	return errors.As(err, &c) && c.Configuration()
}

func advice(err error) string {
	var a interface{ Advice() string }
	if errors.As(err, &a) {
		return a.Advice()
	}
	return ""
}

func oneLine(s string) string { return printable.Cut(printable.OneLine(s), maxText) }
