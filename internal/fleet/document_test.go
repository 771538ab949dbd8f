package fleet

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"o365-sendmail/internal/quota"
)

// TestDocumentedServer: the permissions of the server's configuration in docs/fleet.md are enough for all that a host
// does, and not for what belongs to others.
func TestDocumentedServer(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```\nserver_name")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatal("there is no configuration in the page")
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?ms)^(tls|cluster) \{.*?^\}\n`).ReplaceAllString("server_name"+text, "")
	text = regexp.MustCompile(`nkey: \w+`).ReplaceAllString(text, "nkey: "+public)
	path := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, func(o *server.Options) {
		read, err := server.ProcessConfigFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o.Nkeys = read.Nkeys
	})
	var w warnings
	o := Options{Servers: []string{s.ClientURL()}, Name: "o365-sendmail", NKeySeed: seed, Warn: w.warn,
		Limits: quota.Limits{MessagesPerMinute: 30, RecipientsPerDay: 100},
		Answer: func(_ context.Context, _ []byte, part func([]byte) error) error { return part([]byte("x")) }}
	o.Host = "h1"
	f := join(t, o)
	o.Host = "h2"
	join(t, o)
	g, short, err := ask(t, f, 3)
	if short != nil || err != nil {
		t.Fatal(short, err)
	}
	f.Unreserve(g, time.Now())
	slot, err := f.TrySlot(t.Context(), mailbox, 3)
	if err != nil {
		t.Fatal(err)
	}
	slot.Release()
	got := 0
	err = f.Ask(t.Context(), "h2", nil, func([]byte) error { got++; return nil })
	if err != nil || got != 1 {
		t.Errorf("%d parts, %v", got, err)
	}
	if err := f.Expires(t.Context()); err != nil {
		t.Error(err)
	}
	if all := w.list(); len(all) > 0 {
		t.Errorf("%q", all)
	}
	if err := f.stream().Conn().Publish("other-minute-x.1", nil); err != nil {
		t.Fatal(err)
	}
	until(t, "what belongs to others is refused", func() bool { return len(w.list()) > 0 })
}

// TestDocumentedFaults: what the page says to be tested is.
func TestDocumentedFaults(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## What was made to fail\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var tests strings.Builder
	for _, dir := range []string{"internal", "test"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			tests.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| what ") {
			continue
		}
		rows++
		names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, m := range names {
			if !strings.Contains(tests.String(), "\nfunc "+m[1]+"(t *testing.T) {") {
				t.Errorf("there is no %s: %s", m[1], line)
			}
		}
	}
	if rows < 20 {
		t.Errorf("only %d rows", rows)
	}
}
