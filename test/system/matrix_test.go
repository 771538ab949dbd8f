//go:build system

package system

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/callers.md again")

// A caller is a program of Debian's that sends mail by /usr/sbin/sendmail.
type caller struct {
	name string
	pkg  string // the Debian package that does it
	keep bool   // the test compares with the input that the caller wrote
	test func(t *testing.T, r *run)
}

// callers are the rows of docs/callers.md, in its order.
var callers = slices.Concat(phpCallers, mailCallers, languageCallers, jobCallers, watchCallers)

// A run is one caller by one way.
type run struct {
	caller
	to     target
	marker string // in the message, and in no other one
	record recorder

	checked []string // what was compared
}

// call prepares a program that may call sendmail.
func (r *run) call(t *testing.T, user string, argv ...string) *call {
	t.Helper()
	c := newCall(t, r.to, user, argv...)
	c.record = r.record
	return c
}

// root is where mail for root has to go, by root_to in the configurations.
const root = "it@contoso.test"

// arrive waits for the message, and compares it.
func (r *run) arrive(t *testing.T, want expectation) {
	t.Helper()
	r.arriveBy(t, 30*time.Second, r.marker, want)
}

func (r *run) arriveBy(t *testing.T, limit time.Duration, marker string, want expectation) {
	t.Helper()
	want.check(t, within(t, limit, r.to, marker), r.to.mailbox())
	r.checked = append(r.checked, want.summary())
}

func (want expectation) summary() string {
	s := plural(len(want.to), "recipient")
	if slices.Contains(want.to, hidden) {
		s += ", one of them Bcc"
	}
	if len(want.files) > 0 {
		s += "; " + plural(len(want.files), "attachment")
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// A row is one line of docs/callers.md.
type row struct {
	calls, checked string
	failed         map[string]bool // by way
}

// TestCallers runs every caller by every way: directly to the emulator, through
// the agent to the emulator, and directly to Postfix. What they did is
// docs/callers.md, which has to say so.
func TestCallers(t *testing.T) {
	t.Parallel()
	ways := []target{lab.emulator, lab.agent, lab.postfix}
	rows := make([]row, len(callers))
	var mu sync.Mutex
	ran := t.Run("by", func(t *testing.T) {
		for i, c := range callers {
			rows[i].failed = make(map[string]bool)
			for _, to := range ways {
				t.Run(c.name+"/"+wayNames[to.name()], func(t *testing.T) {
					t.Parallel()
					r := &run{caller: c, to: to, marker: newMarker("caller"), record: newRecorder(t, c.keep)}
					defer func() {
						calls := neutral(t, strings.Join(r.record.calls(t), "\n"), r)
						lab.collect(t, calls)
						mu.Lock()
						defer mu.Unlock()
						rows[i].failed[to.name()] = t.Failed()
						if rows[i].calls != "" && rows[i].calls != calls {
							t.Errorf("this way it was called as %q, else as %q", calls, rows[i].calls)
						}
						rows[i].calls, rows[i].checked = calls, strings.Join(r.checked, "; ")
					}()
					c.test(t, r)
				})
			}
		}
	})
	for _, row := range rows {
		if len(row.failed) != len(ways) {
			if !t.Failed() && ran {
				t.Log("docs/callers.md: not compared, since -run leaves callers out")
			}
			return
		}
	}
	compareDocument(t, document(t, rows))
}

// wayNames are the words for the targets in docs/callers.md.
var wayNames = map[string]string{"emulator": "direct", "agent": "agent", "postfix": "Postfix"}

// neutral takes out of command lines what differs between runs.
func neutral(t *testing.T, text string, r *run) string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	fqdn := host
	if out, err := exec.Command("hostname", "--fqdn").Output(); err == nil {
		fqdn = strings.TrimSpace(string(out))
	}
	return strings.NewReplacer(r.marker, "MARKER", fqdn, "HOST", host, "HOST", lab.work, "").Replace(text)
}

const documentHead = `# Callers

Each program below sends mail by ` + "`/usr/sbin/sendmail`" + `, and is run as Debian
packages and configures it. ` + "`make system`" + ` makes this page: ` + "`-update`" + ` writes it, and
without that the run fails if a caller is missing or does otherwise than the
page says. Versions may differ.

Each caller runs three ways: **direct** to the Microsoft 365 in a box, through
the **agent** to the same (the caller has no configuration and no secret), and
direct to a real **Postfix** with XOAUTH2. "Delivered" means: the
message arrived exactly once; the envelope's sender and recipients, the
decoded header, the text's bytes after transfer decoding and the attachments'
SHA-256 digests are what the caller meant; Bcc is in the envelope only.

`

// documentTail is what the page says beside the rows: what no test runs.
//
//go:embed testdata/callers-tail.md
var documentTail string

// document is docs/callers.md as the rows say.
func document(t *testing.T, rows []row) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(documentHead)
	b.WriteString("| Caller | Package | Version | Calls | Checked | Result |\n|---|---|---|---|---|---|\n")
	for i, c := range callers {
		var lines []string
		for _, line := range strings.Split(rows[i].calls, "\n") {
			lines = append(lines, "`"+strings.ReplaceAll(line, "|", "\\|")+"`")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", c.name, c.pkg, version(t, c.pkg),
			strings.Join(lines, "<br>"), rows[i].checked, rows[i].result())
	}
	b.WriteString(documentTail)
	return b.String()
}

func (r row) result() string {
	var good, bad []string
	for _, way := range []string{"emulator", "agent", "postfix"} {
		if r.failed[way] {
			bad = append(bad, wayNames[way])
		} else {
			good = append(good, wayNames[way])
		}
	}
	if len(bad) > 0 {
		return "**fails** " + strings.Join(bad, ", ")
	}
	return "delivered " + strings.Join(good, ", ")
}

// version is the installed version of a Debian package.
func version(t *testing.T, pkg string) string {
	t.Helper()
	// php-cli and php-fpm only pull in the package that has the program.
	if rest, ok := strings.CutPrefix(pkg, "php-"); ok && (rest == "cli" || rest == "fpm") {
		pkg = "php[0-9]*-" + rest
	}
	out, err := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}\n", pkg).Output()
	if err != nil {
		t.Errorf("dpkg-query %s: %v", pkg, err)
	}
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "installed "); ok {
			return v
		}
	}
	t.Errorf("the package %s is not installed", pkg)
	return "none"
}

// compareDocument fails if the committed page says otherwise, or writes it.
func compareDocument(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(lab.root, "docs", "callers.md")
	if *update {
		must(t, os.WriteFile(file, []byte(text), 0o644))
		return
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, want := withoutVersions(text), withoutVersions(string(committed))
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("docs/callers.md, line %d:\n%s\nthis run:\n%s\n(go test -tags system ./test/system -run "+
				"TestCallers -update writes it again)", i+1, w, g)
		}
	}
}

// withoutVersions are the lines of the page with the third column left out.
func withoutVersions(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, " | "); len(cells) == 6 {
			line = strings.Join(slices.Delete(cells, 2, 3), " | ")
		}
		lines = append(lines, line)
	}
	return lines
}

// TestWithoutVersions shows that the comparison sees all but versions.
func TestWithoutVersions(t *testing.T) {
	t.Parallel()
	const page = "# x\n| a | p | 1.0 | `c` | 1 recipient | delivered direct |\n"
	same := strings.Replace(page, "1.0", "2.0", 1)
	if a, b := withoutVersions(page), withoutVersions(same); !slices.Equal(a, b) {
		t.Errorf("another version makes a difference: %q %q", a, b)
	}
	for _, other := range []string{strings.Replace(page, "delivered", "**fails**", 1), "# x\n",
		strings.Replace(page, "`c`", "`d`", 1)} {
		if slices.Equal(withoutVersions(page), withoutVersions(other)) {
			t.Errorf("%q is taken for %q", other, page)
		}
	}
}

// input is the expectation that the message arrives as the caller wrote it.
func (r *run) input(t *testing.T, to ...string) expectation {
	t.Helper()
	return expectationOf(t, bytes.ReplaceAll(r.record.message(t), []byte("\n"), []byte("\r\n")), to)
}
