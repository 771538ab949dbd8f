package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/history"
	"o365-sendmail/internal/sysexits"
)

// TestLogCommand: what went out and what was refused is found by each filter, through the agent and without one.
func TestLogCommand(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	message := "Subject: private\nMessage-ID: <4711@shop.example>\n\nhello\n"
	if r := h.call(strings.NewReader(message), "ann@example.org", "bob@example.org"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	if err := h.SetFault("recipient-unknown"); err != nil {
		t.Fatal(err)
	}
	if r := h.call(strings.NewReader("Subject: x\n\nx\n"), "carl@example.net"); r.code != sysexits.NoUser {
		t.Fatalf("%+v", r)
	}
	check := func(where string) {
		for _, c := range []struct {
			args string
			want string // recipients
		}{
			{"", "ann bob carl"}, {"--recipient ANN@", "ann"}, {"--message-id <4711@shop.example>", "ann bob"},
			{"--status refused", "carl"}, {"--status sent --recipient bob", "bob"}, {"--since today", "ann bob carl"},
			{"--since 3h --until 1h", ""}, {"--sender nobody@", ""}, {"2099", ""},
			{"--uid " + strconv.Itoa(os.Getuid()), "ann bob carl"},
		} {
			r := h.verbAt("", append([]string{"log"}, strings.Fields(c.args)...)...)
			var got []string
			for _, who := range []string{"ann", "bob", "carl"} {
				if strings.Contains(r.stdout, "-> "+who+"@") {
					got = append(got, who)
				}
			}
			if strings.Join(got, " ") != c.want || r.code != 0 ||
				(c.want == "") != strings.HasPrefix(r.stdout, "Nothing found") {
				t.Errorf("%s: log %s: exit %d\n%s%s", where, c.args, r.code, r.stdout, r.stderr)
			}
			if strings.Contains(r.stdout, "private") {
				t.Errorf("the Subject shows:\n%s", r.stdout)
			}
		}
		r := h.verbAt("", "log", "--json", "--recipient", "ann")
		lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
		var e history.Entry
		if err := json.Unmarshal([]byte(lines[0]), &e); err != nil || len(lines) != 2 ||
			e.Recipient != "ann@example.org" || e.MessageID != "4711@shop.example" || e.Size == 0 || e.User == "" ||
			lines[1] != `{"exit":{"code":0,"messages":1,"schema":1}}` {
			t.Errorf("%s: %v %+v\n%s", where, err, e, r.stdout)
		}
		r = h.verbAt("", "stats", "--json")
		var s struct {
			Schema int
			history.Stats
		}
		if err := json.Unmarshal([]byte(r.stdout), &s); err != nil || s.Schema != 1 ||
			s.Today.Sent != 2 || s.All.Refused != 1 {
			t.Errorf("%s: %v\n%s%s", where, err, r.stdout, r.stderr)
		}
		for _, flag := range []string{"--days=7", "--html"} {
			if r := h.verbAt("", "stats", flag); r.code != 0 || !strings.Contains(r.stdout, "Sent within") {
				t.Errorf("%s: stats %s: %+v", where, flag, r)
			}
		}
	}
	check("agent")
	h.stop()
	check("no agent")
}

func TestLogUsage(t *testing.T) {
	t.Parallel()
	h := newHost(t, "[history]\ndays = 0\n")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"log --since tomorrow", sysexits.Usage, "not a time"}, {"log --status gone", sysexits.Usage, "no status"},
		{"log --status gone", sysexits.Usage, "there are sent, refused, bounced"},
		{"log --since 99999999d", sysexits.Usage, "not a time"}, {"log --until 740000d", sysexits.Usage, "not a time"},
		{"log nosuchid", sysexits.Usage, "\"nosuchid\" is not a queue id"}, {"log --sender=", sysexits.Usage, "not empty"}, {"log --uid nosuchuser", sysexits.Usage, "no such user"},
		{"log --since today --until yesterday", sysexits.Usage, "not after"}, {"log", sysexits.NoInput, "history.days"},
		{"log --follow", sysexits.NoInput, "history.days"}, {"stats", sysexits.NoInput, "history.days"},
		{"stats --days 0", sysexits.NoInput, ""}, {"stats --html --json", sysexits.Usage, "--html"},
		{"stats x", sysexits.Usage, "unexpected"}, {"log --limit 1", sysexits.Usage, `unknown flag "--limit"`},
		{"stats --html=/x", sysexits.Usage, `--html does not take "/x"`}, {"stats --days", sysexits.Usage, "--days needs a value"},
	} {
		if r := h.verbAt("", strings.Fields(c.args)...); r.code != c.code || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s: %+v", c.args, r)
		}
	}
	if r := h.verbAt("", "log", "--json", "--status", "gone"); r.code != sysexits.Usage ||
		!strings.HasPrefix(r.stdout, `{"exit":{"code":64,`) {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "cache", "history")); err == nil {
		t.Error("turned off, and there is a history")
	}
}

// TestLogFollow: what comes is printed as it comes, until the reader stops.
func TestLogFollow(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	done := make(chan int, 1)
	go func() {
		e := Env{Args: []string{"/usr/bin/o365-sendmail", "log", "--follow"}, Stdout: out, Stderr: os.Stderr,
			Getenv: func(string) string { return "" }, Now: time.Now, UID: os.Getuid(), Socket: h.socket}
		e.Getenv = func(name string) string {
			if name == "O365_SENDMAIL_CONFIG" {
				return h.config
			}
			return ""
		}
		done <- Main(ctx, e)
	}()
	heard := make(chan string)
	go func() {
		for lines := bufio.NewScanner(in); lines.Scan(); {
			heard <- lines.Text()
		}
	}()
	for line := ""; !strings.Contains(line, "-> ann@example.org"); {
		if r := h.call(strings.NewReader("Subject: x\n\nx\n"), "ann@example.org"); r.code != 0 {
			t.Fatalf("%+v", r)
		}
		select {
		case line = <-heard:
		case <-time.After(200 * time.Millisecond): // the follower may not have begun yet
		}
	}
	cancel()
	go func() {
		for range heard {
		}
	}()
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
	_ = in.Close()
}
