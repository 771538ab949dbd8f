//go:build system || soak

package fleet

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/test/ready"
)

// lab is a fleet and what it works with.
type lab struct {
	t       *testing.T
	em      *emulator.Emulator
	servers []*natsServer
	hosts   []*agentHost
	program string // that serves
	fleet   bool
	more    string   // of [delivery]
	sent    sync.Map // subjects of accepted messages
	number  atomic.Int64
	pool    []string            // mailboxes beside the first
	client  jetstream.JetStream // the test's own
	near    string              // where the next host's links listen
	within  func(start func())  // calls its argument where the next host starts
	store   func(i int) string  // a server's store_dir; nil for a temporary folder
	nats    string              // the servers' program; "" for the one that go.mod pins
	address string              // the servers' own, since each one's port has to be known before it starts
}

var labs atomic.Int32

// newLab starts three NATS servers and an emulator with Microsoft's limits.
func newLab(t *testing.T, change ...func(*lab)) *lab {
	t.Helper()
	pid := os.Getpid()
	l := &lab{t: t, program: "../../bin/fleet", fleet: true,
		address: fmt.Sprintf("127.%d.%d.%d", 1+pid>>8%250, 1+pid%250, labs.Add(1))}
	for _, c := range change {
		c(l)
	}
	l.em = emulator.New(t, func(o *emulator.Options) {
		o.KeepBodies = true
		o.State = func(s *emulator.State) {
			s.Exchange.Tarpit, s.Limits.RecipientsPerDay = 0, 0
			mailboxes := s.Tenants[emulator.DefaultTenant].Mailboxes
			first := mailboxes[emulator.DefaultMailbox]
			for _, m := range l.pool {
				mailboxes[m] = &emulator.Mailbox{Shared: true, SMTPAuthDisabled: first.SMTPAuthDisabled,
					FullAccess: first.FullAccess}
				first.SendAs[m] = &emulator.Grant{}
			}
		}
	})
	l.startServers()
	t.Cleanup(l.tell)
	return l
}

// tell shows what the hosts said if the test has failed.
func (l *lab) tell() {
	if l.t.Failed() {
		for _, h := range l.hosts {
			l.t.Logf("%s: %s", h.name, h.said)
		}
		for _, s := range l.servers {
			log, err := os.ReadFile(filepath.Join(filepath.Dir(s.config), "log"))
			l.t.Logf("%s: %v\n%s", s.url, err, lastLines(string(log), 20))
		}
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

// natsServer is a server's process.
type natsServer struct {
	program, url, config string
	cmd                  *exec.Cmd
}

// natsProgram builds the server that go.mod pins, once.
var natsProgram = sync.OnceValues(func() (string, error) {
	path, err := filepath.Abs("../../build/nats-server")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

func (l *lab) startServers() {
	l.t.Helper()
	var routes []string
	for i := range 3 {
		routes = append(routes, fmt.Sprintf("nats://%s:%d", l.address, 6221+i))
	}
	for i, route := range routes {
		dir := l.t.TempDir()
		store := dir
		if l.store != nil {
			store = l.store(i)
		}
		s := &natsServer{program: l.nats, url: fmt.Sprintf("%s:%d", l.address, 4221+i),
			config: filepath.Join(dir, "nats.conf")}
		text := fmt.Sprintf("server_name: n%d\nlisten: %q\njetstream { store_dir: %q }\ncluster { name: lab, listen: %q, "+
			"no_advertise: true, routes: [%q, %q, %q] }\nlog_file: %q\n", i+1, s.url, store, strings.TrimPrefix(route, "nats://"),
			routes[0], routes[1], routes[2], filepath.Join(dir, "log"))
		if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
			l.t.Fatal(err)
		}
		l.servers = append(l.servers, s)
		s.start(l.t)
		l.t.Cleanup(s.kill)
	}
}

func (s *natsServer) start(t *testing.T) {
	if s.program == "" {
		var err error
		if s.program, err = natsProgram(); err != nil {
			t.Fatal(err)
		}
	}
	s.cmd = exec.Command(s.program, "-c", s.config)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (s *natsServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// js is a client of the servers for the test itself.
func (l *lab) js() jetstream.JetStream {
	l.t.Helper()
	if l.client != nil {
		return l.client
	}
	var urls []string
	for _, s := range l.servers {
		urls = append(urls, "nats://"+s.url)
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1), nats.ReconnectWait(200*time.Millisecond))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(nc.Close)
	if l.client, err = jetstream.New(nc); err != nil {
		l.t.Fatal(err)
	}
	return l.client
}

// leader asks who leads the stream that counts messages, nil when nobody does.
func (l *lab) leader() *natsServer {
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Second)
	defer cancel()
	for info := range l.js().ListStreams(ctx).Info() {
		if strings.HasPrefix(info.Config.Name, "lab-minute-") && info.Cluster != nil {
			for i, s := range l.servers {
				if info.Cluster.Leader == fmt.Sprintf("n%d", i+1) {
					return s
				}
			}
		}
	}
	return nil
}

// agentHost is a host: an agent's process, its spool, and its links to the servers, which can be cut.
type agentHost struct {
	l      *lab
	name   string
	socket string
	config string
	links  []*link
	within func(func())
	mu     sync.Mutex
	cmd    *exec.Cmd
	said   *ready.Output
}

// addHost starts a host.
func (l *lab) addHost() *agentHost {
	l.t.Helper()
	dir := l.t.TempDir()
	h := &agentHost{l: l, name: fmt.Sprintf("h%d", len(l.hosts)+1), socket: filepath.Join(dir, "s"),
		config: filepath.Join(dir, "c.toml")}
	text := ""
	if len(l.pool) > 0 {
		text = fmt.Sprintf("mailboxes = [\"%s\"]\n", strings.Join(l.pool, `", "`))
	}
	text += l.em.ConfigTOML(filepath.Join(dir, "cache")) + fmt.Sprintf("\n[agent]\nsocket = %q\n[spool]\ndir = %q\n"+
		"[log]\nto = \"stderr\"\n[delivery]\nmode = \"background\"\n%s",
		h.socket, filepath.Join(dir, "spool"), l.more)
	if l.fleet {
		var urls []string
		for _, s := range l.servers {
			h.links = append(h.links, newLink(l.t, cmp.Or(l.near, "127.0.0.1:0"), s.url))
			urls = append(urls, fmt.Sprintf("%q", "nats://"+h.links[len(h.links)-1].addr()))
		}
		text += fmt.Sprintf("[fleet]\nname = \"lab\"\nhost = %q\nservers = [%s]\n", h.name, strings.Join(urls, ", "))
	}
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	h.within = l.within
	h.start()
	l.hosts = append(l.hosts, h)
	l.t.Cleanup(h.kill)
	return h
}

func (h *agentHost) start() {
	h.l.t.Helper()
	cmd := exec.Command(h.l.program, "serve", "-C", h.config)
	cmd.Args[0] = "o365-sendmail" // as the whole program calls it
	var said *ready.Output
	begin := func() { said = ready.Start(h.l.t, cmd) }
	if h.within != nil {
		h.within(begin)
	} else {
		begin()
	}
	if said == nil {
		h.l.t.FailNow() // it has said why
	}
	h.mu.Lock()
	h.cmd, h.said = cmd, said
	h.mu.Unlock()
}

func (h *agentHost) signal(s syscall.Signal) { _ = h.cmd.Process.Signal(s) }

func (h *agentHost) kill() {
	h.signal(syscall.SIGCONT)
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// cut ends what goes between host and servers, and lets nothing new through until it is restored.
func (h *agentHost) cut(off bool) {
	for _, k := range h.links {
		k.cut(off)
	}
}

// send, as root, who may use up the whole limit, hands the agent a message, and keeps its subject when it was accepted.
func (h *agentHost) send() error {
	subject := fmt.Sprintf("%s-%d", h.name, h.l.number.Add(1))
	conn, err := net.DialTimeout("unix", h.socket, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	c := textproto.NewConn(conn)
	if _, _, err := c.ReadResponse(220); err != nil {
		return err
	}
	for _, step := range []struct {
		line string
		code int
	}{
		{"EHLO test", 250}, {"MAIL FROM:<" + h.l.em.Mailbox + ">", 250}, {"RCPT TO:<someone@example.org>", 250}, {"DATA", 354},
		{"From: " + h.l.em.Mailbox + "\r\nTo: someone@example.org\r\nSubject: " + subject + "\r\n\r\nHello.\r\n.", 250},
	} {
		if err := c.PrintfLine("%s", step.line); err != nil {
			return err
		}
		if _, _, err := c.ReadResponse(step.code); err != nil {
			return err
		}
	}
	h.l.sent.Store(subject, true)
	return nil
}

// shows has the test fail unless these lines are in the host's metrics, sooner or later.
func (h *agentHost) shows(lines ...string) {
	h.l.t.Helper()
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", control.SocketPath(h.socket))
		}}}
	var text []byte
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		if r, err := c.Get("http://agent/metrics"); err == nil {
			text, _ = io.ReadAll(r.Body)
			_ = r.Body.Close()
		}
		missing := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
			return strings.Contains(string(text), "\no365_sendmail_"+line+"\n")
		})
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			h.l.t.Errorf("%s's metrics lack %q:\n%s", h.name, missing, text)
			return
		}
	}
}

// verdict is what the emulator has counted.
type verdict struct {
	sent, arrived, distinct, duplicates, lost int
	inMinute, sessions                        int
	refused                                   map[string]int
	took                                      time.Duration   // from the first message to the last
	tenths                                    []time.Duration // when each tenth message came
}

func (l *lab) judge() (v verdict) {
	times := map[string]int{}
	var at []time.Time
	for _, m := range l.em.Messages() {
		times[m.Header("Subject")]++
		at = append(at, m.At)
		v.arrived++
	}
	slices.SortFunc(at, time.Time.Compare)
	for i, first := 0, 0; i < len(at); i++ {
		for at[i].Sub(at[first]) >= time.Minute {
			first++
		}
		v.inMinute = max(v.inMinute, i-first+1)
	}
	for i := 0; i < len(at); i += 10 {
		v.tenths = append(v.tenths, at[i].Sub(at[0]).Round(time.Second/10))
	}
	if len(at) > 0 {
		v.took = at[len(at)-1].Sub(at[0])
	}
	l.sent.Range(func(subject, _ any) bool {
		v.sent++
		if times[subject.(string)] == 0 {
			v.lost++
		}
		return true
	})
	v.distinct = len(times)
	v.duplicates = v.arrived - v.distinct
	s := l.em.Stats()
	v.sessions, v.refused = s.MaxConcurrent, s.Refused
	return v
}

func (v verdict) refusals() (n int) {
	for _, k := range v.refused {
		n += k
	}
	return n
}

func (v verdict) String() string {
	return fmt.Sprintf("%d accepted, %d arrived (%d twice), %d not, in %v (%.1f a minute); most %d in 60 s, %d sessions; "+
		"%d refusals %v", v.sent, v.arrived, v.duplicates, v.lost, v.took.Round(time.Second),
		float64(v.arrived)/max(v.took.Minutes(), 1e-9), v.inMinute, v.sessions, v.refusals(), v.refused)
}

// wait waits until all that was accepted has arrived.
func (l *lab) wait(most time.Duration) verdict {
	for end := time.Now().Add(most); ; time.Sleep(200 * time.Millisecond) {
		if v := l.judge(); v.lost == 0 || time.Now().After(end) {
			return v
		}
	}
}

// link carries bytes between a host and a server.
type link struct {
	l      net.Listener
	server string
	delay  atomic.Int64
	mu     sync.Mutex
	off    bool
	open   map[net.Conn]bool
}

func newLink(t *testing.T, addr, server string) *link {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	k := &link{l: l, server: server, open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = l.Close(); k.cut(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go k.carry(c)
		}
	}()
	return k
}

func (k *link) addr() string { return k.l.Addr().String() }

func (k *link) keep(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.off {
		_ = c.Close()
		return false
	}
	k.open[c] = true
	return true
}

func (k *link) carry(c net.Conn) {
	s, err := net.Dial("tcp", k.server)
	if err != nil {
		_ = c.Close()
		return
	}
	if !k.keep(c) || !k.keep(s) {
		_ = c.Close()
		_ = s.Close()
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, s}, {s, c}} {
		both.Go(func() {
			k.copy(way[1], way[0])
			_ = c.Close()
			_ = s.Close()
		})
	}
	both.Wait()
	k.mu.Lock()
	delete(k.open, c)
	delete(k.open, s)
	k.mu.Unlock()
}

// copy copies, each piece after the delay.
func (k *link) copy(to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			time.Sleep(time.Duration(k.delay.Load()))
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (k *link) cut(off bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.off = off
	if off {
		for c := range k.open {
			_ = c.Close()
		}
	}
}
