package front

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"o365-sendmail/internal/agent/protocol"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/paths"
	"o365-sendmail/internal/smtpd"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// taker is an agent that takes every message, but none for nobody@example.org.
type taker struct {
	mu   sync.Mutex
	got  []envelope.Envelope
	text []string
	opts []protocol.Options
	err  error
}

func (h *taker) Begin() error { return nil }

func (h *taker) Recipient(addr string) error {
	if addr == "nobody@example.org" {
		return sysexits.With(sysexits.NoUser, errors.New("no such user here"))
	}
	return nil
}

func (h *taker) Message(_ context.Context, env *envelope.Envelope, msg *rfc822.Message, o protocol.Options) (envelope.Receipt, error) {
	w, err := msg.Wire(rfc822.WireOptions{AllowEightBit: true})
	if err != nil {
		return envelope.Receipt{}, err
	}
	r, err := w.Open()
	if err != nil {
		return envelope.Receipt{}, err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got, h.text, h.opts = append(h.got, *env), append(h.text, string(text)), append(h.opts, o)
	return envelope.Receipt{Queued: true, QueueID: "Q1"}, errors.Join(err, h.err)
}

// serve runs h at a new socket.
func serve(t *testing.T, h smtpd.Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { l.Close() })
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				smtpd.Serve(context.Background(), smtpd.NewConn(c, smtpd.Timeouts{}), smtpd.Options{Host: "web1", Handler: h, MaxSize: 1 << 20, MaxRecipients: 100,
					ExitCode: func(err error) int { return sysexits.Code(err, sysexits.TempFail) }, Local: true, TempDir: t.TempDir()})
			})
		}
	})
	return path
}

// unread fails the test when somebody reads from it.
type unread struct{ t *testing.T }

func (r unread) Read([]byte) (int, error) {
	r.t.Error("the message was read")
	return 0, io.EOF
}

func call(socket string, stdin io.Reader, args ...string) (code int, done bool, stderr string) {
	var errs bytes.Buffer
	code, done = Main(context.Background(), Env{Args: args, Stdin: stdin, Stderr: &errs, Getenv: func(string) string { return "" }, Socket: socket})
	return code, done, errs.String()
}

func TestMain(t *testing.T) {
	t.Parallel()
	h := &taker{}
	socket := serve(t, h)
	code, done, errs := call(socket, strings.NewReader("To: a@example.org\nBcc: b@example.org\nSubject: x\n\nhello\n.\nmore\n"), "/usr/sbin/sendmail", "-ti", "-odq", "-fapp@example.org")
	if code != 0 || !done || errs != "" {
		t.Fatalf("%d %v %q", code, done, errs)
	}
	if e := h.got[0]; e.Sender != "app@example.org" || len(e.Recipients) != 2 || h.opts[0].Mode != "queue" {
		t.Errorf("envelope %+v, options %+v", e, h.opts[0])
	}
	if text := h.text[0]; !strings.HasSuffix(text, "\r\n\r\nhello\r\n.\r\nmore\r\n") || strings.Contains(text, "b@example.org") {
		t.Errorf("text %q", text)
	}
	code, done, errs = call(socket, strings.NewReader("Subject: x\n\n"), "sendmail", "a@example.org", "nobody@example.org")
	if code != sysexits.NoUser || !done || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "nobody@example.org") || len(h.got) != 2 {
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
	h := &taker{}
	socket := serve(t, h)
	for _, args := range [][]string{
		{"mailq"}, {"newaliases"}, {"/usr/sbin/o365-sendmail"}, {"o365-sendmail", "doctor"}, {},
		{"sendmail", "-bp"}, {"sendmail", "-bs"}, {"sendmail", "-q"}, {"sendmail", "-bd", "-q1h"}, {"sendmail", "-bv", "root"}, {"sendmail", "-I"},
		{"sendmail", "-C", "/etc/other.toml", "root"}, {"sendmail", "-oem", "root"}, {"sendmail", "-oee", "root"}, {"sendmail", "-oew", "root"},
		{"sendmail", "-Z"}, {"sendmail", "root", "-t"},
	} {
		if code, done, errs := call(socket, unread{t}, args...); done || errs != "" {
			t.Errorf("%q: %d %v %q", args, code, done, errs)
		}
	}
	var errs bytes.Buffer
	_, done := Main(context.Background(), Env{Args: []string{"sendmail", "root"}, Stdin: unread{t}, Stderr: &errs, Socket: socket,
		Getenv: func(name string) string { return map[string]string{paths.ConfigVariable: "/etc/other.toml"}[name] }})
	if done || errs.Len() > 0 {
		t.Errorf("with a configuration of the caller's: %v %q", done, errs.String())
	}
	if len(h.got) > 0 {
		t.Errorf("%d messages were sent", len(h.got))
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
	socket := serve(t, &taker{err: sysexits.With(sysexits.CantCreat, errors.New("the spool is full"))})
	code, done, errs := call(socket, strings.NewReader("Subject: x\n\n"), "sendmail", "a@example.org")
	if code != sysexits.CantCreat || !done || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "the spool is full") {
		t.Errorf("%d %v %q", code, done, errs)
	}
}
