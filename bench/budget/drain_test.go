package budget

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/spool"
)

// fill queues n messages.
func (s *site) fill(n int) {
	s.t.Helper()
	ops := *durable.System
	nothing := func(*os.File) error { return nil }
	ops.Sync, ops.Datasync = nothing, nothing
	sp, err := spool.Open(spool.Options{Dir: filepath.Join(filepath.Dir(s.config), "spool"), Ops: &ops})
	if err != nil {
		s.t.Fatal(err)
	}
	for range n {
		if _, err := sp.Put(context.Background(), spool.Meta{UID: 1000, Origin: "test"}, testEnvelope(),
			wireMessage); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := sp.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// TestDrain counts what one more message in the queue asks of the kernel: what 600 messages take
// beyond what 100 do.
func TestDrain(t *testing.T) {
	t.Parallel()
	tracer(t)
	// An account with a rate counts each message in the cache, and never sends many.
	s := newSite(t, "[delivery]", "[delivery]\nrecipients_per_day = 0")
	s.send() // the token is in the cache from now on
	count := func(n int) map[string]int {
		s.fill(n)
		file := filepath.Join(t.TempDir(), "trace")
		cmd := exec.Command("strace", "-f", "-o", file, program, "-q")
		cmd.Env = s.environment()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sum := map[string]int{}
		for _, c := range readTrace(t, file) {
			sum[c.name]++
			if !scheduling[c.name] {
				sum["all"]++
			}
		}
		return sum
	}
	const few, many = 100, 600
	before := count(few)
	after := count(many)
	// In tenths of a call, since what is shared by several messages is less than one for each.
	tenths := func(name string) int64 { return int64(after[name]-before[name]) * 10 / (many - few) }
	within(t, "tenths of a system call for a message", tenths("all"), 155, "a drain at no distance is limited by them")
	within(t, "tenths of an open", tenths("openat"), 21, "the list of the queue, and the message's turn")
	within(t, "tenths of a write", tenths("write"), 8,
		"messages leave by the half-window, and their lines go into the log together")
	within(t, "tenths of a change of the counts", tenths("pwrite64"), 1,
		"what has left is taken off the counts together")
	within(t, "tenths of an unlink", tenths("unlinkat"), 11, "only a message that was tried before may have a log")
	within(t, "tenths of a lock", tenths("flock"), 12, "the message's; a file that is gone needs no unlocking")
	if n := int64(after["fsync"] + after["fdatasync"]); n > 20 {
		t.Errorf("%d fsyncs for %d messages: removals are made durable together", n, many)
	}
	within(t, "messages", int64(s.Stats().Messages), 1+few+many, "each once")
}
