package emulator

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Stages at which a Rule can act. The wire stage is looked at when a connection is
// accepted; In and Out count from its first byte.
var smtpStages = []string{"wire", "connect", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data", "bdat", "dot",
	"rset", "noop", "quit", "unknown"}

// Stages of the HTTP endpoints.
var httpStages = []string{"token", "devicecode", "openid", "imds", "appservice", "arc"}

// What a Rule does to the connection after its reply.
const (
	Close = "close" // an orderly close of the TCP connection
	Reset = "reset" // RST
	Stall = "stall" // nothing more is read or written
)

// Rule is a scripted fault: a stage, when it fires, and what happens then. Rules are
// looked at in order; the first that fires acts. A rule without First, After and Every
// fires every time.
type Rule struct {
	// Stage is one of connect, ehlo, starttls, tls, auth, mail, rcpt, data, bdat (a
	// chunk that is not the last), dot (the reply to the end of data, BDAT LAST too),
	// rset, noop, quit, unknown, wire; or token, devicecode, openid, imds, appservice,
	// arc.
	Stage string `json:"stage"`
	// Match limits the rule to commands (paths of HTTP requests) that contain it.
	Match string `json:"match,omitempty"`
	// After skips the first events; First limits to so many after them; Every takes
	// only each n-th of the rest.
	After int `json:"after,omitempty"`
	First int `json:"first,omitempty"`
	Every int `json:"every,omitempty"`

	// Reply is sent in place of the usual one, several lines separated by "\n". Codes
	// 4xx and 5xx take the place of the command, which has no effect; a positive one
	// replaces only the text. 421 closes the connection. At stage tls it is sent raw in
	// place of the handshake.
	Reply string `json:"reply,omitempty"`
	// Delay passes before the reply.
	Delay time.Duration `json:"-"`
	// Drip is the time between bytes written from now on.
	Drip time.Duration `json:"-"`
	// Then is Close, Reset, Stall or "": what happens after the reply, or in its place
	// if there is none.
	Then string `json:"then,omitempty"`
	// Keep has the command take effect although its reply is replaced or lost: with
	// stage dot, the message is kept.
	Keep bool `json:"keep,omitempty"`
	// In and Out, at stage wire, are how many bytes from the client are read, or to the
	// client written, before Then happens (Close if empty). 0 is no limit.
	In  int64 `json:"in,omitempty"`
	Out int64 `json:"out,omitempty"`

	// Status, Header and Body are the answer at an HTTP stage.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`

	seen, fired int
	fault       string // name of the fault that the rule belongs to
}

type ruleFields Rule

type ruleJSON struct {
	ruleFields
	Delay Duration `json:"delay,omitempty"`
	Drip  Duration `json:"drip,omitempty"`
	Fired int      `json:"fired,omitempty"`
}

// MarshalJSON writes durations as text, and how often the rule fired.
func (r Rule) MarshalJSON() ([]byte, error) {
	return json.Marshal(ruleJSON{ruleFields(r), Duration(r.Delay), Duration(r.Drip), r.fired})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Rule) UnmarshalJSON(b []byte) error {
	var j ruleJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*r = Rule(j.ruleFields)
	r.Delay, r.Drip = time.Duration(j.Delay), time.Duration(j.Drip)
	return nil
}

func (r *Rule) check() error {
	if !slices.Contains(smtpStages, r.Stage) && !slices.Contains(httpStages, r.Stage) {
		return fmt.Errorf("emulator: unknown stage %q; stages are %s, %s", r.Stage, strings.Join(smtpStages, " "),
			strings.Join(httpStages, " "))
	}
	if r.Then != "" && r.Then != Close && r.Then != Reset && r.Then != Stall {
		return fmt.Errorf("emulator: unknown end %q; it is %s, %s or %s", r.Then, Close, Reset, Stall)
	}
	return nil
}

// Script adds rules. A rule with an unknown stage is an error and none is added.
func (e *Emulator) Script(rules ...Rule) error {
	for i := range rules {
		if err := rules[i].check(); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range rules {
		e.rules = append(e.rules, &r)
	}
	return nil
}

// ClearScript removes all rules of Script; those of faults stay.
func (e *Emulator) ClearScript() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules = slices.DeleteFunc(e.rules, func(r *Rule) bool { return r.fault == "" })
}

// Rules returns the rules in force.
func (e *Emulator) Rules() []Rule {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Rule, len(e.rules))
	for i, r := range e.rules {
		out[i] = *r
	}
	return out
}

// fire returns a copy of the rule that acts on an event, nil if none does.
func (e *Emulator) fire(stage, text string) *Rule {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.rules {
		if r.Stage != stage || r.Match != "" && !strings.Contains(text, r.Match) {
			continue
		}
		r.seen++
		n := r.seen - r.After
		if n <= 0 || r.First > 0 && n > r.First || r.Every > 0 && n%r.Every != 0 {
			continue
		}
		r.fired++
		c := *r
		return &c
	}
	return nil
}

// scriptedHTTP lets a rule answer an HTTP request; it reports whether one did.
func (e *Emulator) scriptedHTTP(w http.ResponseWriter, r *http.Request, stage string, note func(string)) bool {
	rule := e.fire(stage, r.URL.Path)
	if rule == nil {
		return false
	}
	if !e.sleep(r.Context(), rule.Delay) {
		panic(http.ErrAbortHandler)
	}
	for k, v := range rule.Header {
		w.Header().Set(k, v)
	}
	status := rule.Status
	if status == 0 {
		status = http.StatusOK
	}
	if rule.Then != "" {
		note("scripted: " + rule.Then)
		e.breakHTTP(w, r, rule, status)
	}
	if rule.Status == 0 && rule.Body == "" {
		return false
	}
	note(fmt.Sprintf("scripted: %d", status))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(rule.Body)) // a client that went away is none of our business
	return true
}

// breakHTTP ends the connection of a request in the way of rule.Then. A body goes out
// first, with a Content-Length that promises more.
func (e *Emulator) breakHTTP(w http.ResponseWriter, r *http.Request, rule *Rule, status int) {
	if rule.Body != "" {
		w.Header().Set("Content-Length", fmt.Sprint(len(rule.Body)+100))
		w.WriteHeader(status)
		_, _ = w.Write([]byte(rule.Body))
		_ = http.NewResponseController(w).Flush()
	}
	switch rule.Then {
	case Stall:
		select {
		case <-r.Context().Done():
		case <-e.ctx.Done():
		}
	case Reset:
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			resetConn(c)
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// resetConn closes a TCP connection, under TLS or not, with RST.
func resetConn(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	c.Close()
}
