//go:build system

package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lab is what the tests share: one Postfix, one emulator. TestMain makes it.
var lab *laboratory

type laboratory struct {
	work, root string // scratch directory; repository
	authority  *authority
	sink       *sink
	postfix    *postfix
	emulator   *emulatorProcess
	agent      *agentProcess
	program    string // a copy of the program under test that every user can run

	calls   atomic.Int64
	mu      sync.Mutex
	secrets []string // must not turn up in anything collected
	once    []seen   // must have arrived once
}

func newLab(work, root string) (*laboratory, error) {
	l := &laboratory{work: work, root: root}
	for _, dir := range []string{"authority", "postfix", "emulator", "agent", "program", "collected", "home"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			return nil, err
		}
	}
	var err error
	if l.authority, err = newAuthority(filepath.Join(work, "authority")); err != nil {
		return nil, fmt.Errorf("token endpoint: %w", err)
	}
	l.secrets = append(l.secrets, l.authority.clientSecret)
	if l.sink, err = newSink(); err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	if l.postfix, err = newPostfix(filepath.Join(work, "postfix"), l.authority, l.sink); err != nil {
		return nil, err
	}
	if l.emulator, err = startEmulator(filepath.Join(work, "emulator"),
		filepath.Join(root, "bin", "m365-emulator")); err != nil {
		return nil, fmt.Errorf("emulator: %w", err)
	}
	l.secrets = append(l.secrets, l.emulator.clientSecret)
	l.program = filepath.Join(work, "program", "sendmail")
	if err := copyProgram(filepath.Join(root, "bin", "sendmail"), l.program); err != nil {
		return nil, err
	}
	if l.agent, err = startAgent(filepath.Join(work, "agent"), l.program, l.emulator); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	return l, nil
}

// tearDown stops the daemons and looks for secrets in all that the run left
// behind. It returns the exit code, 1 if there was one.
func tearDown(code int) int {
	if lab == nil {
		return code
	}
	for _, c := range lab.findCopies() {
		fmt.Println("system tests: FAIL:", c)
		code = 1
	}
	for _, d := range append([]*daemon{lab.agent.daemon, lab.emulator.daemon}, lab.postfix.daemons...) {
		select {
		case <-d.done:
			fmt.Printf("system tests: FAIL: %s ended before the tests: %v\n", d.name, d.cmd.ProcessState)
			code = 1
		default:
		}
	}
	lab.agent.daemon.stop()
	lab.postfix.stop()
	lab.emulator.daemon.stop()
	found, searched, err := lab.findSecrets()
	if err != nil {
		fmt.Println("system tests: FAIL: secret search:", err)
		return 1
	}
	fmt.Printf("secret search: %d files with %d bytes of logs, output, transcripts and arguments\n", searched.files,
		searched.bytes)
	for _, f := range found {
		fmt.Println("system tests: FAIL: secret search:", f)
		code = 1
	}
	return code
}

// A target is a server that messages can be sent to and looked up at.
type target interface {
	name() string
	// config is the program's configuration file for this server.
	config(cacheDir string) string
	mailbox() string
	// arrived waits for n messages that contain the text.
	arrived(ctx context.Context, text string, n int) ([]delivery, error)
}

func targets() []target { return []target{lab.emulator, lab.postfix} }

func (p *postfix) name() string { return "postfix" }

func (p *postfix) mailbox() string { return p.authority.mailbox }

func (p *postfix) config(cacheDir string) string { return p.configFor(p.port, cacheDir) }

func (p *postfix) configFor(port int, cacheDir string) string {
	a := p.authority
	return settings{tenant: a.tenant, clientID: a.clientID, secret: a.clientSecret, mailbox: a.mailbox,
		port: port, tokenURL: a.url, caFile: a.caFile}.toml(cacheDir)
}

// noSpool keeps root's messages from the host's own spool, if there is one.
const noSpool = "\n[spool]\ndir = \"\"\n"

// settings are what the configuration file says about a server.
type settings struct {
	tenant, clientID, secret, mailbox string
	port                              int
	tokenURL, caFile                  string
}

func (s settings) toml(cacheDir string) string {
	return fmt.Sprintf(`tenant = %q
client_id = %q
client_secret = %q
mailbox = %q
root_to = "it@contoso.test"

[smtp]
host = "localhost"
port = %d

[token]
url = %q

[tls]
ca_file = %q

[cache]
dir = %q
`+noSpool, s.tenant, s.clientID, s.secret, s.mailbox, s.port, s.tokenURL, s.caFile, cacheDir)
}

func (p *postfix) arrived(ctx context.Context, text string, n int) ([]delivery, error) {
	return p.sink.find(ctx, text, n)
}

// A call is one run of a program that uses /usr/sbin/sendmail, in a mount
// namespace of its own where /etc/o365-sendmail.toml is the config given.
type call struct {
	config string // text of the configuration file; "" = there is none
	cache  string // cache directory, made for the user
	user   string // "" = root
	argv   []string
	stdin  io.Reader
	env    []string // on top of a small environment like a service's
	dir    string   // "" = /
	before string   // shell commands before the program, as root, in the namespace
	daemon bool     // stays root: a daemon that changes to the user by itself
	record recorder // takes the place of /usr/sbin/sendmail; "" = our binary itself is there
}

// A result is what a finished call left.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit %d, stdout %q, stderr %q", r.code, r.stdout, r.stderr)
}

// newCall prepares a call: config and cache are made for this user alone.
func newCall(t *testing.T, to target, user string, argv ...string) *call {
	t.Helper()
	dir := lab.userDir(t, user)
	cache := filepath.Join(dir, "cache")
	c := &call{config: to.config(cache), cache: cache, user: user, argv: argv}
	if to == target(lab.agent) {
		c.before = lab.agent.reach()
	}
	return c
}

// userDir makes a directory that belongs to the user alone.
func (l *laboratory) userDir(t *testing.T, user string) string {
	t.Helper()
	dir := filepath.Join(l.work, "home", fmt.Sprintf("%s-%d", user, l.calls.Add(1)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if user != "" {
		if err := chown(dir, user, user); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// dir makes a directory of root's that everybody can read.
func (l *laboratory) dir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(l.work, "home", fmt.Sprintf("dir-%d", l.calls.Add(1)))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// command makes the exec.Cmd of a call; the caller may change it before it starts.
func (c *call) command(t *testing.T) *exec.Cmd {
	t.Helper()
	config := filepath.Join(lab.work, "home", fmt.Sprintf("config-%d.toml", lab.calls.Add(1)))
	group := "root"
	if c.user != "" {
		group = c.user
	}
	if err := os.WriteFile(config, []byte(c.config), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := chown(config, "root", group); err != nil {
		t.Fatal(err)
	}
	script := `set -e; exec 3<&-; `
	if c.record != "" {
		script += `mount --bind '` + c.record.wrapper() + `' /usr/sbin/sendmail; `
	}
	argv := []string{"-m", "--", "sh", "-c", "", "sh"}
	if c.config != "" {
		script += `touch /etc/o365-sendmail.toml; mount --bind '` + config + `' /etc/o365-sendmail.toml; `
	}
	if c.before != "" {
		script += c.before + "; "
	}
	argv[4] = script + `exec "$@"`
	if c.user != "" && !c.daemon {
		argv = append(argv, "setpriv", "--reuid", c.user, "--regid", c.user, "--init-groups", "--")
	}
	cmd := exec.Command("/usr/bin/unshare", append(argv, c.argv...)...)
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C.UTF-8", "HOME=" +
		filepath.Dir(c.cache)}, c.env...)
	cmd.Dir = c.dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.Stdin = c.stdin
	return cmd
}

// run runs a call to its end, for at most a minute, and keeps what it printed
// for the search for secrets.
func (c *call) run(t *testing.T) result {
	t.Helper()
	cmd := c.command(t)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A grandchild that holds the pipes must not hold the test.
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("%q: %v", c.argv, err)
	}
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if !timer.Stop() {
		t.Errorf("%q: still running after a minute: killed", c.argv)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%q: %v", c.argv, err)
	}
	r := result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	lab.collect(t, strings.Join(c.argv, " ")+"\n"+r.stdout+r.stderr)
	return r
}

// keepSecret adds a secret to those that must not turn up.
func (l *laboratory) keepSecret(secret string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secrets = append(l.secrets, secret)
}

// collect keeps text for the search for secrets at the end.
func (l *laboratory) collect(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(l.work, "collected", fmt.Sprintf("%04d", l.calls.Add(1)))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sendmail calls the program under test with a message, at a target.
func sendmail(t *testing.T, to target, message string, args ...string) result {
	t.Helper()
	c := newCall(t, to, "", append([]string{"/usr/sbin/sendmail"}, args...)...)
	c.stdin = strings.NewReader(message)
	return c.run(t)
}

// one waits for the message with the marker and fails unless it came exactly
// once. That no copy came later is checked when all tests are done.
func one(t *testing.T, to target, marker string) delivery {
	t.Helper()
	return within(t, 30*time.Second, to, marker)
}

func within(t *testing.T, limit time.Duration, to target, marker string) delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	found, err := to.arrived(ctx, marker, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("%d copies of %q arrived at %s, want one", len(found), marker, to.name())
	}
	lab.mu.Lock()
	defer lab.mu.Unlock()
	lab.once = append(lab.once, seen{to, marker})
	return found[0]
}

// A seen is a message that arrived, which must not arrive again.
type seen struct {
	to     target
	marker string
}

// findCopies says which messages arrived more than once.
func (l *laboratory) findCopies() (copies []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, s := range l.once {
		if found, err := s.to.arrived(ctx, s.marker, 1); err != nil || len(found) != 1 {
			copies = append(copies, fmt.Sprintf("%d copies of %q arrived at %s: %v", len(found), s.marker, s.to.name(),
				err))
		}
	}
	return copies
}

func containsText(data []byte, text string) bool { return bytes.Contains(data, []byte(text)) }
