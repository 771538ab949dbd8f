package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/agent"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// host is a site with an agent, and callers who have no configuration.
type hostWithAgent struct {
	*site
	socket, port string
	name         string // of the host; "" is web1
	stop         func()
}

func newHost(t *testing.T, extra string) *hostWithAgent {
	t.Helper()
	s := newSite(t)
	if !strings.Contains(extra, "[delivery]") {
		extra += "[delivery]\nwait = \"2m\"\n" // what was sent has arrived, however busy the machine is
	}
	h := &hostWithAgent{site: s, socket: filepath.Join(s.dir, "run", "submit.sock")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.port = l.Addr().String()
	l.Close()
	s.writeConfig(t, strings.Replace(s.ConfigTOML(s.dir), "alert_to ", "#",
		1)+"\n[spool]\ndir = \""+filepath.Join(s.dir, "spool")+"\"\nkeep_free = \"0B\"\n[agent]\nsocket = \""+h.socket+
		"\"\nlisten = \""+h.port+"\"\n"+extra)
	h.start(t)
	return h
}

func (h *hostWithAgent) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	started, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- agent.Run(ctx, agent.Options{ConfigPath: h.config, HostName: cmp.Or(h.name, "web1"),
			Getenv: func(string) string { return "" }, Stderr: io.Discard, Started: func() { close(started) }})
	}()
	select {
	case <-started:
	case err := <-done:
		t.Fatal(err)
	}
	h.stop = func() {
		if cancel(); done != nil {
			if err := <-done; err != nil {
				t.Error(err)
			}
			done = nil
		}
	}
	t.Cleanup(h.stop)
}

// call runs sendmail as a caller who may not read any configuration.
func (h *hostWithAgent) call(stdin io.Reader, args ...string) result {
	var out, errs bytes.Buffer
	code := Main(context.Background(), Env{
		Args: append([]string{"/usr/sbin/sendmail"}, args...), Stdin: stdin, Stdout: &out, Stderr: &errs,
		Getenv: func(string) string { return "" }, Now: time.Now, UID: os.Getuid(), Socket: h.socket,
	})
	return result{code, out.String(), errs.String()}
}

func TestThroughAgent(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	h.call(strings.NewReader("Subject: hi\n\nhello\n"), "-i", "root").want(t, 0, "")
	m := h.Messages()[0]
	if m.Envelope.From != h.Mailbox || m.Envelope.To[0] != h.RootTo || m.Text() != "hello\n" {
		t.Errorf("envelope %+v, text %q", m.Envelope, m.Text())
	}
	h.call(strings.NewReader("Subject: later\n\n"), "-odq", "a@example.org").want(t, 0, "")
	if n := len(h.Messages()); n != 1 {
		t.Errorf("-odq delivered at once: %d messages", n)
	}
	h.call(strings.NewReader("To: <>\n\n"), "-t").want(t, sysexits.DataErr, "address")
	r := h.call(strings.NewReader("Subject: v\n\n"), "-v", "a@example.org")
	if r.code != 0 || !strings.Contains(r.stderr, "> MAIL FROM:<") || !strings.Contains(r.stderr, "< 250 2.0.0") {
		t.Errorf("-v: %d %q", r.code, r.stderr)
	}
}

// TestRefusedThroughAgent: what Exchange refuses becomes the caller's exit code and line.
func TestRefusedThroughAgent(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	if err := h.Script(emulator.Rule{Stage: "rcpt", Match: "gone@",
		Reply: "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found"}); err != nil {
		t.Fatal(err)
	}
	r := h.call(strings.NewReader("Subject: x\n\n"), "gone@example.org")
	if r.code != sysexits.NoUser || strings.Count(r.stderr, "\n") != 1 ||
		!strings.Contains(r.stderr, "RecipientNotFound") {
		t.Errorf("%d %q", r.code, r.stderr)
	}
	r = h.call(strings.NewReader("Subject: x\n\n"), "gone@example.org", "a@example.org")
	if r.code != sysexits.NoUser || !strings.Contains(r.stderr, "gone@example.org") || len(h.Messages()) != 1 {
		t.Errorf("one of two: %d %q, %d messages", r.code, r.stderr, len(h.Messages()))
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	own := newSite(t) // a configuration of the caller's own, without an agent
	ask := func(env Env, args ...string) result {
		var out, errs bytes.Buffer
		env.Args, env.Stdout, env.Stderr = append([]string{"sendmail"}, args...), &out, &errs
		env.Stdin, env.Now, env.UID = strings.NewReader("Subject: x\n\n"), time.Now, os.Getuid()
		if env.Getenv == nil {
			env.Getenv = func(string) string { return "" }
		}
		return result{Main(context.Background(), env), out.String(), errs.String()}
	}
	named := func(path string) func(string) string {
		return func(name string) string {
			if name == "O365_SENDMAIL_CONFIG" {
				return path
			}
			return ""
		}
	}
	none := filepath.Join(t.TempDir(), "none.sock")
	counts := func(agent, direct int) {
		t.Helper()
		if a, d := len(h.Messages()), len(own.Messages()); a != agent || d != direct {
			t.Errorf("%d messages by the agent, %d directly, want %d and %d", a, d, agent, direct)
		}
	}
	ask(Env{Socket: h.socket}, "a@example.org").want(t, 0, "")
	counts(1, 0)
	ask(Env{Socket: h.socket, Getenv: named(own.config)}, "a@example.org").want(t, 0, "")
	counts(1, 1)
	ask(Env{Socket: none, Getenv: named(h.config)}, "a@example.org").want(t, 0, "")
	counts(2, 1)
	h.stop()
	ask(Env{Socket: none, Getenv: named(h.config)}, "a@example.org").want(t, 0, "") // its agent is down: directly
	counts(3, 1)
	r := ask(Env{Socket: none, Getenv: named("/nonexistent/c.toml")}, "a@example.org")
	if r.code != sysexits.Config || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%d %q", r.code, r.stderr)
	}
	if _, err := os.Stat("/etc/o365-sendmail.toml"); err == nil {
		t.Log("this host has a configuration: the way without one is not tried")
		return
	}
	r = ask(Env{Socket: none}, "a@example.org")
	if r.code != sysexits.Config || !strings.Contains(r.stderr, none) ||
		!strings.Contains(r.stderr, "no configuration") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("neither: %d %q", r.code, r.stderr)
	}
	stale, err := net.Listen("unix", none)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	if r = ask(Env{Socket: none}, "a@example.org"); r.code != sysexits.TempFail ||
		!strings.Contains(r.stderr, "refused") || !strings.Contains(r.stderr, "start it: ") {
		t.Errorf("a dead agent: %d %q", r.code, r.stderr)
	}
}

var volatile = regexp.MustCompile(`(?m)^(Received|Message-ID|Date|From|Reply-To):.*\r\n([ \t].*\r\n)*`)

// TestSameByEveryWay: a message arrives the same whichever way it took.
func TestSameByEveryWay(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	const header = "From: app@web1\nTo: root, Someone <a@example.org>\nCc: b@example.org\nBcc: " +
		"c@example.org\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\nX-Odd:\tkept  as it is\n"
	body := "\n.leading\n..two\n.\ngrüße\n" + strings.Repeat("long ", 300) + "\nFrom here\n\n"
	text := header + body
	stuffed := strings.ReplaceAll("\n"+text, "\n.", "\n..")[1:]
	dialogue := "EHLO x\nMAIL FROM:<app@web1>\nRCPT TO:<root>\nRCPT TO:<a@example.org>\nDATA\n" + stuffed + ".\nQUIT\n"
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	ways := map[string]func(){
		"-bm directly": func() { h.run(text, "-i", "-f", "app@web1", "root", "a@example.org").want(t, 0, "") },
		"the socket": func() {
			h.call(strings.NewReader(text), "-i", "-f", "app@web1", "root", "a@example.org").want(t, 0, "")
		},
		"-bs with LF":     func() { h.session(t, dialogue) },
		"-bs with CRLF":   func() { h.session(t, crlf(dialogue)) },
		"TCP":             func() { h.dial(t, "tcp", h.port, crlf(dialogue)) },
		"the bare socket": func() { h.dial(t, "unix", h.socket, dialogue) },
	}
	var first, firstWay, from string
	for _, way := range []string{"the socket", "-bs with LF", "-bs with CRLF", "TCP", "the bare socket",
		"-bm directly"} {
		if way == "-bm directly" {
			h.stop() // a caller who names its configuration would get this agent
		}
		before := len(h.Messages())
		ways[way]()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		msgs, err := h.WaitMessages(ctx, before+1)
		cancel()
		if err != nil || len(msgs) != before+1 {
			t.Fatalf("%s: %d messages, %v", way, len(msgs)-before, err)
		}
		m := msgs[before]
		sum := fmt.Sprintf("%s>%v\n%s", m.Envelope.From, m.Envelope.To, volatile.ReplaceAllString(string(m.Data), ""))
		if first == "" {
			first, firstWay, from = sum, way, m.Header("From")
			if strings.Contains(sum, "c@example.org") || !strings.Contains(sum, "X-Odd:\tkept  as it is") {
				t.Fatalf("%s", m.Data)
			}
		}
		if sum != first {
			t.Errorf("by %s:\n%s\nby %s:\n%s", firstWay, first, way, sum)
		}
		if got := m.Header("From"); got != from {
			t.Errorf("by %s From is %q, by %s %q", firstWay, from, way, got)
		}
	}
}

// session runs sendmail -bs with the whole input at hand.
func (h *hostWithAgent) session(t *testing.T, input string) string {
	t.Helper()
	r := h.call(strings.NewReader(input), "-bs")
	if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "\r\n250 2.0.0 ") {
		t.Errorf("-bs: %d %q\n%s", r.code, r.stderr, r.stdout)
	}
	return r.stdout
}

func (h *hostWithAgent) dial(t *testing.T, network, addr, input string) {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go io.WriteString(c, input)
	if all, err := io.ReadAll(c); err != nil || !strings.Contains(string(all), "\r\n221 ") {
		t.Errorf("%s: %v\n%s", network, err, all)
	}
}

// peer talks to sendmail -bs as a mailer library does: it waits for each reply.
type peer struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *bufio.Reader
	done chan int
}

func talk(t *testing.T, env Env) *peer {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	p := &peer{t: t, in: inW, out: bufio.NewReader(outR), done: make(chan int, 1)}
	env.Args, env.Stdin, env.Stdout, env.Stderr = []string{"sendmail", "-bs"}, inR, outW, io.Discard
	env.Now, env.UID = time.Now, os.Getuid()
	if env.Getenv == nil {
		env.Getenv = func(string) string { return "" }
	}
	go func() {
		code := Main(context.Background(), env)
		outW.Close()
		p.done <- code
	}()
	t.Cleanup(func() { inW.Close(); outR.Close() })
	return p
}

// expect reads one reply and checks its code.
func (p *peer) expect(code string) {
	p.t.Helper()
	for {
		line, err := p.out.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, code) || !strings.HasSuffix(line, "\r\n") {
			p.t.Fatalf("reply %q, %v, want %s", line, err, code)
		}
		if line[3] == ' ' {
			return
		}
	}
}

func (p *peer) say(line, code string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line); err != nil {
		p.t.Fatal(err)
	}
	p.expect(code)
}

// TestSymfony is the dialogue of Symfony Mailer's SendmailTransport, which Laravel uses
// too: one process, several messages, a NOOP before a pause's next message.
func TestSymfony(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	alone := newSite(t)
	for name, c := range map[string]struct {
		env  Env
		site *site
	}{
		"with an agent":    {Env{Socket: h.socket}, h.site},
		"without an agent": {Env{Getenv: func(n string) string { return map[string]string{"O365_SENDMAIL_CONFIG": alone.config}[n] }}, alone},
	} {
		t.Run(name, func(t *testing.T) {
			p := talk(t, c.env)
			p.expect("220")
			p.say("EHLO [127.0.0.1]\r\n", "250")
			for i := range 3 {
				if i > 0 {
					p.say("NOOP\r\n", "250")
				}
				p.say("MAIL FROM:<app@example.org>\r\n", "250")
				p.say("RCPT TO:<a@example.org>\r\n", "250")
				p.say("DATA\r\n", "354")
				if _, err := fmt.Fprintf(p.in, "From: App <app@example.org>\r\nTo: a@example.org\r\nSubject: "+
					"%d\r\n\r\ntext\r\n\n.\nmore\r\n", i); err != nil {
					t.Fatal(err)
				}
				p.say("\r\n.\r\n", "250")
			}
			p.say("MAIL FROM:<app@example.org>\r\n", "250")
			p.say("RSET\r\n", "250")
			p.say("QUIT\r\n", "221")
			if code := <-p.done; code != 0 {
				t.Errorf("exit code %d", code)
			}
			if n := len(c.site.Messages()); n != 3 {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}

func TestSMTPWithoutAWay(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	code := Main(context.Background(), Env{Args: []string{"sendmail", "-bs"}, Stdin: strings.NewReader("QUIT\n"),
		Stdout: &out, Stderr: io.Discard,
		Getenv: func(n string) string { return map[string]string{"O365_SENDMAIL_CONFIG": "/nonexistent"}[n] },
		Now:    time.Now, UID: os.Getuid()})
	if code != sysexits.Config || !strings.HasPrefix(out.String(), "421 4.3.0 ") {
		t.Errorf("%d %q", code, out.String())
	}
}

// TestSMTPAgentGone: when the agent ends in mid-dialogue the caller is told in SMTP.
func TestSMTPAgentGone(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	p := talk(t, Env{Socket: h.socket})
	p.expect("220")
	p.say("EHLO x\r\n", "250")
	h.stop()
	p.expect("421")
	if code := <-p.done; code != sysexits.TempFail {
		t.Errorf("exit code %d", code)
	}
}
