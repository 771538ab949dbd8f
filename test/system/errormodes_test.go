//go:build system

package system

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// A mix is what becomes of the recipients of one call, with the exit code of the modes that tell it.
type mix struct {
	name   string
	args   []string // recipients
	stdin  string
	fault  *emulator.Rule
	exit   int
	got    []string // who gets the message
	failed []string // whom a report names
	bare   bool     // the report does not hold the message
}

const plainText = "Subject: the message\n\nhello\n"

// atDot refuses the first message at the end of its data.
var atDot = &emulator.Rule{Stage: "dot", First: 1,
	Reply: "554 5.6.0 STOREDRV.Submission.Exception; the message is refused"}

var mixes = []mix{
	{name: "one refused at RCPT", args: []string{"reject-a@example.org"}, stdin: plainText, exit: 67,
		failed: []string{"reject-a@example.org"}},
	{name: "all refused at RCPT", args: []string{"reject-a@example.org", "reject-b@example.org"},
		stdin: plainText, exit: 67,
		failed: []string{"reject-a@example.org", "reject-b@example.org"}},
	{name: "one refused at the dot", args: []string{"a@example.org"}, stdin: plainText, fault: atDot, exit: 65,
		failed: []string{"a@example.org"}},
	{name: "all refused at the dot", args: []string{"a@example.org", "b@example.org"}, stdin: plainText,
		fault: atDot, exit: 65,
		failed: []string{"a@example.org", "b@example.org"}},
	{name: "refused at RCPT and at the dot", args: []string{"reject-a@example.org", "b@example.org"}, stdin: plainText,
		fault: atDot, exit: -1,
		failed: []string{"reject-a@example.org", "b@example.org"}},
	{name: "no argument is an address", args: []string{"joe@", "@example.org"}, stdin: plainText, exit: 65,
		failed: []string{"joe@", "@example.org"}},
	{name: "no address in the header", args: []string{"-t"}, stdin: "To: joe@\nCc: @example.org\n" + plainText,
		exit: 65, failed: []string{"joe@", "@example.org"}},
	{name: "too large", args: []string{"a@example.org", "b@example.org"},
		stdin: strings.Repeat("Subject: large\n\n"+strings.Repeat("x", 70)+"\n", 2000), exit: 65,
		failed: []string{"a@example.org", "b@example.org"}, bare: true},
	{name: "good and refused", args: []string{"a@example.org", "reject-b@example.org"}, stdin: plainText, exit: 67,
		got: []string{"a@example.org"}, failed: []string{"reject-b@example.org"}},
	{name: "good and no address", args: []string{"a@example.org", "joe@"}, stdin: plainText, exit: 65,
		got: []string{"a@example.org"}, failed: []string{"joe@"}},
	{name: "all of it, with -t", args: []string{"-t", "reject-b@example.org"}, stdin: "To: joe@, a@example.org\n" +
		plainText, exit: -1,
		got: []string{"a@example.org"}, failed: []string{"reject-b@example.org", "joe@"}},
}

// TestErrorModes: what each error mode promises holds on every route and for every mix of recipients.
func TestErrorModes(t *testing.T) {
	t.Parallel()
	for _, mode := range "mewpq" {
		for _, way := range ways {
			t.Run(fmt.Sprintf("-oe%c/%s", mode, way), func(t *testing.T) {
				t.Parallel()
				r := newRoute(t, way, "max_size = \"100KiB\"\n")
				for _, m := range mixes {
					t.Run(m.name, func(t *testing.T) { m.try(t, r, mode) })
				}
			})
		}
	}
}

// try makes the call. A mix with the exit code -1 has several reasons, and any of their codes.
func (m *mix) try(t *testing.T, r *route, mode rune) {
	var rules []emulator.Rule
	if m.fault != nil {
		rules = append(rules, *m.fault)
	}
	must(t, r.emulator.Script(rules...))
	before := len(r.arrived())
	got := r.send(t, m.stdin, append([]string{"-i", fmt.Sprintf("-oe%c", mode)}, m.args...)...)
	wrong := got.code != m.exit
	switch {
	case mode == 'e':
		wrong = got.code != 0
	case m.exit < 0:
		wrong = got.code == 0
	}
	if wrong {
		t.Errorf("%v, want exit code %d", got, m.exit)
	}
	if printed := got.stderr != ""; printed != (mode == 'p') {
		t.Errorf("stderr %q", got.stderr)
	}
	for _, f := range m.failed {
		if mode == 'p' && m.fault == nil && !m.bare && !strings.Contains(got.stderr, f) {
			t.Errorf("stderr has no %s: %q", f, got.stderr)
		}
	}
	report := strings.ContainsRune("mew", mode)
	want := before
	if len(m.got) > 0 {
		want++
	}
	if report {
		want++
	}
	r.settle(t, want)
	m.judge(t, r.arrived()[before:], report)
}

func (m *mix) judge(t *testing.T, arrived []emulator.Message, report bool) {
	t.Helper()
	var to, failed []string
	reports := 0
	for _, a := range arrived {
		text := string(a.Data)
		if !strings.Contains(text, "report-type=delivery-status") {
			for _, rc := range a.Recipients {
				to = append(to, rc.Address)
			}
			continue
		}
		reports++
		for line := range strings.Lines(text) {
			if f, ok := strings.CutPrefix(line, "Final-Recipient: rfc822;"); ok {
				failed = append(failed, strings.TrimSpace(f))
			}
		}
		if !m.bare && !strings.Contains(text, "Subject: the message") {
			t.Errorf("the report does not hold the message:\n%s", text)
		}
	}
	want := m.failed
	if !report {
		want = nil
	}
	slices.Sort(failed)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(failed, want) || report && reports != 1 {
		t.Errorf("%d reports on %q, want one on %q", reports, failed, want)
	}
	if !slices.Equal(to, m.got) {
		t.Errorf("it went to %q, want %q", to, m.got)
	}
}

// A route is a way from a call of sendmail to an emulator of its own.
type route struct {
	emulator *emulator.Emulator
	program  string
	config   string
	run      string // what the agent has below /run/o365-sendmail
	before   string // a shell command of the call's
	queue    string // the spool's directory, "" for none
	first    int    // messages of its own
	daemon   *daemon
}

// newRoute makes a route by its name. keys are added to the table [delivery] of the configuration.
func newRoute(t *testing.T, way, keys string) *route {
	t.Helper()
	e, dir := emulator.New(t), lab.userDir(t, "www-data")
	must(t, os.Chmod(dir, 0o755))
	r := &route{emulator: e, program: lab.program}
	if way != "direct" {
		r.queue = filepath.Join(dir, "spool")
	}
	text := e.ConfigTOML(dir) + fmt.Sprintf("\n[spool]\ndir = %q\n[from]\nhost_name = \"web1.example\"\n[log]\n"+
		"to = %q\n[delivery]\nmessages_per_minute = 100000\n%s",
		r.queue, filepath.Join(dir, "log"), keys)
	if way == "direct" || way == "direct with a spool" {
		r.config = text
		return r
	}
	run, file := filepath.Join(dir, "run"), filepath.Join(dir, "config.toml")
	r.run = run
	must(t, os.Mkdir(run, 0o755))
	must(t, os.WriteFile(file, []byte(text+"\n[agent]\nsocket = \""+filepath.Join(run, "submit.sock")+"\"\n"), 0o600))
	var err error
	r.daemon, err = startDaemon(filepath.Join(dir, "out"), filepath.Join(filepath.Dir(lab.program), "o365-sendmail"),
		"serve", "-C", file)
	must(t, err)
	t.Cleanup(r.daemon.stop)
	must(t, r.daemon.until(10*time.Second, func() error {
		c, err := net.Dial("unix", filepath.Join(run, "submit.sock"))
		if err == nil {
			c.Close()
		}
		return err
	}))
	r.before = "mkdir -p /run/o365-sendmail; mount --bind '" + run + "' /run/o365-sendmail"
	if way == "front" {
		r.program = buildFront(t)
	}
	// Until its engine runs an agent queues everything, and refusals come by mail.
	if got := r.send(t, plainText, "-i", "first@example.org"); got.code != 0 {
		t.Fatal(got)
	}
	r.settle(t, 1)
	r.first = 1
	return r
}

// arrived returns what has come by the route.
func (r *route) arrived() []emulator.Message { return r.emulator.Messages()[r.first:] }

// send runs sendmail as www-data.
func (r *route) send(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	dir := lab.userDir(t, "www-data")
	c := &call{config: r.config, cache: filepath.Join(dir, "cache"), user: "www-data", before: r.before,
		argv: append([]string{r.program}, args...)}
	c.stdin = strings.NewReader(stdin)
	return c.run(t)
}

// settle waits until n messages have arrived and nothing is queued.
func (r *route) settle(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if len(r.arrived()) >= n && r.waiting(t) == 0 {
			break
		}
	}
	if got := len(r.arrived()); got != n || r.waiting(t) > 0 {
		t.Errorf("%d messages arrived, want %d; %d wait", got, n, r.waiting(t))
	}
}

// waiting counts the messages of the queue.
func (r *route) waiting(t *testing.T) int {
	if r.queue == "" {
		return 0
	}
	files, err := filepath.Glob(filepath.Join(r.queue, "queue", "*"))
	must(t, err)
	return len(files)
}
