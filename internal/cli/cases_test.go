package cli

import (
	"bytes"
	"context"
	stdflag "flag"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/host"
)

var update = stdflag.Bool("update", false, "write docs/cases.md again")

// TestCases runs every case of testdata/cases through the program against an emulator,
// and holds exit code, output, envelope and the message as it arrived against the file.
// With -update it writes what it saw; exit codes stay as they were written by hand.
func TestCases(t *testing.T) {
	t.Parallel()
	cases := readCases(t)
	logged := 0
	for _, c := range cases {
		if c.logged {
			logged++
		}
	}
	if len(cases) < 150 || logged < 40 {
		t.Errorf("%d cases, 150 are asked for; %d with a log, 40 are asked for", len(cases), logged)
	}
	for _, c := range cases {
		t.Run(c.group+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			got, want := c.play(t), c.want
			if c.logged {
				got += "-- log --\n" + c.playLog(t)
				want += "-- log --\n" + c.log
			}
			if *update {
				if err := os.WriteFile(c.path, []byte(c.head+"-- want --\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", c.outcome, got, want)
			}
		})
	}
}

// play runs the case and returns what was seen.
func (c *testCase) play(t *testing.T) string {
	s := newSite(t)
	c.configure(t, s)
	c.arm(t, s)
	var b strings.Builder
	for i, run := range c.runs {
		r := s.call(c.stdin, c.uid, words(t, run))
		if r.code != c.exits[i] {
			t.Errorf("%s: exit code %d, want %d\nstderr: %s", run, r.code, c.exits[i], r.stderr)
		}
		if strings.Contains(r.stderr, "goroutine ") || strings.Contains(r.stderr, s.ClientSecret) {
			t.Errorf("%s: stderr: %s", run, r.stderr)
		}
		fmt.Fprintf(&b, "exit %d\n", r.code)
		showLines(&b, "stdout", s.steady(r.stdout))
		showLines(&b, "stderr", s.steady(r.stderr))
	}
	for _, m := range s.Messages() {
		for _, w := range m.Warnings {
			t.Errorf("Exchange Online would mind: %s", w)
		}
		b.WriteString(s.showMessage(&m))
	}
	return b.String()
}

// arm has the emulator answer as the case asks.
func (c *testCase) arm(t *testing.T, s *site) {
	t.Helper()
	for _, rule := range c.script {
		stage, reply, _ := strings.Cut(rule, " ")
		if err := s.Script(emulator.Rule{Stage: stage, Reply: reply}); err != nil {
			t.Fatal(err)
		}
	}
}

// configure writes the configuration: the emulator's own, with the case's keys, and no spool.
func (c *testCase) configure(t *testing.T, s *site) {
	t.Helper()
	if extra := "\n[spool]\ndir = \"\"\n"; !strings.Contains(c.config, "[spool]") {
		c.write(t, s, extra)
	} else {
		c.write(t, s, "")
	}
}

func (c *testCase) write(t *testing.T, s *site, extra string) {
	t.Helper()
	var own []string
	for line := range strings.Lines(s.ConfigTOML(s.dir)) {
		dropped := false
		for _, key := range c.drop {
			dropped = dropped || strings.HasPrefix(line, key+" ")
		}
		if !dropped {
			own = append(own, line)
		}
	}
	file := filepath.Join(s.dir, "aliases")
	if err := os.WriteFile(file, []byte(c.aliases), 0o644); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("aliases_file = %q\n", file) + strings.Join(own, "")
	config := strings.ReplaceAll(c.config, "DIR", s.dir)
	const named = "[from]\nhost_name = \"web1.example.net\"\n"
	if strings.Contains(config, "[from]\n") {
		config = strings.Replace(config, "[from]\n", named, 1)
	} else {
		config = named + config
	}
	s.writeConfig(t, text+config+"\n"+extra)
}

// call runs the program as a user; the first word is its name.
func (s *site) call(stdin string, uid int, args []string) result {
	var out, errs bytes.Buffer
	code := Main(context.Background(), Env{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		Getenv: func(name string) string {
			if name == "O365_SENDMAIL_CONFIG" {
				return s.config
			}
			return ""
		},
		Now: time.Now, UID: uid, Version: "test",
	})
	return result{code, out.String(), errs.String()}
}

func showLines(b *strings.Builder, name, text string) {
	if text == "" {
		return
	}
	if strings.Count(text, "\r\n") != strings.Count(text, "\n") { // SMTP has CRLF
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	fmt.Fprintf(b, "%s:\n%s", name, visible([]byte(text), 1000, 4000))
}

// showMessage shows envelope and bytes of a message that arrived.
func (s *site) showMessage(m *emulator.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "MAIL FROM:<%s>", m.From)
	if m.Body != "" && m.Body != "7BIT" {
		fmt.Fprintf(&b, " BODY=%s", m.Body)
	}
	if m.SMTPUTF8 {
		b.WriteString(" SMTPUTF8")
	}
	if m.Ret != "" {
		fmt.Fprintf(&b, " RET=%s", m.Ret)
	}
	if m.EnvID != "" {
		fmt.Fprintf(&b, " ENVID=%s", m.EnvID)
	}
	if m.SignIn != s.Mailbox {
		fmt.Fprintf(&b, " (signed in as %s)", m.SignIn)
	}
	const shown = 20
	for i, r := range m.Recipients {
		if i == shown {
			fmt.Fprintf(&b, "\n[%d recipients in all]", len(m.Recipients))
			break
		}
		fmt.Fprintf(&b, "\nRCPT TO:<%s>", r.Address)
		if r.Params != "" {
			fmt.Fprintf(&b, " %s", r.Params)
		}
	}
	if strings.HasPrefix(m.Header("Content-Type"), "multipart/report") {
		b.WriteString("\n" + reportLines(m))
		return s.steady(b.String())
	}
	return s.steady(b.String()) + "\n" + visible([]byte(s.steady(string(m.Data))), 200, 1500) + ".\n"
}

// reportLines is what counts of a delivery report.
func reportLines(m *emulator.Message) string {
	var b strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(string(m.Data), "\r\n", "\n")) {
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "Subject", "From", "To", "Auto-Submitted", "Final-Recipient", "Action", "Status":
			b.WriteString(line)
		case "Content-Type":
			if strings.Contains(line, "message/rfc822") || strings.Contains(line, "rfc822-headers") {
				return b.String() + ".\n"
			}
		}
	}
	return b.String() + ".\n"
}

// steady replaces what differs from run to run and from machine to machine.
func (s *site) steady(text string) string {
	name := regexp.QuoteMeta(host.Name())
	for _, r := range [...][2]string{
		{regexp.QuoteMeta(s.dir), "DIR"},
		{`<[0-9a-f]{24}\.[0-9a-f]+@`, "<ID@"},
		{`@(?:` + name + `|localhost)\b`, "@HOST"},
		{`\[(?:Hostname=)?[A-Z0-9]+\.[^ \]]*outlook[^\]]*\]`, "[SERVER]"},
		{`\[[0-9A-F]{16}\]`, "[SESSION]"},
		{`Hello \[::1\]`, "Hello [127.0.0.1]"}, // as the machine resolves localhost
		{`(?m)^> EHLO .*`, "> EHLO HOST"},
		{`(?m)^220 ` + name + ` `, "220 HOST "},
		{`\b\d{14}-[0-9a-f]{16}(?:([ #!]) +\d+ +\d+s )?`, "QUEUEID$1 "},
		{`\bsince \d\d:\d\d\b`, "since TIME"},
	} {
		text = regexp.MustCompile(r[0]).ReplaceAllString(text, r[1])
	}
	date := regexp.MustCompile(`[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2}\s+\d{4} \d\d:\d\d:\d\d [+-]\d{4}`)
	return date.ReplaceAllStringFunc(text, func(d string) string {
		when, err := mail.ParseDate(strings.ReplaceAll(d, "\r\n", ""))
		if err != nil || time.Since(when).Abs() > time.Hour {
			return d
		}
		return "NOW"
	})
}

// TestCasesProve: a case that ends well shows what came of it, a message that arrived or a line that was
// printed: an exit code alone proves no outcome.
func TestCasesProve(t *testing.T) {
	t.Parallel()
	for _, c := range readCases(t) {
		seen := regexp.MustCompile(`(?m)^exit \d+\n`).ReplaceAllString(c.want, "")
		if seen == "" && slices.Contains(c.exits, 0) {
			t.Errorf("%s/%s: %q is not to be seen in the section want", c.group, c.name, c.outcome)
		}
	}
}

// TestCasesPage holds docs/cases.md against the cases: their outcomes are part of the manual.
func TestCasesPage(t *testing.T) {
	t.Parallel()
	const page = "../../docs/cases.md"
	want := casesPage(readCases(t))
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/cases.md differs from the cases: go test ./internal/cli -run Cases -update")
	}
}

// caseGroups explains the groups in the order of the page.
var caseGroups = [][2]string{
	{"flags", "Flags and how they are written"},
	{"recipients", "Who gets the message"},
	{"header", "The header"},
	{"body", "Body and line ends"},
	{"sender", "Who sends"},
	{"aliases", "Local names"},
	{"dsn", "Delivery reports"},
	{"errors", "Errors and exit codes"},
	{"modes", "Other modes"},
	{"queue", "The queue"},
	{"attacks", "Malicious input"},
	{"callers", "What real callers write"},
}

func casesPage(cases []*testCase) string {
	var b strings.Builder
	b.WriteString("# Cases\n\nEach line is a test: the command line and what comes of it. The files are in " +
		"`internal/cli/testdata/cases`, with the\n" +
		"input, what the caller sees and the message as Exchange Online gets it. This page is made from them.\n")
	left := len(cases)
	for _, g := range caseGroups {
		n := 0
		for _, c := range cases {
			if c.group != g[0] {
				continue
			}
			if n++; n == 1 {
				fmt.Fprintf(&b, "\n## %s\n\n| case | command line | exit | outcome |\n|---|---|---|---|\n", g[1])
			}
			exits := strings.Trim(fmt.Sprint(c.exits), "[]")
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.name, code(strings.Join(c.runs, "; ")), exits,
				strings.ReplaceAll(c.outcome, "|", "\\|"))
		}
		left -= n
	}
	if left != 0 {
		fmt.Fprintf(&b, "\n%d cases are in no known group.\n", left)
	}
	return b.String()
}

// code writes s as a code span of a table cell.
func code(s string) string {
	const longest = 90
	if len(s) > longest {
		s = s[:longest] + "..."
	}
	return "`` " + strings.ReplaceAll(s, "|", "\\|") + " ``"
}
