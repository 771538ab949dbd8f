package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ControlHelp describes the control endpoint.
const ControlHelp = `GET    /help                     this text
GET    /state                    the state in force, as JSON
PATCH  /state                    changes it: a JSON merge patch (RFC 7386)
GET    /faults                   all faults, with "set" true or false
PUT    /faults/NAME              sets a fault
DELETE /faults/NAME              ends a fault
DELETE /faults                   ends all faults
GET    /rules                    scripted rules, those of faults too
POST   /rules                    adds a rule or an array of them
DELETE /rules                    removes the rules that were added
GET    /messages                 what arrived; ?wait=N&timeout=10s waits for N messages
GET    /messages/N               one message's envelope; /messages/N.eml the message
DELETE /messages                 forgets them
GET    /stats                    counts
DELETE /stats                    sets them to zero
GET    /transcript               what was said, credentials redacted
GET    /config?dir=DIR           a configuration of o365-sendmail
GET    /ca                       the authority's certificate, PEM
POST   /revoke/access            all access tokens are worthless from now on
POST   /revoke/refresh           all refresh tokens too
POST   /forget-sent              limits per minute and day start again
GET    /device                   device codes that wait for a user
POST   /device/CODE?user=ADDR    the user approves
DELETE /device/CODE              the user declines
`

// controlHandler is the control endpoint. It has no authentication: whoever reaches it
// may see the secrets of this make-believe tenant.
func (e *Emulator) controlHandler() http.Handler {
	mux := http.NewServeMux()
	text := func(body func(*http.Request) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, body(r)) // a client that went away is none of our business
		}
	}
	do := func(action func(*http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { controlDone(w, action(r)) }
	}
	show := func(value func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, value()) }
	}
	mux.HandleFunc("GET /help", text(func(*http.Request) string { return ControlHelp }))
	mux.HandleFunc("GET /state", show(func() any { return e.current() }))
	mux.HandleFunc("PATCH /state", do(func(r *http.Request) error {
		b, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		if err != nil {
			return err
		}
		return e.PatchState(b)
	}))
	mux.HandleFunc("GET /faults", show(e.faultList))
	mux.HandleFunc("PUT /faults/{name}", do(func(r *http.Request) error { return e.SetFault(r.PathValue("name")) }))
	mux.HandleFunc("DELETE /faults/{name}",
		do(func(r *http.Request) error { return e.ClearFault(r.PathValue("name")) }))
	mux.HandleFunc("DELETE /faults", do(func(*http.Request) error { return e.ClearFaults() }))
	mux.HandleFunc("GET /rules", show(func() any { return e.Rules() }))
	mux.HandleFunc("POST /rules", do(e.addRules))
	mux.HandleFunc("DELETE /rules", do(func(*http.Request) error { e.ClearScript(); return nil }))
	mux.HandleFunc("GET /messages", e.serveMessages)
	mux.HandleFunc("GET /messages/{name}", e.serveMessage)
	mux.HandleFunc("DELETE /messages", do(func(*http.Request) error { e.ForgetMessages(); return nil }))
	mux.HandleFunc("GET /stats", show(func() any { return e.Stats() }))
	mux.HandleFunc("DELETE /stats", do(func(*http.Request) error { e.ResetStats(); return nil }))
	mux.HandleFunc("GET /transcript", text(func(*http.Request) string { return e.Transcript() }))
	mux.HandleFunc("GET /config", text(func(r *http.Request) string { return e.ConfigTOML(r.FormValue("dir")) }))
	mux.HandleFunc("GET /ca", text(func(*http.Request) string { return string(e.CAPEM()) }))
	mux.HandleFunc("POST /revoke/access", do(func(*http.Request) error { e.RevokeTokens(); return nil }))
	mux.HandleFunc("POST /revoke/refresh", do(func(*http.Request) error { e.RevokeRefreshTokens(); return nil }))
	mux.HandleFunc("POST /forget-sent", do(func(*http.Request) error { e.ForgetSent(); return nil }))
	mux.HandleFunc("GET /device", show(func() any { return e.UserCodes() }))
	mux.HandleFunc("POST /device/{code}", do(func(r *http.Request) error {
		return e.ApproveDevice(r.PathValue("code"), r.URL.Query().Get("user"))
	}))
	mux.HandleFunc("DELETE /device/{code}",
		do(func(r *http.Request) error { return e.DeclineDevice(r.PathValue("code")) }))
	return mux
}

// controlDone answers {"ok":true}, or the error.
func controlDone(w http.ResponseWriter, err error) {
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

type faultEntry struct {
	Fault
	Set bool `json:"set"`
}

func (e *Emulator) faultList() any {
	active := map[string]bool{}
	for _, name := range e.ActiveFaults() {
		active[name] = true
	}
	var out []faultEntry
	for _, f := range Faults() {
		out = append(out, faultEntry{f, active[f.Name]})
	}
	return out
}

// addRules takes one rule or an array of them.
func (e *Emulator) addRules(r *http.Request) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.TrimSpace(string(b)), "[") {
		b = append(append([]byte{'['}, b...), ']')
	}
	var rules []Rule
	if err := json.Unmarshal(b, &rules); err != nil {
		return err
	}
	return e.Script(rules...)
}

func (e *Emulator) serveMessages(w http.ResponseWriter, r *http.Request) {
	n, timeout := 0, 30*time.Second
	var err error
	if v := r.FormValue("wait"); v != "" {
		n, err = strconv.Atoi(v)
	}
	if v := r.FormValue("timeout"); v != "" && err == nil {
		timeout, err = time.ParseDuration(v)
	}
	if err != nil {
		controlDone(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	messages, err := e.WaitMessages(ctx, n)
	if err != nil {
		writeJSON(w, http.StatusGatewayTimeout, map[string]any{"error": err.Error(), "messages": messages})
		return
	}
	if messages == nil {
		messages = []Message{}
	}
	writeJSON(w, http.StatusOK, messages)
}

func (e *Emulator) serveMessage(w http.ResponseWriter, r *http.Request) {
	name, raw := strings.CutSuffix(r.PathValue("name"), ".eml")
	for _, m := range e.Messages() {
		if strconv.Itoa(m.Number) != name {
			continue
		}
		if !raw {
			writeJSON(w, http.StatusOK, m)
			return
		}
		body, err := m.Open()
		if err != nil {
			controlDone(w, err)
			return
		}
		defer body.Close()
		w.Header().Set("Content-Type", "message/rfc822")
		_, _ = io.Copy(w, body) // a client that went away is none of our business
		return
	}
	writeJSON(w, http.StatusNotFound, map[string]string{"error": "no message " + name})
}

// PatchState changes the state by a JSON merge patch (RFC 7386): objects are merged,
// null removes, all else replaces.
func (e *Emulator) PatchState(patch []byte) error {
	var p map[string]any
	if err := json.Unmarshal(patch, &p); err != nil {
		return fmt.Errorf("emulator: the patch is no JSON object: %w", err)
	}
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	b, err := json.Marshal(e.base)
	if err != nil {
		return err
	}
	var whole map[string]any
	if err := json.Unmarshal(b, &whole); err != nil {
		return err
	}
	mergePatch(whole, p)
	if b, err = json.Marshal(whole); err != nil {
		return err
	}
	next := new(State)
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields() // a misspelt switch must not pass for a set one
	if err := dec.Decode(next); err != nil {
		return fmt.Errorf("emulator: the patch makes no state: %w", err)
	}
	old := e.base
	e.base = next
	if err := e.applyLocked(); err != nil {
		e.base = old
		return errors.Join(err, e.applyLocked())
	}
	return nil
}

func mergePatch(target, patch map[string]any) {
	for k, v := range patch {
		sub, isObject := v.(map[string]any)
		have, wasObject := target[k].(map[string]any)
		switch {
		case v == nil:
			delete(target, k)
		case isObject && wasObject:
			mergePatch(have, sub)
		case isObject:
			fresh := map[string]any{}
			mergePatch(fresh, sub)
			target[k] = fresh
		default:
			target[k] = v
		}
	}
}
