package agent

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/smtpd"
	"o365-sendmail/internal/spool"
)

// site is an emulator with an agent in front of it.
type site struct {
	*emulator.Emulator
	t           testing.TB
	dir, config string
	socket      string
	reload      chan os.Signal
	stop        context.CancelFunc
	done        chan error
	timeouts    smtpd.Timeouts
	agent       *Agent
	sharer      func(envelope.Caller, net.Conn) who // if set, and then nobody is root or the service user
}

// newSite makes an emulator and a configuration, to which extra is added.
func newSite(t testing.TB, extra string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{Emulator: emulator.New(t), t: t, dir: dir, config: filepath.Join(dir, "config.toml"), socket: filepath.Join(dir, "run", "submit.sock"), reload: make(chan os.Signal, 1)}
	s.write(s.toml(extra))
	return s
}

// toml is a whole configuration. Tables of extra must be ones that it does not have.
func (s *site) toml(extra string) string {
	// Alerts would be counted with the messages.
	base := strings.Replace(s.ConfigTOML(s.dir), "alert_to ", "#", 1)
	return base + "\n[log]\nto = \"" + filepath.Join(s.dir, "log") + "\"\n[spool]\ndir = \"" + filepath.Join(s.dir, "spool") +
		"\"\nkeep_free = \"0B\"\n[agent]\nsocket = \"" + s.socket + "\"\ndrain_timeout = \"5s\"\n" + extra
}

func (s *site) write(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start runs the agent until the test ends.
func (s *site) start() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan struct{})
	s.done = make(chan error, 1)
	var once sync.Once
	s.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-s.done; err != nil {
				s.t.Errorf("the agent ended: %v", err)
			}
		})
	}
	go func() {
		s.agent = newAgent(Options{
			ConfigPath: s.config, HostName: "web1", Getenv: func(string) string { return "" }, Now: time.Now, Stderr: io.Discard,
			Reload: s.reload, Started: func() { close(started) }, Timeouts: s.timeouts, Look: 20 * time.Millisecond,
		})
		if s.sharer != nil {
			s.agent.sharer, s.agent.trusted = s.sharer, func(int) bool { return false }
		}
		s.done <- s.agent.run(ctx)
	}()
	select {
	case <-started:
	case err := <-s.done:
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.stop)
}

func (s *site) log() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(b)
}

// message is a message of the caller's in wire form.
type message struct{ text string }

func (m message) Size() int64                  { return int64(len(m.text)) }
func (m message) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(m.text)), nil }

func to(addrs ...string) *envelope.Envelope {
	env := &envelope.Envelope{Sender: "www-data"}
	for _, a := range addrs {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: a})
	}
	return env
}

func (s *site) dial() (*route.Conn, error) {
	return route.Dial(context.Background(), route.AgentOptions{Path: s.socket, HostName: "web1"})
}

// send hands one message over.
func (s *site) send(env *envelope.Envelope, o envelope.Options, text string) (envelope.Receipt, error) {
	c, err := s.dial()
	if err != nil {
		return envelope.Receipt{}, err
	}
	defer c.Close()
	return c.Send(context.Background(), env, o, message{text})
}

// arrived waits until n messages are there.
func (s *site) arrived(n int) []emulator.Message {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := s.WaitMessages(ctx, n); err != nil {
		s.t.Fatalf("%d messages arrived, want %d: %v\n%s", len(s.Messages()), n, err, s.log())
	}
	return s.Messages()
}

// until waits for a condition.
func (s *site) until(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: not in time\n%s", what, s.log())
		}
	}
}

func (s *site) queued() int {
	all, _ := filepath.Glob(filepath.Join(s.dir, "spool", "queue", "*.msg"))
	return len(all)
}

// info looks at a message in the spool.
func (s *site) info(id string) (spool.Info, error) {
	sp, err := spool.Open(spool.Options{Dir: filepath.Join(s.dir, "spool")})
	if err != nil {
		return spool.Info{}, err
	}
	defer sp.Close()
	return sp.Get(id)
}

type emulatorState = emulator.State

// stall makes Exchange fall silent at a stage.
func (s *site) stall(stage string) {
	s.t.Helper()
	if err := s.Script(emulator.Rule{Stage: stage, Then: emulator.Stall}); err != nil {
		s.t.Fatal(err)
	}
}
