//go:build peers

package peers

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"mime"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// runScript runs a script of a suite by bash with checks.bash before it.
func (l *lab) runScript(t *testing.T, dir, path string) []item {
	t.Helper()
	cmd := l.command(dir, "bash", path)
	cmd.Env = append(cmd.Env, "BASH_ENV="+filepath.Join(l.here, "checks.bash"))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if testing.Verbose() {
		t.Logf("%s\n%s", path, out)
	}
	return l.itemsOf(t, filepath.Base(path))
}

// nullmailer's scripts read "functions" from the directory that they run in. Those about the sender run where it may be
// chosen.
func nullmailer(t *testing.T, l *lab) (items []item) {
	scripts, err := filepath.Glob(filepath.Join(l.source(t, "nullmailer"), "test/tests/inject/*"))
	must(t, err)
	for _, s := range scripts {
		l := *l
		if name := filepath.Base(s); name == "from" || name == "sender" {
			l.config = l.keep
		}
		items = append(items, l.runScript(t, filepath.Join(l.here, "nullmailer"), s)...)
	}
	return items
}

// msmtp's script calls ../src/msmtp and ../src/msmtpd.
func msmtp(t *testing.T, all *lab) []item {
	l := *all
	l.config = l.keep
	must(t, os.CopyFS(filepath.Join(l.work, "src"), os.DirFS(filepath.Join(l.here, "msmtp"))))
	tests := filepath.Join(l.work, "tests")
	must(t, os.Mkdir(tests, 0o755))
	return l.runScript(t, tests, filepath.Join(l.source(t, "msmtp"), "tests/test-header-handling.sh"))
}

var tapLine = regexp.MustCompile(`(?m)^(ok|not ok) \d+ (?:- )?(.*)$`)

// git runs the suite in a copy, with the git of Debian and a shell that knows fake.sendmail.
func git(t *testing.T, l *lab) (items []item) {
	must(t, os.CopyFS(filepath.Join(l.work, "t"), os.DirFS(filepath.Join(l.source(t, "git"), "t"))))
	options := "SHELL_PATH='" + filepath.Join(l.here, "git/sh") + "'\nPERL_PATH='/usr/bin/perl'\nDIFF='diff'\n" +
		"PYTHON_PATH='/usr/bin/python3'\nTAR='tar'\nNO_PYTHON=''\nX=''\n"
	must(t, os.WriteFile(filepath.Join(l.work, "GIT-BUILD-OPTIONS"), []byte(options), 0o644))
	must(t, os.MkdirAll(filepath.Join(l.work, "templates/blt"), 0o755))
	must(t, os.WriteFile(filepath.Join(l.work, "t/helper/test-tool"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
	cmd := l.command(filepath.Join(l.work, "t"), "sh", "t9001-send-email.sh")
	cmd.Env = append(cmd.Env, "GIT_TEST_INSTALLED=/usr/bin", "TEST_NO_MALLOC_CHECK=1")
	out, err := cmd.CombinedOutput()
	t.Logf("t9001-send-email.sh: %v", err)
	for _, m := range tapLine.FindAllStringSubmatch(string(out), -1) {
		i := item{suite: l.suite, name: m[2]}
		if strings.HasPrefix(m[2], "# skip") {
			continue
		}
		if m[1] != "ok" {
			i.failed = "not ok"
		}
		items = append(items, i)
	}
	if len(items) == 0 {
		t.Logf("%s", out)
	}
	return append(items, l.gitMessages(t)...)
}

// gitMessages compares what git wrote with what arrived: subject, recipients, text.
func (l *lab) gitMessages(t *testing.T) []item {
	sent, err := filepath.Glob(filepath.Join(l.work, "tmp.*[^d]"))
	must(t, err)
	i := item{suite: l.suite, name: "every message that git wrote arrives with its subject, To, Cc and text"}
	compared := 0
	for _, path := range sent {
		arrived, err := os.ReadFile(path + ".arrived.mail")
		if err != nil {
			continue
		}
		compared++
		wrote, err := os.ReadFile(path)
		must(t, err)
		if difference := compare(wrote, arrived); difference != "" {
			i.failed = difference
		}
	}
	if compared < 50 {
		t.Errorf("git: %d messages to compare", compared)
	}
	return []item{i}
}

func compare(wrote, arrived []byte) string {
	a, err := mail.ReadMessage(bytes.NewReader(wrote))
	if err != nil {
		return err.Error()
	}
	b, err := mail.ReadMessage(bytes.NewReader(arrived))
	if err != nil {
		return err.Error()
	}
	for _, name := range []string{"Subject", "Cc", "In-Reply-To", "References", "Message-Id"} {
		if a.Header.Get(name) != b.Header.Get(name) {
			return name + ": " + a.Header.Get(name) + " became " + b.Header.Get(name)
		}
	}
	kind, params, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if k, p, _ := mime.ParseMediaType(b.Header.Get("Content-Type")); kind != "" && (k != kind ||
		!maps.Equal(p, params)) {
		return "Content-Type: " + a.Header.Get("Content-Type") + " became " + b.Header.Get("Content-Type")
	}
	var texts [2]bytes.Buffer
	_, _ = texts[0].ReadFrom(a.Body)
	_, _ = texts[1].ReadFrom(b.Body)
	if texts[0].String() != texts[1].String() {
		return "the text of " + a.Header.Get("Subject") + " is another"
	}
	return ""
}

// symfony runs Debian's Mailer with the test and our own stand-ins beside it.
func symfony(t *testing.T, l *lab) (items []item) {
	const tests = "src/Symfony/Component/Mailer/Tests/Transport/SendmailTransportTest.php"
	text, err := os.ReadFile(filepath.Join(l.source(t, "symfony"), tests))
	must(t, err)
	at := filepath.Join(l.work, "SendmailTransportTest.php")
	must(t, os.WriteFile(at, text, 0o644))
	must(t, os.CopyFS(filepath.Join(l.work, "Fixtures"), os.DirFS(filepath.Join(l.here, "symfony"))))
	log := filepath.Join(l.work, "junit.xml")
	out, err := l.command(l.work, "phpunit", "--bootstrap", "/usr/share/php/Symfony/Component/Mailer/autoload.php",
		"--log-junit", log, at).CombinedOutput()
	t.Logf("phpunit: %v", err)
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var report struct {
		Cases []struct {
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
		} `xml:"testsuite>testcase"`
	}
	must(t, xml.Unmarshal(data, &report))
	for _, c := range report.Cases {
		i := item{suite: l.suite, name: c.Name}
		if c.Failure != nil || c.Error != nil {
			i.failed = "failed"
		}
		items = append(items, i)
	}
	if len(items) == 0 {
		t.Logf("%s", out)
	}
	return items
}

// addresses asks for the recipients that sendmail -t finds in each text of a project's table.
func addresses(t *testing.T, l *lab) (items []item) {
	out, err := exec.Command("python3", "addresses.py", filepath.Join(l.here, repository, "build", "peers")).Output()
	must(t, err)
	project := strings.TrimSuffix(l.suite, " addresses")
	for line := range strings.Lines(string(out)) {
		var entry struct {
			Suite, Text string
			Want        []string
		}
		must(t, json.Unmarshal([]byte(line), &entry))
		if entry.Suite != project {
			continue
		}
		i := item{suite: l.suite, name: quoted(entry.Text)}
		got := l.recipients(t, entry.Text)
		slices.Sort(entry.Want)
		if want := strings.Join(slices.Compact(entry.Want), " "); got != want {
			i.failed = "want " + want + ", got " + got
		}
		if !slices.ContainsFunc(items, func(o item) bool { return o.name == i.name }) {
			items = append(items, i)
		}
	}
	return items
}

// quoted is a text as JSON has it: one line, without a tab.
func quoted(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text)
	return strings.TrimSpace(b.String())
}

// recipients are those to whom a message with this To field goes, sorted.
func (l *lab) recipients(t *testing.T, to string) string {
	t.Helper()
	cmd := l.command(l.work, filepath.Join(l.here, "deliver.sh"), "-i", "-t")
	cmd.Env = append(cmd.Env, "PEER_OUT="+filepath.Join(l.work, "address"))
	cmd.Stdin = strings.NewReader("To: " + regexp.MustCompile(`\n\s*`).ReplaceAllString(to, "\n ") +
		"\nSubject: address\n\ntext\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " ")
	}
	data, err := os.ReadFile(filepath.Join(l.work, "address.rcpt"))
	must(t, err)
	found := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	slices.Sort(found)
	return strings.Join(found, " ")
}
