package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Envelope is what came beside a message.
type Envelope struct {
	From       string      `json:"from"` // reverse-path without brackets
	To         []string    `json:"to"`   // accepted recipients in order
	Recipients []Recipient `json:"recipients"`
	SignIn     string      `json:"sign_in"` // user= of XOAUTH2
	AppID      string      `json:"app_id"`  // application that the token was issued to

	Params   string `json:"params,omitempty"`    // all parameters of MAIL as they came
	Size     int64  `json:"size_param"`          // SIZE=, -1 if it was not given
	Body     string `json:"body,omitempty"`      // BODY=, upper case
	Ret      string `json:"ret,omitempty"`       // RET=, upper case
	EnvID    string `json:"envid,omitempty"`     // ENVID=, decoded
	SMTPUTF8 bool   `json:"smtputf8,omitempty"`  // SMTPUTF8 was given
	Helo     string `json:"helo"`                // argument of EHLO after STARTTLS
	Remote   string `json:"remote"`              // address of the client
	TLS      string `json:"tls"`                 // version
	Chunks   int    `json:"chunks"`              // BDAT commands; 0 is DATA
	Session  int    `json:"session"`             // number of the connection, from 1
	Ordinal  int    `json:"ordinal"`             // it is the session's n-th message
	Trips    int64  `json:"round_trips"`         // since the message before, or since connect
	AtOnce   int    `json:"pipelined,omitempty"` // commands that came pipelined, since then
}

// Recipient is one accepted RCPT.
type Recipient struct {
	Address string `json:"address"`
	Notify  string `json:"notify,omitempty"` // NOTIFY=, upper case
	ORcpt   string `json:"orcpt,omitempty"`  // ORCPT=, decoded
	Params  string `json:"params,omitempty"` // as they came
}

// Message is one message that was answered with 250 (or kept by a Rule's Keep).
type Message struct {
	Envelope
	Number    int       `json:"number"` // from 1
	At        time.Time `json:"at"`
	MessageID string    `json:"message_id"` // as in the reply
	Octets    int64     `json:"octets"`     // dots unstuffed
	SHA256    string    `json:"sha256"`
	Path      string    `json:"path,omitempty"` // file in Options.Dir
	// Data is the message with its CRLFs; nil if it is larger than 1 MiB and
	// Options.KeepBodies is not set.
	Data []byte `json:"-"`
	// Warnings are faults of the message that Exchange Online lets pass: a Bcc field,
	// no Date, no Message-ID, SIZE= below the size.
	Warnings []string `json:"warnings,omitempty"`
}

// Open reads the message from memory or from its file.
func (m *Message) Open() (io.ReadCloser, error) {
	if m.Data != nil || m.Octets == 0 {
		return io.NopCloser(bytes.NewReader(m.Data)), nil
	}
	if m.Path == "" {
		return nil, errors.New("emulator: the message was not kept (Options.KeepBodies, Options.Dir)")
	}
	return os.Open(m.Path)
}

// Header returns the first header field of that name, unfolded, "" if there is none.
func (m *Message) Header(name string) string {
	head, _, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
	for _, f := range headerFields(head) {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// Text returns the body with LF line ends, as it came (no transfer decoding).
func (m *Message) Text() string {
	_, body, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
	return strings.ReplaceAll(string(body), "\r\n", "\n")
}

// Messages returns the messages so far, the oldest first.
func (e *Emulator) Messages() []Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.messages)
}

// ForgetMessages empties Messages; numbers go on and files stay.
func (e *Emulator) ForgetMessages() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.messages = nil
}

// WaitMessages waits until there are at least n messages.
func (e *Emulator) WaitMessages(ctx context.Context, n int) ([]Message, error) {
	for {
		e.mu.Lock()
		have, changed := slices.Clone(e.messages), e.changed
		e.mu.Unlock()
		if len(have) >= n {
			return have, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return have, fmt.Errorf("emulator: %d of %d messages: %w", len(have), n, ctx.Err())
		case <-e.ctx.Done():
			return have, errors.New("emulator: closed while waiting for messages")
		}
	}
}

// openDir makes the directory for messages.
func (e *Emulator) openDir() error {
	if e.opts.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(e.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("emulator: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(e.opts.Dir, "transcript.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("emulator: %w", err)
	}
	e.transcript.file = f
	old, err := filepath.Glob(filepath.Join(e.opts.Dir, "*.eml"))
	for _, name := range old {
		// Messages of an earlier run stay; numbers go on after them.
		n, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(name), ".eml"))
		e.number = max(e.number, n)
	}
	return err
}

// keep takes a message in. The content's file gets its name.
func (e *Emulator) keep(m Message, c *content) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Messages++
	e.number++
	m.Number, m.At = e.number, e.now().UTC()
	if c.file != nil {
		base := filepath.Join(e.opts.Dir, fmt.Sprintf("%06d", m.Number))
		m.Path = base + ".eml"
		if err := errors.Join(c.file.Close(), os.Rename(c.file.Name(), m.Path)); err != nil {
			return err
		}
		c.file = nil
		b, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(base+".json", append(b, '\n'), 0o600); err != nil {
			return err
		}
	}
	e.stats.Recipients += len(m.To)
	e.stats.Octets += m.Octets
	if m.Chunks > 0 {
		e.stats.ByBDAT++
	}
	e.messages = append(e.messages, m)
	close(e.changed)
	e.changed = make(chan struct{})
	return nil
}
