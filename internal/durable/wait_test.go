package durable

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A child takes the first free one of the locks that its environment names, says so on a line, and keeps it
// until its input ends.
const waiterEnv = "DURABLE_TEST_WAITER"

func TestMain(m *testing.M) {
	paths := os.Getenv(waiterEnv)
	if paths == "" {
		os.Exit(m.Run())
	}
	fmt.Println("waits")
	unlock, err := System.LockAny(context.Background(), strings.Split(paths, ":"), 0o600)
	fmt.Println("has", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	unlock()
	os.Exit(0)
}

type waiter struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

// wait starts a child and returns once it sleeps in the kernel, waiting for its locks.
func wait(t *testing.T, paths ...string) *waiter {
	t.Helper()
	w := &waiter{cmd: exec.Command(os.Args[0]), lines: make(chan string, 2)}
	w.cmd.Env = append(os.Environ(), waiterEnv+"="+strings.Join(paths, ":"))
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
	})
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			w.lines <- sc.Text()
		}
	}()
	w.says(t, "waits")
	return w
}

func (w *waiter) says(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-w.lines:
		if got != want {
			t.Fatalf("a waiter says %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("a waiter does not say %q", want)
	}
}

// blocked returns once a thread of the child waits for each lock.
func (w *waiter) blocked(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", w.cmd.Process.Pid))
		in := 0
		for _, task := range tasks {
			text, _ := os.ReadFile(task)
			if strings.HasPrefix(string(text), fmt.Sprintf("%d ", syscall.SYS_FLOCK)) {
				in++
			}
		}
		if in == n {
			return
		}
	}
	t.Fatalf("no %d threads wait for a lock", n)
}

func (w *waiter) leave(t *testing.T) {
	t.Helper()
	if err := w.in.Close(); err != nil {
		t.Error(err)
	}
}

func locks(t *testing.T, n int) []string {
	t.Helper()
	dir := t.TempDir()
	paths := make([]string, n)
	for i := range paths {
		paths[i] = filepath.Join(dir, fmt.Sprint(i))
	}
	return paths
}

func hold(t *testing.T, path string) func() {
	t.Helper()
	unlock, ok, err := TryLock(path, 0o600)
	if !ok {
		t.Fatal("not free:", err)
	}
	return unlock
}

// line starts n waiters, one behind the other.
func line(t *testing.T, path string, n int) (all []*waiter) {
	t.Helper()
	for range n {
		w := wait(t, path)
		w.blocked(t, 1)
		all = append(all, w)
	}
	return all
}

// TestWaitersComeInTurn: processes get the lock in the order in which they began to wait.
func TestWaitersComeInTurn(t *testing.T) {
	t.Parallel()
	path := locks(t, 1)[0]
	unlock := hold(t, path)
	all := line(t, path, 8)
	unlock()
	for _, w := range all {
		w.says(t, "has <nil>")
		w.leave(t)
	}
}

// TestWaitersThatEnd: one that was killed and one that is stopped hold up nobody, and the one that was stopped
// has the lock in the end. Those behind them lose their order: the kernel has them ask again.
func TestWaitersThatEnd(t *testing.T) {
	t.Parallel()
	path := locks(t, 1)[0]
	unlock := hold(t, path)
	all := line(t, path, 8)
	killed, stopped := all[2], all[5]
	_ = killed.cmd.Process.Kill()
	_ = killed.cmd.Wait()
	stop(t, stopped)
	served := make(chan *waiter)
	for _, w := range all {
		if w != killed {
			go func() { <-w.lines; served <- w }()
		}
	}
	unlock()
	for range 6 {
		select {
		case w := <-served:
			if w == stopped {
				t.Error("a stopped process has the lock")
			}
			w.leave(t)
		case <-time.After(20 * time.Second):
			t.Fatal("the line stands still")
		}
	}
	if err := stopped.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	<-served
}

func stop(t *testing.T, w *waiter) {
	t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.cmd.Process.Pid))
		if _, state, _ := strings.Cut(string(text), ") "); strings.HasPrefix(state, "T") {
			return
		}
	}
	t.Fatal("a child does not stop")
}

// TestAnyLockWillDo: a waiter takes whichever lock gets free, whether its holder lets go or is killed, while a
// stopped holder keeps its own, and lets the others pass to those behind it.
func TestAnyLockWillDo(t *testing.T) {
	t.Parallel()
	paths := locks(t, 3)
	killed, stopped := wait(t, paths[0]), wait(t, paths[1])
	killed.says(t, "has <nil>")
	stopped.says(t, "has <nil>")
	unlock := hold(t, paths[2])
	first := wait(t, paths...)
	first.blocked(t, 3)
	second := wait(t, paths...)
	second.blocked(t, 3)
	stop(t, stopped)
	_ = killed.cmd.Process.Kill()
	first.says(t, "has <nil>")
	unlock()
	second.says(t, "has <nil>")
	if _, ok, _ := TryLock(paths[1], 0o600); ok {
		t.Error("a stopped holder lost its lock")
	}
}

// TestWaitersOfOneProcess: those who gave up hold nothing and keep nobody waiting.
func TestWaitersOfOneProcess(t *testing.T) {
	t.Parallel()
	paths := locks(t, 2)
	unlock := []func(){hold(t, paths[0]), hold(t, paths[1])}
	gaveUp, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	for range 5 {
		go func() {
			_, err := System.LockAny(gaveUp, paths, 0o600)
			errs <- err
		}()
	}
	got := make(chan func())
	for range 3 {
		go func() {
			unlock, err := System.LockAny(t.Context(), paths, 0o600)
			if err != nil {
				t.Error(err)
			}
			got <- unlock
		}()
	}
	cancel()
	for range 5 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	unlock[0]()
	one := <-got
	unlock[1]()
	two := <-got
	select {
	case <-got:
		t.Error("three hold two locks")
	default:
	}
	one()
	three := <-got
	two()
	three()
	for _, path := range paths {
		unlock, err := System.LockAny(t.Context(), []string{path}, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	}
}

// TestWaitingCostsNothing: a process that waits for a second uses no processor.
func TestWaitingCostsNothing(t *testing.T) {
	t.Parallel()
	paths := locks(t, 3)
	for _, path := range paths {
		defer hold(t, path)()
	}
	w := wait(t, paths...)
	w.blocked(t, 3)
	time.Sleep(200 * time.Millisecond) // until the runtime's monitor sleeps, too
	before := switches(t, w)
	time.Sleep(time.Second) // what is measured is a second of waiting
	if n := switches(t, w) - before; n > 3 {
		t.Errorf("the threads of a process that waits ran %d times in a second", n)
	}
}

// switches counts how often the child's threads gave up the processor.
func switches(t *testing.T, w *waiter) (n int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", w.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal("no threads", err)
	}
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for line := range strings.Lines(string(text)) {
			var k int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &k); err == nil {
				n += k
			}
		}
	}
	return n
}
