package emulator

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode"
)

const (
	redacted      = "[redacted]"
	maxTranscript = 4 << 20
)

// transcript is what was said, without any credential. The last 2 to 4 MiB stay in
// memory.
type transcript struct {
	mu   sync.Mutex
	buf  []byte
	out  io.Writer // may be nil
	file *os.File  // may be nil
	err  error
}

// Transcript returns the dialogues so far: a line is "[connection] C: command",
// "[connection] S: reply" or "[token] ..."; credentials are replaced by [redacted] and
// message text by its size.
func (e *Emulator) Transcript() string {
	t := &e.transcript
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

func (t *transcript) line(who, what string) {
	s := "[" + who + "] " + printable(what) + "\n"
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buf)+len(s) > maxTranscript {
		t.buf = append([]byte("[...]\n"), t.buf[len(t.buf)/2:]...)
	}
	t.buf = append(t.buf, s...)
	if t.file != nil {
		_, err := t.file.WriteString(s)
		t.err = errors.Join(t.err, err)
	}
	if t.out != nil {
		_, _ = io.WriteString(t.out, s) // a reader of the log that is gone loses the log
	}
}

func (t *transcript) note(what string) { t.line("emulator", what) }

// token notes a request to an HTTPS endpoint. Only parameters that are no secret show
// their value.
func (t *transcript) token(stage, method, path string, form url.Values, outcome string) {
	public := []string{"grant_type", "client_id", "scope", "client_assertion_type", "resource", "api-version"}
	var params []string
	for k, vs := range form {
		for _, v := range vs {
			if !slices.Contains(public, k) {
				v = redacted
			}
			params = append(params, k+"="+v)
		}
	}
	slices.Sort(params)
	t.line(stage, strings.TrimSpace(fmt.Sprintf("%s %s %s", method, path, strings.Join(params, " ")))+" -> "+outcome)
}

// close closes the file and returns the first error of writing to it.
func (t *transcript) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return nil
	}
	err := errors.Join(t.err, t.file.Close())
	t.file = nil
	return err
}

// printable replaces control characters, so that no client can write to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '.'
		}
		return r
	}, s)
}
