package maillog

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNowhere: without a journal and syslog standard error gets the log, if the options say so.
func TestNowhere(t *testing.T) {
	t.Parallel()
	for _, path := range []string{journalSocket, syslogSocket} {
		if c, err := dial(path); err == nil {
			_ = c.Close()
			t.Skip(path, " takes the lines here")
		}
	}
	for _, to := range []string{"journal", "syslog", t.TempDir()} {
		var b bytes.Buffer
		New(Options{To: to, Stderr: &b, Fallback: true}).Log(Info, "id", "", "said")
		if !strings.Contains(b.String(), "id: said\n") {
			t.Errorf("%s: %q", to, b.String())
		}
		b.Reset()
		if New(Options{To: to, Stderr: &b}).Log(Info, "id", "", "said"); b.Len() != 0 {
			t.Errorf("%s: a caller's standard error got %q", to, b.String())
		}
		b.Reset()
		New(Options{To: to, Stderr: &b, Fallback: true, Echo: true}).Log(Info, "id", "", "said")
		if got := b.String(); strings.Count(got, "id: said\n") != 1 {
			t.Errorf("%s at a terminal: %q", to, got)
		}
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	var b bytes.Buffer
	New(Options{To: file, Stderr: &b, Echo: true}).Log(Info, "id", "", "said")
	raw, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(raw), "id: said") || b.String() != "id: said\n" {
		t.Errorf("%v, file %q, standard error %q", err, raw, b.String())
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	l := New(Options{To: one})
	l.Log(Info, "", "", "first")
	if err := os.Rename(one, one+".1"); err != nil {
		t.Fatal(err)
	}
	l.Reopen(Options{To: one})
	l.Log(Info, "", "", "second")
	l.Reopen(Options{To: two, Format: "json"})
	l.Log(Info, "", "", "third")
	for path, want := range map[string]string{one + ".1": "first\n", one: "second\n", two: `"text":"third"}` + "\n"} {
		if raw, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(raw), want) ||
			strings.Count(string(raw), "\n") != 1 {
			t.Errorf("%s: %v, %q", path, err, raw)
		}
	}
}

// TestDaemonStartsAgain: a log daemon that ended takes no more lines; the one after it does.
func TestDaemonStartsAgain(t *testing.T) {
	t.Parallel()
	dead, alive := net.Pipe()
	_ = alive.Close()
	var b bytes.Buffer
	l := New(Options{To: "stderr", Stderr: &b})
	l.sink = &syslogSink{conn: dead, now: l.o.Load().Now}
	l.Log(Info, "", "", "said")
	if b.String() != "said\n" {
		t.Errorf("got %q", b.String())
	}
}
