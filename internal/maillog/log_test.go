package maillog

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := New(Options{To: "stderr", Format: "text", Stderr: &b})
	l.Log(Info, "abc", "to", "<a@b>", "delay", 1500*time.Millisecond, "dsn", "2.0.0", "status", "sent", "",
		"250 2.0.0 OK\r\n<13>evil\x1b[2J")
	l.Log(Err, "", "", errors.New("no token"))
	l.Log(Info, "x", "from", strings.Repeat("a", 2000))
	got := strings.SplitAfter(b.String(), "\n")
	if want := "abc: to=<a@b>, delay=1.50, dsn=2.0.0, status=sent (250 2.0.0 " +
		"OK\\r\\n<13>evil\\x1b[2J)\n"; got[0] != want {
		t.Errorf("got %q\nwant %q", got[0], want)
	}
	if got[1] != "no token\n" {
		t.Errorf("got %q", got[1])
	}
	if len(got[2]) > 512+20 {
		t.Errorf("a long value was not cut: %d bytes", len(got[2]))
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	l := New(Options{To: file, Format: "json", Now: func() time.Time { return time.Unix(0, 0) }})
	l.Log(Warning, "id1", "to", "<ü@b>", "", "line\nbreak")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	if m["id"] != "id1" || m["to"] != "<ü@b>" || m["text"] != `line\nbreak` || m["severity"] != "4" {
		t.Errorf("got %v", m)
	}
	if fi, _ := os.Stat(file); fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("the log is open to others: %v", fi.Mode())
	}
}

// TestJournalFields: what one looks for is a field of its own in the journal, and no value can make another.
func TestJournalFields(t *testing.T) {
	t.Parallel()
	addr := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unixgram"}
	in, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := net.DialUnix("unixgram", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	l := New(Options{To: "journal", Format: "text"})
	l.sink = &journalSink{conn: out, tag: "x"}
	b := l.Batch()
	b.Log(Info, "ID1", "uid", 33, "user", "www-data", "from", "<a@b>", "size", 5)
	b.Log(Info, "ID1", "to", "<c\nPRIORITY=0@d>", "status", "sent", "", "250 OK\nMAIL_ID=ID2")
	b.Flush()
	l.Log(Info, "", "", "the agent is ready")
	for _, want := range []string{
		"MAIL_ID=ID1\nMAIL_UID=33\nMAIL_FROM=a@b\nMESSAGE\n",
		"MAIL_ID=ID1\nMAIL_TO=c\\nPRIORITY=0@d\nMAIL_STATUS=sent\nMESSAGE\n",
		fmt.Sprintf("SYSLOG_PID=%d\nMESSAGE\n", os.Getpid()),
	} {
		buf := make([]byte, 4096)
		_ = in.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := in.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		head, line, _ := strings.Cut(string(buf[:n]), "MESSAGE\n")
		size := binary.LittleEndian.Uint64([]byte(line))
		if !strings.HasSuffix(head+"MESSAGE\n", want) || strings.Count(head, "PRIORITY=") > 2 ||
			uint64(len(line)) != 8+size+1 {
			t.Errorf("got %q, want %q", buf[:n], want)
		}
		for l := range strings.Lines(head) {
			if strings.HasPrefix(l, "PRIORITY=0") {
				t.Errorf("an address made a field: %q", head)
			}
		}
	}
}

// writes keeps what each write brought.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

func TestBatch(t *testing.T) {
	t.Parallel()
	var w writes
	b := New(Options{To: "stderr", Stderr: &w}).Batch()
	b.Log(Info, "a", "status", "sent")
	b.Log(Info, "a", "", "removed")
	if len(w) != 0 {
		t.Errorf("%q before Flush", w)
	}
	b.Flush()
	if b.Flush(); len(w) != 1 || w[0] != "a: status=sent\na: removed\n" {
		t.Errorf("%q", w)
	}
	// No write is larger than what a pipe takes in one piece.
	w = nil
	for range 20 {
		b.Log(Info, "a", "to", strings.Repeat("x", 500))
	}
	b.Flush()
	for _, p := range w {
		if len(p) > 4096 || !strings.HasSuffix(p, "\n") {
			t.Errorf("a write of %d bytes", len(p))
		}
	}
	if all := strings.Join(w, ""); strings.Count(all, "\n") != 20 || len(w) > 4 {
		t.Errorf("%d lines in %d writes", strings.Count(all, "\n"), len(w))
	}
	var none *Logger
	n := none.Batch()
	n.Log(Info, "id", "to", "x")
	n.Flush()
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"", "/nonexistent/x", "/dev/null", t.TempDir()} {
		New(Options{To: to}).Log(Info, "id", "to", "x")
	}
	var none *Logger
	none.Log(Info, "id", "to", "x")
}

func TestTag(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": Tag, "a\n<3>b c": "a3bc", "\x00": Tag,
		strings.Repeat("x", 99): strings.Repeat("x", 32)} {
		if got := New(Options{Tag: in}).o.Load().Tag; got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
