//go:build peers

package peers

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"o365-sendmail/internal/emulator"
)

var update = flag.Bool("update", false, "write docs/peer-suites.md")

const repository = "../.."

// item is one check of a suite.
type item struct {
	suite, name string
	failed      string // what failed; "" = the check passed
}

// suite is a peer's own suite.
type suite struct {
	name    string // and folder of build/peers, before the version
	what    string
	least   int // of checks: fewer have not run, whatever passed
	run     func(t *testing.T, l *lab) []item
	version string
}

var suites = []*suite{
	{name: "nullmailer", what: "`test/tests/inject/*`, as they are, with our sendmail behind `inject`; `from` and " +
		"`sender` with `from.policy = \"keep\"`", least: 55, run: nullmailer},
	{name: "nullmailer addresses",
		what: "the table of `test/address-test.cc`, each text as a To field of `sendmail -t`", least: 40,
		run: addresses},
	{name: "msmtp", what: "`tests/test-header-handling.sh`, as it is, with our sendmail behind `msmtp` and " +
		"`from.policy = \"keep\"`", least: 7, run: msmtp},
	{name: "postfix addresses", what: "the trees of `src/global/tok822_parse.ref`, each text as a To field", least: 17,
		run: addresses},
	{name: "libemail-address-perl addresses", what: "the table of `t/tests.t`, each text as a To field", least: 100,
		run: addresses},
	{name: "git", what: "`t/t9001-send-email.sh`, as it is, with the installed git; what it gives to its stand-in " +
		"for sendmail goes through ours first", least: 170, run: git},
	{name: "symfony", what: "`SendmailTransportTest.php`, as it is, with the installed Mailer and our sendmail in " +
		"the place of its two stand-ins", least: 6, run: symfony},
}

// TestPeerSuites runs them all: each check passes, or is in known.tsv with the reason for which its failure is right,
// and docs/peer-suites.md says so.
func TestPeerSuites(t *testing.T) {
	l := newLab(t)
	known := readKnown(t)
	written := maps.Clone(known)
	var all []item
	for _, s := range suites {
		project, _, _ := strings.Cut(s.name, " ")
		s.version = strings.TrimPrefix(filepath.Base(l.source(t, project)), project+"-")
		items := s.run(t, l.of(t, s.name))
		if len(items) < s.least {
			t.Errorf("%s: %d checks ran, want at least %d", s.name, len(items), s.least)
		}
		for _, i := range items {
			k, listed := known[i.suite+"\t"+i.name]
			delete(known, i.suite+"\t"+i.name)
			switch {
			case i.failed == "" && listed:
				t.Errorf("%s: %s: passes, but known.tsv says that it fails", i.suite, i.name)
			case i.failed != k.failed:
				t.Errorf("FAIL\t%s\t%s\t%s", i.suite, i.name, i.failed)
			}
		}
		all = append(all, items...)
	}
	for k := range known {
		t.Errorf("known.tsv has a check that no suite has: %q", k)
	}
	if t.Failed() {
		return
	}
	comparePage(t, page(all, written))
}

// lab is a Microsoft 365 in a box and what the suites' scripts need to reach it.
type lab struct {
	emulator *emulator.Emulator
	suite    string
	work     string // a folder of the suite's own
	mail     string // where the emulator puts its messages
	config   string
	keep     string // a configuration for scripts that are about the sender: from.policy = "keep"
	program  string
	here     string
}

// quiet keeps the emulator's transcript of some hundred messages out of a failure's output.
type quiet struct{ *testing.T }

func (quiet) Log(...any)          {}
func (quiet) Logf(string, ...any) {}

func newLab(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	l := &lab{mail: filepath.Join(dir, "mail"), config: filepath.Join(dir, "config.toml")}
	l.emulator = emulator.New(quiet{t}, func(o *emulator.Options) { o.Dir = l.mail })
	l.emulator.Update(func(s *emulator.State) {
		s.Limits.PerMinute, s.Limits.RecipientsPerDay = 0, 0
		m := s.Tenants[emulator.DefaultTenant].Mailboxes[emulator.DefaultMailbox]
		// Whom the scripts send as.
		m.Aliases = append(m.Aliases, "a@b.c", "root@f.q.d.n", "test@example.com", "from@example.com")
	})
	text := l.emulator.ConfigTOML(dir) + "\n[from]\nhost_name = \"f.q.d.n\"\n[delivery]\nmessages_per_minute = 0\n" +
		"recipients_per_day = 0\n[spool]\ndir = \"\"\n"
	must(t, os.WriteFile(l.config, []byte(text), 0o600))
	l.keep = filepath.Join(dir, "keep.toml")
	text = strings.Replace(text, "[from]\n", "[from]\npolicy = \"keep\"\n", 1) + "[aliases]\n"
	for _, name := range []string{"to4", "to10", "to12", "to13"} { // the local names in msmtp's script
		text += fmt.Sprintf("%s = \"%[1]s@alias.example\"\n", name)
	}
	must(t, os.WriteFile(l.keep, []byte(text), 0o600))
	var err error
	l.program, err = filepath.Abs(filepath.Join(repository, "bin", "sendmail"))
	must(t, err)
	l.here, err = os.Getwd()
	must(t, err)
	return l
}

// of is the lab with a folder for one suite.
func (l *lab) of(t *testing.T, suite string) *lab {
	c := *l
	c.suite, c.work = suite, t.TempDir()
	return &c
}

// source is the folder of a fetched project.
func (l *lab) source(t *testing.T, project string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(l.here, repository, "build", "peers", project+"-[0-9]*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d folders of %s in build/peers: make peer-suites fetches them", len(found), project)
	}
	return found[0]
}

// command is one with what the stand-ins' scripts want to know.
func (l *lab) command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + l.work, "LANG=C.UTF-8",
		"TMPDIR=" + l.work,
		"PEER_PROGRAM=" + l.program, "PEER_CONFIG=" + l.config, "PEER_MAIL=" + l.mail, "PEER_WORK=" + l.work,
		"PEER_DELIVER=" + filepath.Join(l.here, "deliver.sh"), "PEER_ITEMS=" + filepath.Join(l.work, "items")}
	return cmd
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// failure is one that is right.
type failure struct{ failed, reason string }

// readKnown reads known.tsv: suite, check, what fails in it, and why that is right.
func readKnown(t *testing.T) map[string]failure {
	t.Helper()
	text, err := os.ReadFile("known.tsv")
	must(t, err)
	known := make(map[string]failure)
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 4 && !strings.HasPrefix(line, "#") {
			known[f[0]+"\t"+f[1]] = failure{f[2], f[3]}
		} else if !strings.HasPrefix(line, "#") {
			t.Errorf("known.tsv: %q has not four columns", line)
		}
	}
	return known
}

// page is docs/peer-suites.md.
func page(all []item, known map[string]failure) string {
	var b strings.Builder
	b.WriteString("# Other mail programs' own test suites\n\n" +
		"`make peer-suites` fetches the sources below from Debian at pinned versions " +
		"(`test/peers/sources.tsv`) and runs " +
		"their\nown tests against this program and the Microsoft 365 in a box. A check that fails and is not " +
		"listed below " +
		"fails it, and\nso does one that is listed and passes. This page is written by it (`PEERFLAGS=-update`).\n\n" +
		"| suite | version | what runs | checks | pass | fail |\n|---|---|---|---|---|---|\n")
	for _, s := range suites {
		checks, failed := 0, 0
		for _, i := range all {
			if i.suite == s.name {
				checks++
				if i.failed != "" {
					failed++
				}
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d |\n", s.name, s.version, s.what, checks, checks-failed, failed)
	}
	b.WriteString("\n## What fails, and why that is right\n\n| suite | check | what fails | why |\n|---|---|---|---|\n")
	for _, i := range all {
		if i.failed != "" {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", i.suite, code(i.name), code(i.failed),
				known[i.suite+"\t"+i.name].reason)
		}
	}
	notes, err := os.ReadFile("notes.md")
	if err == nil {
		b.WriteString("\n" + string(notes))
	}
	return b.String()
}

// code is a text of any kind in a table of Markdown, cut where it is long.
func code(text string) string {
	if r := []rune(text); len(r) > 160 {
		text = string(r[:160]) + "…"
	}
	return "`" + strings.NewReplacer("|", `\|`, "`", "'").Replace(text) + "`"
}

func comparePage(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(repository, "docs", "peer-suites.md")
	if *update {
		must(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != text {
		t.Errorf("docs/peer-suites.md says otherwise (%v): run make peer-suites PEERFLAGS=-update and look at "+
			"the difference", err)
	}
}

// itemsOf reads what checks.bash wrote while a script ran.
func (l *lab) itemsOf(t *testing.T, script string) (items []item) {
	t.Helper()
	path := filepath.Join(l.work, "items")
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.Remove(path))
	last := -1
	for line := range strings.Lines(string(text)) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case kind == "check":
			name := script + ": " + rest
			if last = slices.IndexFunc(items, func(i item) bool { return i.name == name }); last < 0 {
				items, last = append(items, item{suite: l.suite, name: name}), len(items)
			}
		case kind == "fail" && last >= 0 && items[last].failed == "":
			items[last].failed = rest
		case kind == "fail" && last >= 0 && !strings.Contains(items[last].failed, rest):
			items[last].failed += "; " + rest
		}
	}
	return items
}
