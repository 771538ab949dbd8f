package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/host"
)

// steadyLog is what the log says of messages, without what differs by time, process and caller.
func (s *site) steadyLog(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	user := host.UserByID(os.Getuid()).Name
	text := string(raw)
	reports := regexp.MustCompile(`(?m): (\S+): uid=-1, .*`) // and alerts
	for _, own := range reports.FindAllStringSubmatch(text, -1) {
		text = regexp.MustCompile(`(?m)^\S+ \S+ `+own[1]+`: .*\n`).ReplaceAllString(text, "")
	}
	text = s.steady(text)
	for _, r := range [...][2]string{
		{`(?m)^\S+Z [^ ]*\[\d+\]: `, ""},
		{`(?m)^uid=.*\n|(?m)^[^Q].*\n`, ""}, // of the agent itself
		{`delay=\d+\.\d\d`, "delay=N"},
		{`uid=` + strconv.Itoa(os.Getuid()) + `, user=` + user + `, `, "uid=UID, user=USER, "},
		{`(orig|from)=<(?:root|` + regexp.QuoteMeta(user) + `)@`, "${1}=<USER@"},
	} {
		text = regexp.MustCompile(r[0]).ReplaceAllString(text, r[1])
	}
	return strings.ReplaceAll(text, "QUEUEID :", "QUEUEID:")
}

// A logRoute runs the case's calls along one route and returns the exit codes and what the log says.
type logRoute struct {
	name string
	run  func(t *testing.T, c *testCase) (codes []int, log string)
}

// spoolText is the configuration of the site's spool, unless the case has one of its own.
func (c *testCase) spoolText(s *site) string {
	if strings.Contains(c.config, "[spool]") {
		return ""
	}
	return "[spool]\ndir = \"" + filepath.Join(s.dir, "spool") + "\"\nkeep_free = \"0B\"\n"
}

var logRoutes = []logRoute{
	{"directly", func(t *testing.T, c *testCase) ([]int, string) { return c.runDirectly(t, (*testCase).configure) }},
	{"directly with a spool", func(t *testing.T, c *testCase) ([]int, string) {
		return c.runDirectly(t, func(c *testCase, t *testing.T, s *site) { c.write(t, s, c.spoolText(s)) })
	}},
	{"by the agent", func(t *testing.T, c *testCase) ([]int, string) { // the first call; the others look at the queue
		h := &hostWithAgent{site: newSite(t), name: host.Name()}
		h.socket = filepath.Join(h.dir, "run", "submit.sock")
		c.write(t, h.site, c.spoolText(h.site)+"[agent]\nsocket = \""+h.socket+"\"\n")
		c.arm(t, h.site)
		h.start(t)
		var out, errs bytes.Buffer
		code := Main(context.Background(), Env{
			Args: words(t, c.runs[0]), Stdin: strings.NewReader(c.stdin), Stdout: &out, Stderr: &errs,
			Getenv: func(string) string { return "" }, Now: time.Now, UID: os.Getuid(), Socket: h.socket,
		})
		if slices.Contains(c.runs, "sendmail -q") { // the agent does that by itself
			h.untilSpoolIsEmpty(t)
		}
		h.stop()
		return append([]int{code}, c.exits[min(1, len(c.exits)):]...), h.steadyLog(t)
	}},
}

// untilSpoolIsEmpty waits until the agent has nothing more to do.
func (s *site) untilSpoolIsEmpty(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		left, err := filepath.Glob(filepath.Join(s.dir, "spool", "queue", "*.msg"))
		if err != nil || time.Now().After(deadline) {
			t.Fatal(err, left)
		}
		if len(left) == 0 {
			return
		}
	}
}

func (c *testCase) runDirectly(t *testing.T, configure func(*testCase, *testing.T, *site)) (codes []int, log string) {
	s := newSite(t)
	configure(c, t, s)
	c.arm(t, s)
	for _, run := range c.runs {
		codes = append(codes, s.call(c.stdin, os.Getuid(), words(t, run)).code)
	}
	return codes, s.steadyLog(t)
}

// playLog runs the case's calls by all routes, which have the same exit codes and the same log, and returns that.
func (c *testCase) playLog(t *testing.T) string {
	first := ""
	for _, r := range logRoutes {
		codes, log := r.run(t, c)
		if first == "" {
			first = log
		}
		if !slices.Equal(codes, c.exits) {
			t.Errorf("%s: exit codes %d, want %d", r.name, codes, c.exits)
		}
		if log != first {
			t.Errorf("%s:\n%s%s:\n%s", r.name, log, logRoutes[0].name, first)
		}
	}
	return regexp.MustCompile(`size=\d+`).ReplaceAllString(first, "size=N")
}

// TestLogByEveryRoute: whichever way a message takes, the log has the same lines: by its queue id one finds who sent
// it, what became of each recipient, and the end.
func TestLogByEveryRoute(t *testing.T) {
	t.Parallel()
	const text = "From: app@web1.example.net\nTo: a@example.org\nMessage-ID: <1@web1.example.net>\nSubject: x\n\nx\n"
	const comes = `uid=UID, user=USER, from=<MAILBOX>, orig=<app@web1.example.net>, size=\d+, `
	const call = "sendmail -i -f app@web1.example.net good@example.org reject-me@example.org"
	dialogue := "EHLO x\nMAIL FROM:<app@web1.example.net>\nRCPT TO:<good@example.org>\nDATA\n" + text + ".\n" +
		"MAIL FROM:<app@web1.example.net>\nRCPT TO:<reject-me@example.org>\nDATA\n" + text + ".\nQUIT\n"
	for _, c := range []struct {
		name, stdin, run string
		want             []string
	}{
		{"one of two", text, call, []string{
			comes + `nrcpt=2, message-id=<1@web1.example.net>`,
			`to=<good@example.org>, relay=\S+, delay=N, dsn=2.\d.\d, status=sent \(250 .*\)`,
			`to=<reject-me@example.org>, relay=\S+, delay=N, dsn=5.\d+.\d+, status=refused \(.*\)`,
			`removed`,
		}},
		{"-bs", dialogue, "sendmail -bs", []string{
			comes + `nrcpt=1, message-id=<1@web1.example.net>`,
			`to=<good@example.org>, relay=\S+, delay=N, dsn=2.\d.\d, status=sent \(250 .*\)`,
			`removed`,
			comes + `nrcpt=1, message-id=<1@web1.example.net>`,
			`to=<reject-me@example.org>, relay=\S+, delay=N, dsn=5.\d+.\d+, status=refused \(.*\)`,
			`removed`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first := ""
			for _, r := range logRoutes {
				_, log := r.run(t, &testCase{stdin: c.stdin, runs: []string{c.run}})
				lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
				if first == "" {
					first = log
				}
				if log != first {
					t.Errorf("%s:\n%s%s:\n%s", r.name, log, logRoutes[0].name, first)
				}
				if len(lines) != len(c.want) {
					t.Errorf("%s: %d lines, want %d:\n%s", r.name, len(lines), len(c.want), log)
					continue
				}
				for i, want := range c.want {
					want = "^QUEUEID: " + strings.ReplaceAll(want, "MAILBOX", "noreply@contoso.test") + "$"
					if !regexp.MustCompile(want).MatchString(lines[i]) {
						t.Errorf("%s: %q, want %s", r.name, lines[i], want)
					}
				}
			}
		})
	}
}
