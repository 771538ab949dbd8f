package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/smtpd/smtpdtest"
	"o365-sendmail/internal/sysexits"
)

// taker is an agent that queues every message, but none for nobody@example.org.
func taker() *smtpdtest.Agent {
	return &smtpdtest.Agent{
		Receipt: envelope.Receipt{Queued: true, QueueID: "Q1"},
		Nobody:  sysexits.With(sysexits.NoUser, errors.New("no such user here")),
	}
}

// unread fails the test when somebody reads from it.
type unread struct{ t *testing.T }

func (r unread) Read([]byte) (int, error) {
	r.t.Error("the message was read")
	return 0, io.EOF
}

func call(socket string, stdin io.Reader, args ...string) (code int, done bool, stderr string) {
	var errs bytes.Buffer
	code, done, _ = handOff(context.Background(), process{Args: args, Stdin: stdin, Stderr: &errs,
		Getenv: func(string) string { return "" }, Socket: socket})
	return code, done, errs.String()
}

func TestHandOff(t *testing.T) {
	t.Parallel()
	h := taker()
	socket := smtpdtest.Serve(t, h)
	code, done, errs := call(socket, strings.NewReader("To: a@example.org\nBcc: b@example.org\nSubject: "+
		"x\n\nhello\n.\nmore\n"), "/usr/sbin/sendmail", "-ti", "-odq", "-fapp@example.org")
	if code != 0 || !done || errs != "" {
		t.Fatalf("%d %v %q", code, done, errs)
	}
	if e := h.Taken()[0].Envelope; e.Sender != "app@example.org" || len(e.Recipients) != 2 ||
		h.Taken()[0].Options.Mode != "queue" {
		t.Errorf("envelope %+v, options %+v", e, h.Taken()[0].Options)
	}
	if text := h.Taken()[0].Text; !strings.HasSuffix(text, "\r\n\r\nhello\r\n.\r\nmore\r\n") ||
		strings.Contains(text, "b@example.org") {
		t.Errorf("text %q", text)
	}
	code, done, errs = call(socket, strings.NewReader("Subject: x\n\n"), "sendmail", "a@example.org",
		"nobody@example.org")
	if code != sysexits.NoUser || !done || strings.Count(errs, "\n") != 1 ||
		!strings.Contains(errs, "nobody@example.org") || len(h.Taken()) != 2 {
		t.Errorf("one of two: %d %v %q", code, done, errs)
	}
	code, done, errs = call(socket, strings.NewReader("Subject: x\n\n"), "sendmail", "-oeq", "nobody@example.org")
	if code != sysexits.NoUser || !done || errs != "" {
		t.Errorf("quietly: %d %v %q", code, done, errs)
	}
	code, done, errs = call(socket, strings.NewReader("Subject: x\n\n"), "sendmail", "-t")
	if code != sysexits.Usage || !done || !strings.Contains(errs, "no recipients") {
		t.Errorf("nobody: %d %v %q", code, done, errs)
	}
}

// TestNotOurs: what the whole program has to do is left to it, untouched and unsaid.
func TestNotOurs(t *testing.T) {
	t.Parallel()
	h := taker()
	socket := smtpdtest.Serve(t, h)
	for _, args := range [][]string{
		{"mailq"}, {"newaliases"}, {"/usr/sbin/o365-sendmail"}, {"o365-sendmail", "doctor"}, {},
		{"sendmail", "-bp"}, {"sendmail", "-bs"}, {"sendmail", "-q"}, {"sendmail", "-bd", "-q1h"},
		{"sendmail", "-bv", "root"}, {"sendmail", "-I"},
		{"sendmail", "-C", "/etc/other.toml", "root"}, {"sendmail", "-oem", "root"}, {"sendmail", "-oee", "root"},
		{"sendmail", "-oew", "root"},
		{"sendmail", "-Z"}, {"sendmail", "root", "-t"},
	} {
		if code, done, errs := call(socket, unread{t}, args...); done || errs != "" {
			t.Errorf("%q: %d %v %q", args, code, done, errs)
		}
	}
	var errs bytes.Buffer
	_, done, _ := handOff(context.Background(), process{Args: []string{"sendmail", "root"}, Stdin: unread{t},
		Stderr: &errs,
		Socket: socket,
		Getenv: func(name string) string { return map[string]string{host.ConfigVariable: "/etc/other.toml"}[name] }})
	if done || errs.Len() > 0 {
		t.Errorf("with a configuration of the caller's: %v %q", done, errs.String())
	}
	if len(h.Taken()) > 0 {
		t.Errorf("%d messages were sent", len(h.Taken()))
	}
}

// TestSilentAgent: an agent that answers nothing is waited for once: the whole program is told.
func TestSilentAgent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var errs bytes.Buffer
	env := process{Args: []string{"sendmail", "root"}, Stdin: unread{t}, Stderr: &errs,
		Getenv: func(string) string { return "" }, Socket: path, Silence: silent}
	_, done, note := handOff(t.Context(), env)
	name, value, _ := strings.Cut(note, "=")
	if done || errs.Len() > 0 || name != route.SilentVariable {
		t.Fatalf("%v, %q, %q", done, note, errs.String())
	}
	if !route.Waited(func(n string) string { return map[string]string{name: value}[n] }) {
		t.Errorf("the same process does not know by %q", note)
	}
	// another process has inherited it, or somebody made it up
	for _, other := range []string{"", "1", value + "0", "x"} {
		if route.Waited(func(string) string { return other }) {
			t.Errorf("it believes %q", other)
		}
	}
	env.Socket = path + "-none"
	if _, done, note := handOff(t.Context(), env); done || note != "" {
		t.Errorf("without a socket: %v, %q", done, note)
	}
}

// TestNoAgent: without an agent nothing is read and nothing is said.
func TestNoAgent(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	l, err := net.Listen("unix", none+"2")
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for _, socket := range []string{none, none + "2"} {
		if code, done, errs := call(socket, unread{t}, "sendmail", "-t"); done || errs != "" {
			t.Errorf("%s: %d %v %q", socket, code, done, errs)
		}
	}
}

// TestAgentFails: the agent's exit code and its words are the caller's.
func TestAgentFails(t *testing.T) {
	t.Parallel()
	h := taker()
	h.Err = sysexits.With(sysexits.CantCreat, errors.New("the spool is full"))
	socket := smtpdtest.Serve(t, h)
	code, done, errs := call(socket, strings.NewReader("Subject: x\n\n"), "sendmail", "a@example.org")
	if code != sysexits.CantCreat || !done || strings.Count(errs, "\n") != 1 ||
		!strings.Contains(errs, "the spool is full") {
		t.Errorf("%d %v %q", code, done, errs)
	}
}
