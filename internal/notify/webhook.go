package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Hook is a place on the web to post to. Its URL is a secret.
type Hook struct {
	// URL returns where to post; it is asked for each time.
	URL func() (string, error)
	// Body is what is posted, with fields in braces: JSON if it is JSON.
	Body string
	// Client must follow no redirects: a followed one would carry the news to another host.
	Client func() (*http.Client, error)
}

const (
	// postTimeout bounds one request, replyLimit what is read of the reply.
	postTimeout = 10 * time.Second
	replyLimit  = 64 << 10
	// mostPosts bounds the requests of one round.
	mostPosts = 10
	// beatEvery is the time between two heartbeats, which stop when nothing was looked at for staleAfter.
	beatEvery  = 5 * time.Minute
	staleAfter = 3 * time.Minute
)

// post sends one request. The errors never show the URL.
func (h *Hook) post(ctx context.Context, body string) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	where, err := h.URL()
	if err != nil {
		return err
	}
	client, err := h.Client()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where, strings.NewReader(body))
	if err != nil {
		return errors.New("its URL can't be used")
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if json.Valid([]byte(body)) {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", "o365-sendmail")
	resp, err := client.Do(req)
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err // without the URL
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no reply in time")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", req.URL.Hostname(), err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, replyLimit) // the status says it all
	switch {
	case resp.StatusCode/100 == 3:
		return fmt.Errorf("%s redirects elsewhere (HTTP %d): give the URL that it leads to", req.URL.Hostname(),
			resp.StatusCode)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s answers HTTP %d %s", req.URL.Hostname(), resp.StatusCode,
			http.StatusText(resp.StatusCode))
	}
	return nil
}

// fill puts the news into a template.
func (m *news) fill(template, host string) string {
	severity, since := "warning", ""
	if m.Critical() {
		severity = "critical"
	}
	if !m.Since.IsZero() {
		since = m.Since.UTC().Format(time.RFC3339)
	}
	fields := map[string]string{"title": m.title(), "text": "[" + host + "] " + m.line(), "host": host, "key": m.Key,
		"state": m.state.word(), "severity": severity, "since": since}
	var pairs []string
	for name, value := range fields {
		if json.Valid([]byte(template)) {
			quoted, _ := json.Marshal(value) // of a string it can't fail
			value = string(quoted[1 : len(quoted)-1])
		}
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(template)
}

// Run posts to the web what is due there, until ctx ends.
func (n *Notifier) Run(ctx context.Context) {
	for ctx.Err() == nil {
		n.Post(ctx)
		tick, stop := n.o.After(time.Minute)
		select {
		case <-tick:
		case <-n.wake:
		case <-ctx.Done():
		}
		stop()
	}
}

// Post makes one round: the webhook hears what is new, unless it failed a short while ago, and the heartbeat that
// nothing is wrong. A way that hangs delays nobody but those who call this.
func (n *Notifier) Post(ctx context.Context) {
	c, now := n.config.Load(), n.o.Now()
	n.mu.Lock()
	in, settled, looked, told, mail, next := n.in, n.settled, n.looked, n.webhook, n.mail, n.hook.Next
	n.mu.Unlock()
	if looked.IsZero() {
		return
	}
	if c.Webhook != nil && !now.Before(next) {
		posts, failed := 0, false
		told = memory(told).walk(in, settled, now, func(m *news) bool {
			if failed || posts == mostPosts || ctx.Err() != nil {
				return false
			}
			posts++
			err := c.Webhook.post(ctx, m.fill(c.Webhook.Body, c.Host))
			failed = err != nil
			if ctx.Err() == nil {
				next = n.tried(err, now)
				n.complain("webhook", "the webhook can't be told, it is tried again at "+clock(next), err)
			}
			return !failed
		})
		n.mu.Lock()
		n.webhook = told
		n.mu.Unlock()
	}
	well := now.Sub(looked) < staleAfter && !slices.ContainsFunc(in, func(c Condition) bool { return c.Critical() })
	for _, t := range mail { // after a restart it may be in force still
		well = well && (settled || t.seen || !t.Open || !t.Was.Critical())
	}
	if c.Heartbeat != nil && well && !now.Before(n.beat) && ctx.Err() == nil {
		n.beat = now.Add(beatEvery)
		n.complain("heartbeat", "the heartbeat can't be sent",
			c.Heartbeat.post(ctx, "o365-sendmail on "+c.Host+": mail goes"))
	}
}

// Retry is when a way that failed is tried again.
type Retry struct {
	Failures int       `json:"failures"`
	Next     time.Time `json:"next"`
}

// longestPause is the longest between two tries of the webhook.
const longestPause = time.Hour

// tried notes how a try of the webhook went, and returns when the next may come.
func (n *Notifier) tried(err error, now time.Time) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		n.hook = Retry{}
	} else {
		pause := min(time.Minute<<min(n.hook.Failures, 10), longestPause)
		n.hook = Retry{Failures: n.hook.Failures + 1, Next: now.Add(pause)}
	}
	return n.hook.Next
}

func clock(t time.Time) string { return t.UTC().Format("15:04 MST") }

// complain says once that a way fails, until it works again.
func (n *Notifier) complain(way, what string, err error) {
	n.mu.Lock()
	before := n.failing[way]
	n.failing[way] = err != nil
	n.mu.Unlock()
	if err != nil && !before {
		n.o.Warn(fmt.Errorf("%s: %w", what, err))
	}
}
