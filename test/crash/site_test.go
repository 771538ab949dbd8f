//go:build crash

package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/spool"
)

const (
	systemConfig = config.SystemPath
	// patience bounds every wait; the machine may be busy with other things.
	patience = 60 * time.Second
)

// site is an emulator, a configuration for it, and the spool.
type site struct {
	*emulator.Emulator
	t      testing.TB
	dir    string
	config string
	socket string
	extra  string // tables of the configuration
	alerts bool   // whether they are sent
}

// newSite makes one; extra is added to the configuration. Its limits are off.
func newSite(t testing.TB, extra string, change ...func(*emulator.Options)) *site {
	t.Helper()
	dir, err := os.MkdirTemp(work, "site-")
	if err != nil {
		t.Fatal(err)
	}
	o := emulator.Options{Control: "-", State: func(s *emulator.State) {
		s.Exchange.Tarpit, s.Limits.PerMinute, s.Limits.RecipientsPerDay = 0, 0, 0
	}}
	for _, f := range change {
		f(&o)
	}
	em, err := emulator.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := em.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{Emulator: em, t: t, dir: dir, config: filepath.Join(dir, "config.toml"),
		socket: filepath.Join(dir, "run", "submit.sock"), extra: extra}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.write()
	return s
}

// write writes the configuration.
func (s *site) write() {
	s.t.Helper()
	text := s.ConfigTOML(s.dir)
	if !s.alerts { // they would be counted with the messages
		text = strings.Replace(text, "alert_to ", "#", 1)
	}
	tables := s.extra
	text += fmt.Sprintf("\n[log]\nto = %q\n", s.logFile())
	for _, table := range [][2]string{
		{"spool", fmt.Sprintf("dir = %q\nkeep_free = \"0B\"\n", s.spoolDir())},
		{"agent", fmt.Sprintf("socket = %q\ndrain_timeout = \"5s\"\n", s.socket)},
		{"delivery", "messages_per_minute = 0\nrecipients_per_day = 0\nwait = \"3s\"\n"},
	} {
		name := "[" + table[0] + "]"
		if strings.Contains(tables, name+"\n") {
			keys := keep(table[1], tables)
			tables = strings.Replace(tables, name+"\n", name+"\n"+keys, 1)
		} else {
			tables += "\n" + name + "\n" + table[1]
		}
	}
	if err := os.WriteFile(s.config, []byte(text+"\n"+tables), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// keep drops the lines of keys whose key is set in tables.
func keep(keys, tables string) string {
	var b strings.Builder
	for line := range strings.Lines(keys) {
		key, _, _ := strings.Cut(line, " ")
		if !strings.Contains(tables, "\n"+key+" =") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func (s *site) spoolDir() string { return filepath.Join(s.dir, "spool") }
func (s *site) logFile() string  { return filepath.Join(s.dir, "log") }

func (s *site) log() string {
	b, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	if len(b) > 8<<10 {
		b = b[len(b)-8<<10:]
	}
	return string(b)
}

// down closes or opens the SMTP port.
func (s *site) down(closed bool) {
	s.Update(func(st *emulator.State) { st.Network.SMTPClosed = closed })
}

// queued counts the messages in the queue.
func (s *site) queued() int {
	all, err := filepath.Glob(filepath.Join(s.spoolDir(), "queue", "*.msg"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(all)
}

// until waits for a condition.
func (s *site) until(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: not in time\n%s", what, s.log())
		}
	}
}

// result is how a process ended.
type result struct {
	code   int // -1 when it was killed
	killed bool
	stderr string
}

// environment is what every process gets.
func environment(more ...string) []string {
	return append([]string{"HOME=/nonexistent", "PATH=/usr/bin:/bin"}, more...)
}

// inFile is from how many bytes on the input of a command is a file.
const inFile = 300_000

// run runs a command to its end.
func run(t testing.TB, cmd *exec.Cmd, input string) result {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), &stderr
	if len(input) >= inFile { // a client leaves it where it is
		path := filepath.Join(t.TempDir(), "input")
		f, err := os.Create(path)
		if err == nil {
			_, err = f.WriteString(input)
		}
		if err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		defer os.Remove(path)
		cmd.Stdin = f
	}
	cmd.WaitDelay = patience
	err := cmd.Run()
	r, ended := resultOf(cmd, err)
	if !ended {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	r.stderr = stderr.String()
	r.killed = r.killed || broken(r.stderr)
	return r
}

// broken reports whether an injected error has hit the runtime's own descriptor for waking a
// thread, which no kernel lets fail. It is as good as a kill.
func broken(stderr string) bool {
	return strings.HasPrefix(stderr, "runtime: netpollBreak write failed")
}

func resultOf(cmd *exec.Cmd, err error) (r result, ended bool) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState == nil {
		return r, false
	}
	st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		return r, false
	}
	r.code, r.killed = st.ExitStatus(), st.Signaled()
	return r, true
}

// sendmail runs the program with the site's configuration.
func (s *site) sendmail(input string, args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"-C", s.config}, args...)...)
	cmd.Env = environment()
	return run(s.t, cmd, input)
}

// quiet waits until no connection to the server is open: the server then has seen all that a
// killed client had sent.
func (s *site) quiet() {
	s.t.Helper()
	s.until("the connections end", func() bool { return !connected(s.t, s.SMTPPort()) })
}

// connected reports whether a connection of the server's side is open.
func connected(t testing.TB, port int) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	local := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		// 01 is established, 08 waits for us to close.
		if len(f) > 3 && strings.HasSuffix(f[1], local) && (f[3] == "01" || f[3] == "08") {
			return true
		}
	}
	return false
}

// open opens the spool as a process would that comes a day and a half later, when
// leftovers are old.
func (s *site) openSpool() *spool.Spool {
	s.t.Helper()
	sp, err := spool.Open(spool.Options{Dir: s.spoolDir(),
		Now:  func() time.Time { return time.Now().Add(37 * time.Hour) },
		Warn: func(err error) { s.t.Errorf("spool: %v", err) }})
	if err != nil {
		s.t.Fatal(err)
	}
	return sp
}

// clean checks that nothing is left in the spool after a sweep.
func (s *site) clean() {
	s.t.Helper()
	sp := s.openSpool()
	defer sp.Close()
	swept, err := sp.Sweep(context.Background())
	if err != nil || swept.Messages != 0 || swept.Quarantined != 0 {
		s.t.Errorf("sweep: %+v, %v", swept, err)
	}
	for _, dir := range []string{"queue", "failed"} {
		entries, err := os.ReadDir(filepath.Join(s.spoolDir(), dir))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range entries {
			s.t.Errorf("left in the spool: %s/%s", dir, e.Name())
		}
	}
}

// process is an agent.
type process struct {
	*exec.Cmd
	s      *site
	stderr bytes.Buffer
	done   chan struct{} // closed when it has ended
	result result
}

// agent starts an agent by way of tracer, which are arguments of strace, none for no tracer.
func (s *site) agent(tracer ...string) *process {
	s.t.Helper()
	args := append(append([]string{}, tracer...), agentProgram, "serve", "-C", s.config)
	p := &process{Cmd: exec.Command(args[0], args[1:]...), s: s, done: make(chan struct{})}
	p.Env, p.Stderr = environment("GOMAXPROCS=1"), &p.stderr
	p.WaitDelay = time.Second
	if len(tracer) == 0 {
		p.Env = environment()
	}
	p.start()
	return p
}

func (p *process) start() {
	p.s.t.Helper()
	if err := p.Start(); err != nil {
		p.s.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		r, ended := resultOf(p.Cmd, p.Wait())
		if !ended {
			r = result{code: -1}
		}
		p.result = r
	}()
	p.s.t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		<-p.done
	})
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// answers waits until it takes connections, and reports whether it does: it may have died.
func (p *process) answers() bool {
	p.s.t.Helper()
	up := false
	p.s.until("the agent answers", func() bool {
		c, err := net.Dial("unix", p.s.socket)
		if err != nil {
			return p.ended()
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		b := make([]byte, 4)
		n, err := c.Read(b)
		up = err == nil && string(b[:n]) == "220 "
		return up || p.ended()
	})
	return up
}

// end asks the agent to stop, and waits.
func (p *process) end() result {
	p.s.t.Helper()
	_ = p.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(patience):
		p.s.t.Fatal("the agent does not stop")
	}
	p.result.killed = p.result.killed || broken(p.stderr.String())
	return p.result
}

// client runs the program without a configuration: it can only reach the agent.
func (s *site) client(input string, args ...string) result {
	s.t.Helper()
	return s.tracedClient(nil, input, args...)
}

// tracedClient is client, under strace if there are arguments for it.
func (s *site) tracedClient(strace []string, input string, args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all := slices.Concat([]string{program}, args)
	if strace != nil {
		all = slices.Concat([]string{"strace"}, strace, all)
	}
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.Env = environment("GOMAXPROCS=1")
	return run(s.t, cmd, input)
}

// oneLine reports whether a process that failed said why, in one line for people.
func oneLine(r result) bool {
	switch {
	case r.killed:
		return true
	case r.code == 0:
		return r.stderr == ""
	}
	return strings.HasPrefix(r.stderr, "sendmail: ") && strings.Count(r.stderr, "\n") == 1 &&
		!strings.Contains(r.stderr, "goroutine")
}

// infoCheck complains of messages that can't be read.
func infoCheck(t testing.TB, p point) func(spool.Info) bool {
	return func(i spool.Info) bool {
		if i.Err != nil {
			t.Errorf("%v: %s: %v", p, i.ID, i.Err)
		}
		return true
	}
}

// message is a message in wire form.
type message string

func (m message) Size() int64 { return int64(len(m)) }
func (m message) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(m))), nil
}
