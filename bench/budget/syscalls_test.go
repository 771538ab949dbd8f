package budget

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// scheduling are the calls of Go's runtime that come and go with the threads' luck.
var scheduling = map[string]bool{
	"futex": true, "nanosleep": true, "epoll_pwait": true, "sched_yield": true, "tgkill": true, "getpid": true,
	"gettid":       true,
	"rt_sigreturn": true, "rt_sigprocmask": true, "rt_sigaction": true, "sigaltstack": true, "clone": true,
	"clone3": true,
	"mmap":   true, "munmap": true, "madvise": true, "set_robust_list": true, "rseq": true, "exit": true,
	"exit_group": true,
}

// A call is a system call with its result, -1 for a failure.
type call struct {
	name   string
	args   string
	result int64
}

var callLine = regexp.MustCompile(`^\d+ +(?:<\.\.\. )?([a-z0-9_]+)(?: resumed>|\()(.*)= (-?\d+|0x[0-9a-f]+|\?)`)

// tracer skips the test where strace can't be used.
func tracer(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("system calls are not counted: strace is not installed")
	}
	if out, err := exec.Command("strace", "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("system calls are not counted: strace may not trace here: %s", out)
	}
}

// trace runs a delivery under strace.
func (s *site) trace() []call {
	s.t.Helper()
	tracer(s.t)
	file := filepath.Join(s.t.TempDir(), "trace")
	if out, err := s.call("strace", "-f", "-o", file).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return readTrace(s.t, file)
}

// readTrace reads what strace wrote.
func readTrace(t *testing.T, file string) []call {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []call
	for line := range strings.Lines(string(text)) {
		if m := callLine.FindStringSubmatch(line); m != nil {
			n, err := strconv.ParseInt(m[3], 10, 64)
			if err != nil {
				n = 0 // an address
			}
			all = append(all, call{m[1], m[2], n})
		}
	}
	return all
}

// TestSystemCalls counts what a delivery without an agent asks of the kernel.
func TestSystemCalls(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.send() // the token is in the cache from now on
	s.send() // and so are the slots, most likely
	var total, opens, writes, reads, syncs, connects, size int64
	for _, c := range s.trace() {
		if scheduling[c.name] {
			continue
		}
		total++
		switch c.name {
		case "openat", "open":
			opens++
		case "write", "writev", "sendto", "sendmsg", "pwrite64":
			writes++
		case "read", "pread64", "recvfrom":
			if c.result > 0 {
				reads++
				size += c.result
			}
		case "fsync", "fdatasync":
			syncs++
		case "connect":
			connects++
		}
	}
	within(t, "system calls", total, 220, "each is a microsecond or more, and a fault of a cold page cache at worst")
	within(t, "files opened", opens, 32, "configuration, token, slot, authorities; "+
		"each can be a disk's seek")
	within(t, "writes", writes, 15, "6 to the relay and QUIT, one line of the log, and what wakes threads")
	within(t, "reads that gave something", reads, 36, "one for each file and each flight of the relay's")
	within(t, "bytes read", size, 32<<10, "the message, the token, the configuration, the replies; "+
		"the authorities come on top, and here are few")
	if syncs != 0 {
		t.Errorf("%d fsyncs: a message that is delivered at once need not be on disk", syncs)
	}
	if connects != 1 {
		t.Errorf("%d connects, want 1: to the relay", connects)
	}
}
