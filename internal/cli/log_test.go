package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
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
	if err != nil {
		t.Fatal(err)
	}
	user := host.UserByID(os.Getuid()).Name
	text := s.steady(string(raw))
	for _, r := range [...][2]string{
		{`(?m)^\S+Z [^ ]*\[\d+\]: `, ""},
		{`(?m)^uid=.*\n|(?m)^[^Q].*\n`, ""}, // of the agent itself
		{`delay=\d+\.\d\d`, "delay=N"},
		{`uid=` + strconv.Itoa(os.Getuid()) + `, user=` + user + `, `, "uid=UID, user=USER, "},
		{`orig=<` + user + `@`, "orig=<USER@"},
	} {
		text = regexp.MustCompile(r[0]).ReplaceAllString(text, r[1])
	}
	return strings.ReplaceAll(text, "QUEUEID :", "QUEUEID:")
}

// A logRoute runs a call along one route and returns the exit code and what the log says of it.
type logRoute struct {
	name string
	run  func(t *testing.T, configure func(s *site, extra string), stdin string, args []string) (int, string)
}

var logRoutes = []logRoute{
	{"directly", func(t *testing.T, configure func(*site, string), stdin string, args []string) (int, string) {
		s := newSite(t)
		configure(s, "")
		code := s.call(stdin, os.Getuid(), args).code
		return code, s.steadyLog(t)
	}},
	{"directly with a spool", func(t *testing.T, configure func(*site, string), stdin string, args []string) (int, string) {
		s := newSite(t)
		configure(s, "[spool]\ndir = \""+filepath.Join(s.dir, "spool")+"\"\nkeep_free = \"0B\"\n")
		code := s.call(stdin, os.Getuid(), args).code
		return code, s.steadyLog(t)
	}},
	{"by the agent", func(t *testing.T, configure func(*site, string), stdin string, args []string) (int, string) {
		h := &hostWithAgent{site: newSite(t)}
		h.socket = filepath.Join(h.dir, "run", "submit.sock")
		configure(h.site, "[spool]\ndir = \""+filepath.Join(h.dir, "spool")+"\"\nkeep_free = \"0B\"\n[agent]\nsocket = \""+h.socket+"\"\n")
		h.start(t)
		var out, errs bytes.Buffer
		code := Main(context.Background(), Env{
			Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
			Getenv: func(string) string { return "" }, Now: time.Now, UID: os.Getuid(), Socket: h.socket,
		})
		h.stop()
		return code, h.steadyLog(t)
	}},
}

// TestLogByEveryRoute: whichever way a message takes, the log has the same lines: by its queue id one finds who sent
// it, what became of each recipient, and the end.
func TestLogByEveryRoute(t *testing.T) {
	t.Parallel()
	const text = "From: app@web1.example.net\nTo: a@example.org\nMessage-ID: <1@web1.example.net>\nSubject: x\n\nx\n"
	args := []string{"sendmail", "-i", "-f", "app@web1.example.net", "good@example.org", "reject-me@example.org"}
	dialogue := "EHLO x\nMAIL FROM:<app@web1.example.net>\nRCPT TO:<good@example.org>\nDATA\n" + text + ".\n" +
		"MAIL FROM:<app@web1.example.net>\nRCPT TO:<reject-me@example.org>\nDATA\n" + text + ".\nQUIT\n"
	configure := func(s *site, extra string) { new(testCase).write(t, s, extra) }
	for _, c := range []struct {
		name, stdin string
		args, want  []string
	}{
		{"one of two", text, args, []string{
			`uid=UID, user=USER, from=<MAILBOX>, orig=<app@web1.example.net>, size=\d+, nrcpt=2, message-id=<1@web1.example.net>`,
			`to=<good@example.org>, relay=\S+, delay=N, dsn=2.\d.\d, status=sent \(250 .*\)`,
			`to=<reject-me@example.org>, relay=\S+, delay=N, dsn=5.\d+.\d+, status=refused \(.*\)`,
			`removed`,
		}},
		{"-bs", dialogue, []string{"sendmail", "-bs"}, []string{
			`uid=UID, user=USER, from=<MAILBOX>, orig=<app@web1.example.net>, size=\d+, nrcpt=1, message-id=<1@web1.example.net>`,
			`to=<good@example.org>, relay=\S+, delay=N, dsn=2.\d.\d, status=sent \(250 .*\)`,
			`removed`,
			`uid=UID, user=USER, from=<MAILBOX>, orig=<app@web1.example.net>, size=\d+, nrcpt=1, message-id=<1@web1.example.net>`,
			`to=<reject-me@example.org>, relay=\S+, delay=N, dsn=5.\d+.\d+, status=refused \(.*\)`,
			`removed`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first := ""
			for _, r := range logRoutes {
				_, log := r.run(t, configure, c.stdin, c.args)
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
