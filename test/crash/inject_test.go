//go:build crash

package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// killCalls are the system calls at which a process is killed. A kill comes before
// the call takes effect, and so after the one before it did.
var killCalls = []string{
	"openat", "close", "read", "pread64", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate",
	"renameat", "renameat2", "unlinkat",
	"mkdirat", "fchmod", "flock", "getdents64", "newfstatat", "fstat", "connect", "accept4", "sendto", "recvfrom",
	"sendmsg", "recvmsg",
	"epoll_ctl", "setsockopt", "getsockopt", "socket", "bind", "listen",
}

// point is one injection: what happens at a system call when a thread makes it for the n-th time.
type point struct {
	call   string
	n      int
	effect string // "signal=KILL" or "error=EIO"
	onward bool   // from the n-th time on
}

func (p point) String() string {
	more := ""
	if p.onward {
		more = "+"
	}
	return fmt.Sprintf("%s:%s:when=%d%s", p.call, p.effect, p.n, more)
}

// args are strace's arguments; what it prints goes nowhere. With --seccomp-bpf, which
// would be faster, strace 6.1 gives a signal at the first call only.
func (p point) args() []string {
	return []string{"-f", "-qqq", "-o", "/dev/null", "-e", "trace=" + p.call, "-e", "inject=" + p.String()}
}

// counting are strace's arguments that write down every call.
func counting(file string) []string {
	return []string{"-f", "--seccomp-bpf", "-qqq", "-o", file, "-e", "trace=" + strings.Join(killCalls, ",")}
}

// counts reads how often a thread made each call at most.
func counts(t testing.TB, file string) map[string]int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	thread, most := map[string]int{}, map[string]int{}
	for line := range strings.Lines(string(b)) {
		pid, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		call, _, ok := strings.Cut(strings.TrimSpace(rest), "(")
		if !ok || strings.ContainsAny(call, " <+-") {
			continue
		}
		thread[pid+call]++
		most[call] = max(most[call], thread[pid+call])
	}
	return most
}

// points are all places at which effect can be had.
func points(most map[string]int, calls []string, effect string) []point {
	var all []point
	for _, call := range calls {
		for n := 1; n <= most[call]; n++ {
			all = append(all, point{call: call, n: n, effect: effect})
		}
	}
	return all
}

// each calls try for every point, or for samples of them as long as there is time.
func each(t testing.TB, all []point, try func(p point)) {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	r := rand.New(rand.NewPCG(s, 0))
	times := 1
	if *long {
		times = *rounds
	}
	start, n := time.Now(), 0
	for range times {
		order := slices.Clone(all)
		r.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		for _, p := range order {
			if !*long && time.Since(start) > *sample {
				break
			}
			try(p)
			n++
			if t.Failed() {
				t.Logf("that was at point %v", p)
				return
			}
		}
	}
	t.Logf("%d of %d points in %v (-seed %d)", n, len(all)*times, time.Since(start).Round(time.Millisecond), s)
}

// traced runs the program under strace. It ends when all that it started has ended, too.
func (s *site) traced(strace []string, input string, args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "strace", slices.Concat(strace, []string{program, "-C", s.config}, args)...)
	cmd.Env = environment("GOMAXPROCS=1")
	return run(s.t, cmd, input)
}

// calls counts the calls of one run.
func (s *site) calls(input string, args ...string) (map[string]int, result) {
	s.t.Helper()
	file := filepath.Join(s.dir, "calls")
	r := s.traced(counting(file), input, args...)
	return counts(s.t, file), r
}
