//go:build callers

package callers

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"o365-sendmail/internal/emulator"
)

var update = flag.Bool("update", false, "write the page in docs")

const (
	repository = "../.."
	cache      = repository + "/build/callers"
	mailbox    = "noreply@contoso.test"
)

// quiet keeps the emulator's transcript out of a failure's output.
type quiet struct{ *testing.T }

func (quiet) Log(...any)          {}
func (quiet) Logf(string, ...any) {}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// debian is the folder of a system with the packages in it.
func debian(t *testing.T, name string, packages ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it needs root, for chroots and namespaces")
	}
	// Go's "./..." is not to go in there.
	must(t, os.MkdirAll(cache, 0o755))
	must(t, os.WriteFile(filepath.Join(cache, "go.mod"), []byte("module callers\n"), 0o644))
	cmd := exec.Command("./debian.sh", append([]string{name, cache}, packages...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("debian.sh %s: %v", name, err)
	}
	root, err := filepath.Abs(strings.TrimSpace(string(out)))
	must(t, err)
	return root
}

// version is that of a package in a system.
func version(t *testing.T, root, name string) string {
	t.Helper()
	out, err := exec.Command("chroot", root, "dpkg-query", "-W", "-f", "${Version}", name).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

// scenario is a script with what is expected of it in comments at its top.
type scenario struct {
	name, pkg, note string
	user            string
	to              []string // recipients of each message, in any order
	differs         string   // the field that the program has reason to add, with the reason in the note
	script          string
	background      bool   // sendmail is called by a process that nobody waits for
	smtp            bool   // it speaks SMTP to the agent; its own copy of the message is the truth
	where           string // what has to be true where sendmail runs; "" = anything
}

var headLine = regexp.MustCompile(`(?m)^# (name|package|as|to|note|differs|background|smtp): (.*)$`)

// scenarios reads the scripts of a folder.
func scenarios(t *testing.T, folder string) (all []scenario) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.sh"))
	must(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		must(t, err)
		if filepath.Base(f) == "lib.sh" {
			continue
		}
		s := scenario{user: "root", script: f}
		for _, m := range headLine.FindAllStringSubmatch(string(text), -1) {
			switch m[1] {
			case "name":
				s.name = m[2]
			case "package":
				s.pkg = m[2]
			case "as":
				s.user = m[2]
			case "to":
				s.to = append(s.to, m[2])
			case "background":
				s.background = true
			case "smtp":
				s.smtp = true
			case "differs":
				s.differs = m[2]
			case "note":
				s.note = m[2]
			}
		}
		all = append(all, s)
	}
	return all
}

// record is one call of sendmail.
type record struct {
	args  string
	input string // path
	where string
	code  string
}

// outcome is what a script did.
type outcome struct {
	exit   int
	output string
	calls  []record
	mail   []emulator.Message
}

// What is behind the stand-in.
const (
	nothing     = ""       // it records, and ends with 0
	direct      = "direct" // this program, which the caller lets read the configuration
	agent       = "agent"  // this program, which hands over to an agent that has the configuration to itself
	unavailable = "75"     // it records, and ends with this
)

// play runs a scenario in a fresh system.
func (s scenario) play(t *testing.T, root, behind string) outcome {
	t.Helper()
	shared := t.TempDir()
	must(t, os.Chmod(shared, 0o755))
	for _, d := range []string{"calls", "cache"} {
		must(t, os.Mkdir(filepath.Join(shared, d), 0o755))
	}
	must(t, os.Chmod(filepath.Join(shared, "calls"), 0o777|os.ModeSticky))
	must(t, os.Chmod(filepath.Join(shared, "cache"), 0o700))
	e := emulator.New(quiet{t}, func(o *emulator.Options) { o.KeepBodies = true })
	spool := ""
	if behind == agent {
		spool = "/var/spool/o365-sendmail"
	}
	config := strings.ReplaceAll(e.ConfigTOML("/standin/cache"), e.CAFile(), "/standin/ca.pem") +
		fmt.Sprintf("\n[from]\nhost_name = \"host1.example\"\n[spool]\ndir = %q\n", spool)
	if s.smtp {
		address := freeAddress(t)
		config += fmt.Sprintf("[agent]\nlisten = %q\n", address)
		must(t, os.WriteFile(filepath.Join(shared, "smtp"), []byte(address), 0o644))
	}
	for _, helper := range []string{"call", "called", "sender"} {
		copyFile(t, helper, filepath.Join(shared, helper))
	}
	copyFile(t, s.script, filepath.Join(shared, "script.sh"))
	if lib := filepath.Join(filepath.Dir(s.script), "lib.sh"); exists(lib) {
		copyFile(t, lib, filepath.Join(shared, "lib.sh"))
	}
	must(t, os.WriteFile(filepath.Join(shared, "ca.pem"), e.CAPEM(), 0o644))
	must(t, os.WriteFile(filepath.Join(shared, "config.toml"), []byte(config), 0o600))
	switch behind {
	case direct, agent:
		copyFile(t, filepath.Join(repository, "bin", "sendmail"), filepath.Join(shared, "sendmail"))
		if behind == agent {
			must(t, os.Symlink("sendmail", filepath.Join(shared, "o365-sendmail")))
		}
	case unavailable:
		must(t, os.WriteFile(filepath.Join(shared, "exit"), []byte(behind), 0o644))
	}
	cmd := exec.Command("timeout", "-k", "5", "400", "unshare", "--mount", "--pid", "--fork", "--kill-child",
		"./system.sh", root, shared, "script.sh", s.user)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{exit: cmd.ProcessState.ExitCode(), output: string(out),
		calls: calls(t, filepath.Join(shared, "calls")), mail: e.Messages()}
}

// freeAddress is one of this host at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, data, 0o755))
}

func calls(t *testing.T, dir string) (all []record) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.args"))
	must(t, err)
	for _, f := range files {
		args, err := os.ReadFile(f)
		must(t, err)
		base := strings.TrimSuffix(f, ".args")
		where, err := os.ReadFile(base + ".where")
		must(t, err)
		code, _ := os.ReadFile(base + ".code")
		words := strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00")
		for i, w := range words {
			if w == "" || strings.ContainsAny(w, " '") {
				words[i] = "'" + w + "'"
			}
		}
		all = append(all, record{strings.Join(words, " "), base + ".eml", string(where),
			strings.TrimSpace(string(code))})
	}
	return all
}

// bccField is one that names hidden recipients.
var bccField = regexp.MustCompile(`(?im)^(resent-)?bcc:`)

var numbers = regexp.MustCompile(`\d{3,}`)

// seen are the command lines, with long numbers left out.
func (o outcome) seen() string {
	var lines []string
	for _, c := range o.calls {
		lines = append(lines, numbers.ReplaceAllString(c.args, "N"))
	}
	return strings.Join(lines, "\n")
}

// check runs a scenario with the stand-in alone and with the program, direct and through the agent: each time the
// caller does the same, and what it wrote arrives.
func (s scenario) check(t *testing.T, root string) (row string) {
	t.Helper()
	truth, routes := s.play(t, root, nothing), []string{direct, agent}
	if s.smtp {
		truth, routes = s.play(t, root, agent), []string{agent}
	}
	if truth.exit != 0 || len(truth.calls) != len(s.to) {
		t.Fatalf("with the stand-in: exit %d, %d calls, want %d: %s\n%s", truth.exit, len(truth.calls), len(s.to),
			truth.seen(), truth.output)
	}
	for _, route := range routes {
		got := s.play(t, root, route)
		if got.exit != truth.exit || got.seen() != truth.seen() {
			t.Errorf("%s: exit %d and calls\n%s\nwant as with the stand-in exit %d and\n%s\n%s", route, got.exit,
				got.seen(), truth.exit, truth.seen(), got.output)
		}
		s.judge(t, route, got)
	}
	lines := slices.Compact(strings.Split(truth.seen(), "\n"))
	return fmt.Sprintf("| %s | %s %s | `%s` | %s | %s | %s |\n", s.name, s.pkg, version(t, root, s.pkg),
		strings.ReplaceAll(strings.Join(lines, "`, `"), "|", `\|`), recipients(s.to), s.unsent(t, root), s.note)
}

// unsent says what a caller's own exit code is when sendmail could not deliver.
func (s scenario) unsent(t *testing.T, root string) string {
	t.Helper()
	if s.background {
		return "not seen"
	}
	got := s.play(t, root, unavailable)
	if len(got.calls) == 0 && !s.smtp {
		t.Errorf("with exit 75: no call\n%s", got.output)
	}
	return fmt.Sprint(got.exit)
}

func recipients(to []string) string {
	return strings.NewReplacer(" ", ", ", "\n", "; ").Replace(strings.Join(to, "\n"))
}

// judge compares each message that the caller wrote with what arrived, by Python's email package.
func (s scenario) judge(t *testing.T, route string, got outcome) {
	t.Helper()
	if len(got.mail) != len(got.calls) {
		t.Fatalf("%s: %d messages arrived of %d calls\n%s", route, len(got.mail), len(got.calls), got.output)
	}
	var pairs bytes.Buffer
	dir := t.TempDir()
	for i, call := range got.calls {
		m, rest, found := take(got.mail, s.to[i])
		if got.mail = rest; !found {
			t.Errorf("%s: nothing arrived for %q", route, s.to[i])
			continue
		}
		if m.From != mailbox {
			t.Errorf("%s: envelope sender %q, want the mailbox", route, m.From)
		}
		if call.code != "0" {
			t.Errorf("%s: sendmail's exit code is %s", route, call.code)
		}
		if s.where != "" && call.where != s.where {
			t.Errorf("%s: sendmail ran with %q, want %q", route, call.where, s.where)
		}
		if head, _, _ := bytes.Cut(m.Data, []byte("\r\n\r\n")); bccField.Match(head) {
			t.Errorf("%s: a Bcc field arrived:\n%s", route, head)
		}
		path := filepath.Join(dir, fmt.Sprint(i))
		must(t, os.WriteFile(path, m.Data, 0o600))
		fmt.Fprintf(&pairs, "%s\t%s\n", call.input, path)
	}
	cmd := exec.Command("python3", "../corpora/judge.py")
	cmd.Stdin = &pairs
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	must(t, err)
	for line := range strings.Lines(string(out)) {
		var verdict struct{ Faults []string }
		must(t, json.Unmarshal([]byte(line), &verdict))
		for _, f := range verdict.Faults {
			if s.differs != "" && strings.HasPrefix(f, s.differs+": [] became ") {
				continue
			}
			t.Errorf("%s: what arrived differs: %s", route, f)
		}
	}
}

// take takes the first message for exactly these recipients out of all; the agent delivers in an order of its own.
func take(all []emulator.Message, to string) (m emulator.Message, rest []emulator.Message, found bool) {
	want := slices.Sorted(slices.Values(strings.Fields(to)))
	i := slices.IndexFunc(all, func(m emulator.Message) bool {
		return slices.Equal(slices.Sorted(slices.Values(m.To)), want)
	})
	if i < 0 {
		return m, all, false
	}
	return all[i], slices.Delete(slices.Clone(all), i, i+1), true
}

// packageVersion is the version in a row of a page, which a security update changes.
var packageVersion = regexp.MustCompile(`(?m)^(\| [^|]* \| \S+) \S+ \|`)

// comparePage compares or writes a page of docs.
func comparePage(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(repository, "docs", name)
	if *update {
		must(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	if bare := packageVersion.ReplaceAllString; err != nil || bare(string(want), "$1") != bare(text, "$1") {
		t.Errorf("docs/%s says otherwise (%v): run it with -update and look at the difference\n%s", name, err, text)
	}
}
