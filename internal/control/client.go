package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

// ErrNoAgent means that nothing listens on the control socket, or nothing may be asked there.
var ErrNoAgent = errors.New("no agent answers")

// Client is the queue of the agent behind a control socket.
type Client struct {
	path string
	http *http.Client
	host string // another of the fleet's, which the agent asks; "" for its own
}

const (
	dialWait = 5 * time.Second
	// silence is how long the agent may keep silent. Flushing or deleting a very long queue
	// shows progress or takes this long at most.
	silence = 5 * time.Minute
	// statusWait is the same for the status, which is at hand.
	statusWait = 10 * time.Second
	maxJSON    = 64 << 20
)

// Connect reaches the agent. When there is none the error is ErrNoAgent.
func Connect(ctx context.Context, path string) (*Client, error) {
	d := net.Dialer{Timeout: dialWait}
	first, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrNoAgent, path, err)
	}
	dialled := make(chan net.Conn, 1)
	dialled <- first
	since := time.Now()
	t := &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case c := <-dialled:
				// The agent does not wait long for the first request.
				if time.Since(since) < readWait/2 {
					return patient{c}, nil
				}
				_ = c.Close()
			default:
			}
			c, err := d.DialContext(ctx, "unix", path)
			if err != nil {
				return nil, err
			}
			return patient{c}, nil
		},
		DisableCompression: true,
		MaxIdleConns:       1,
	}
	return &Client{path: path, http: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// patient renews its deadline with each read and write.
type patient struct{ net.Conn }

func (c patient) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c patient) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Close ends the connection.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// do sends a request and returns the body of a good answer.
func (c *Client) do(ctx context.Context, method, path string, f queueview.Filter) (io.ReadCloser, error) {
	return c.ask(ctx, method, path, f.Query())
}

func (c *Client) ask(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	if c.host != "" {
		path = "/v1/host/" + c.host + strings.TrimPrefix(path, "/v1")
	}
	u := url.URL{Scheme: "http", Host: "agent", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, sysexits.With(sysexits.Software, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return nil, c.broken(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var e end
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&e); err != nil || e.Error == "" {
		if resp.StatusCode == http.StatusServiceUnavailable {
			return nil, sysexits.With(sysexits.TempFail,
				errors.New("the agent has too many connections of this user; try again"))
		}
		return nil, sysexits.With(sysexits.Protocol,
			fmt.Errorf("%s answers with HTTP status %d", c.agent(), resp.StatusCode))
	}
	return nil, e.err()
}

func (e end) err() error {
	if e.Error == "" {
		return nil
	}
	return sysexits.With(e.Code, errors.New(e.Error))
}

// agent is whose answers these are.
func (c *Client) agent() string {
	if c.host != "" {
		return "the agent of host " + c.host
	}
	return "the agent at " + c.path
}

// silent is the error of an agent that has the connection and says nothing.
func (c *Client) silent() error {
	return sysexits.With(sysexits.TempFail, fmt.Errorf("%s does not answer; is it stopped?", c.agent()))
}

// broken is an error of the conversation with the agent.
func (c *Client) broken(err error) error {
	if errors.Is(err, context.Canceled) {
		return sysexits.With(sysexits.TempFail, errors.New("interrupted"))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return c.silent()
	}
	return sysexits.With(sysexits.TempFail, fmt.Errorf("%s broke off: %w", c.agent(), err))
}

func (c *Client) object(ctx context.Context, method, path string, f queueview.Filter, v any) error {
	return c.answer(ctx, method, path, f.Query(), v)
}

func (c *Client) answer(ctx context.Context, method, path string, query url.Values, v any) error {
	body, err := c.ask(ctx, method, path, query)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, maxJSON)).Decode(v); err != nil {
		return c.broken(err)
	}
	return nil
}

// Status is in Queue.
func (c *Client) Status(ctx context.Context) (st queueview.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	err = c.object(ctx, http.MethodGet, "/v1/status", queueview.Filter{}, &st)
	st.Agent = true
	return st, err
}

// Fleet says how the fleet is that the agent belongs to; with probe, which takes a second or more, a fault is also
// that what should expire there does not.
func (c *Client) Fleet(ctx context.Context, probe bool) (f queueview.Fleet, err error) {
	query := url.Values{}
	if probe {
		query.Set("probe", "1")
	}
	return f, c.answer(ctx, http.MethodGet, "/v1/fleet", query, &f)
}

// Host is the queue of another host of the fleet, by way of the agent. It has List, Show, Status and Apply.
func (c *Client) Host(name string) *Client {
	other := *c
	other.host = name
	return &other
}

// Reload has the agent read its configuration again, and returns the path of the file when that is done. The
// error says why the configuration before stays in force.
func (c *Client) Reload(ctx context.Context) (path string, err error) {
	var r reloaded
	err = c.object(ctx, http.MethodPost, "/v1/reload", queueview.Filter{}, &r)
	return r.Config, err
}

// Show is in Queue.
func (c *Client) Show(ctx context.Context, id string) (*queueview.Detail, error) {
	d := new(queueview.Detail)
	return d, c.object(ctx, http.MethodGet, "/v1/queue/"+id, queueview.Filter{}, d)
}

// Content is in Queue.
func (c *Client) Content(ctx context.Context, id string) (io.ReadCloser, error) {
	return c.do(ctx, http.MethodGet, "/v1/queue/"+id+"/content", queueview.Filter{})
}

// Redirect is in Queue.
func (c *Client) Redirect(ctx context.Context, id string, to []string, dry bool) (r Redirected, err error) {
	query := url.Values{"to": to}
	if dry {
		query.Set("dry", "1")
	}
	return r, c.answer(ctx, http.MethodPost, "/v1/queue/"+id+"/redirect", query, &r)
}

// Flush is in Queue.
func (c *Client) Flush(ctx context.Context, f queueview.Filter, ask bool) (Flushed, error) {
	var done Flushed
	path := "/v1/flush"
	if ask {
		path += "/ask"
	}
	err := c.object(ctx, http.MethodPost, path, f, &done)
	return done, err
}

// List is in Queue.
func (c *Client) List(ctx context.Context, f queueview.Filter, fn func(*queueview.Message) error) (of int, err error) {
	body, err := c.do(ctx, http.MethodGet, "/v1/queue", f)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return c.messages(body, fn)
}

// idsPerRequest bounds a request's head.
const idsPerRequest = 1000

// Apply is in Queue.
func (c *Client) Apply(ctx context.Context, a Action, f queueview.Filter, fn func(Result) error) error {
	if len(f.IDs) <= idsPerRequest {
		return c.apply(ctx, a, f, fn)
	}
	for ids := range slices.Chunk(f.IDs, idsPerRequest) {
		f.IDs = ids
		if err := c.apply(ctx, a, f, fn); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) apply(ctx context.Context, a Action, f queueview.Filter, fn func(Result) error) error {
	body, err := c.do(ctx, http.MethodPost, "/v1/queue/all/"+string(a), f)
	if err != nil {
		return err
	}
	defer body.Close()
	type line struct {
		Result
		End bool `json:"end"`
	}
	return c.lines(body, func(b []byte) (bool, error) {
		var l line
		if err := json.Unmarshal(b, &l); err != nil {
			return false, c.broken(err)
		}
		if l.End {
			return true, end{Error: l.Error, Code: l.Code}.err()
		}
		return false, fn(l.Result)
	})
}

// lines calls fn for each line until it says that this was the last.
func (c *Client) lines(r io.Reader, fn func([]byte) (last bool, err error)) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), maxJSON)
	for in.Scan() {
		if last, err := fn(in.Bytes()); last || err != nil {
			return err
		}
	}
	err := in.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return c.broken(err)
}

func (c *Client) messages(r io.Reader, fn func(*queueview.Message) error) (of int, err error) {
	var m queueview.Message
	type line struct {
		*queueview.Message
		End   bool   `json:"end"`
		Error string `json:"error"`
		Code  int    `json:"code"`
		Of    int    `json:"of"`
	}
	err = c.lines(r, func(b []byte) (bool, error) {
		m = queueview.Message{Recipients: m.Recipients[:0]}
		l := line{Message: &m}
		if err := json.Unmarshal(b, &l); err != nil {
			return false, c.broken(err)
		}
		if l.End {
			of = l.Of
			return true, end{Error: l.Error, Code: l.Code}.err()
		}
		return false, fn(&m)
	})
	return of, err
}
