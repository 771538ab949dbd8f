package spool

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary starts itself again as another process that uses the spool.
const (
	childRole = "SPOOL_TEST_ROLE"
	childDir  = "SPOOL_TEST_DIR"
	childArg  = "SPOOL_TEST_ARG"
)

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(childRole)]
	if !ok {
		os.Exit(m.Run())
	}
	arg, _ := strconv.Atoi(os.Getenv(childArg))
	if err := role(os.Getenv(childDir), arg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var roles = map[string]func(dir string, arg int) error{
	"crash": crashChild, "writer": writerChild, "taker": takerChild, "umask": umaskChild,
}

// child returns the command that plays a role on a spool.
func child(t *testing.T, role, dir string, arg int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir, childArg+"="+strconv.Itoa(arg),
		"GOCOVERDIR="+t.TempDir())
	return cmd
}

// say tells the parent at once: nothing stays in a buffer when the process is killed.
func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

// writerChild puts messages until it is killed, or arg of them.
func writerChild(dir string, arg int) error {
	s, err := Open(Options{Dir: dir, Warn: func(err error) { fmt.Fprintln(os.Stderr, err) }})
	if err != nil {
		return err
	}
	for n := 0; arg == 0 || n < arg; n++ {
		msg := hello
		if n%4 == 3 {
			msg = large
		}
		id, err := s.Put(context.Background(), Meta{UID: os.Getpid()}, to("b@example.com"), msg)
		if err != nil {
			return err
		}
		say("%s", id)
	}
	return nil
}

// takerChild finishes every message that it can claim, and holds each for a while.
func takerChild(dir string, _ int) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	for {
		ids, err := s.IDs()
		if err != nil || len(ids) == 0 {
			return errors.Join(err, s.Sync())
		}
		for _, id := range ids {
			it, err := s.Claim(id)
			if errors.Is(err, ErrBusy) || errors.Is(err, ErrGone) {
				continue
			}
			if err != nil {
				return err
			}
			say("%s", id)
			if err := errors.Join(it.Mark(map[int]RecipientStatus{0: {State: Done}}), it.Finish()); err != nil {
				return err
			}
		}
	}
}

func umaskChild(dir string, arg int) error {
	syscall.Umask(arg)
	if err := writerChild(dir, 5); err != nil {
		return err
	}
	return takerChild(dir, 0)
}

func TestProcessesShareTheQueue(t *testing.T) {
	t.Parallel()
	s, w := open(t, Options{Ops: withoutSync()})
	for range 100 {
		put(t, s, to("b@example.com"), hello)
	}
	var cmds []*exec.Cmd
	var outs []*bytes.Buffer
	for range 4 {
		cmd, out := child(t, "taker", s.o.Dir, 0), new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds, outs = append(cmds, cmd), append(outs, out)
	}
	taken := map[string]int{}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, outs[i])
		}
		for _, id := range strings.Fields(outs[i].String()) {
			taken[id]++
		}
	}
	for id, n := range taken {
		if n != 1 {
			t.Errorf("%s was taken %d times", id, n)
		}
	}
	if len(taken) != 100 {
		t.Errorf("%d messages were taken", len(taken))
	}
	if st, err := s.Stats(); err != nil || st != (Stats{}) {
		t.Errorf("stats %+v, %v", st, err)
	}
	wantFiles(t, s)
	w.none(t)
}

func TestUmask(t *testing.T) {
	t.Parallel()
	for _, mask := range []int{0, 0o777} {
		dir := t.TempDir() + "/spool"
		out, err := child(t, "umask", dir, mask).CombinedOutput()
		if err != nil {
			t.Fatalf("umask %04o: %v: %s", mask, err, out)
		}
		if n := len(strings.Fields(string(out))); n != 10 {
			t.Errorf("umask %04o: %s", mask, out)
		}
		for path, want := range map[string]os.FileMode{"": 0o700, "/queue": 0o700, "/failed": 0o700, "/usage": 0o600} {
			if st, err := os.Stat(dir + path); err != nil || st.Mode().Perm() != want {
				t.Errorf("umask %04o: %s: %v, %v", mask, path, st.Mode(), err)
			}
		}
	}
	s, _ := open(t, Options{})
	id := put(t, s, to("b@example.com"), hello)
	if st, err := os.Stat(s.path(queueDir, id, suffixMessage)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("message: %v, %v", st.Mode(), err)
	}
}

// TestKilledWriters kills processes at no particular point.
func TestKilledWriters(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.now = time.Now()
	s, w := open(t, Options{Now: c.Now})
	accepted := map[string]bool{}
	const processes = 12
	for range processes {
		cmd := child(t, "writer", s.o.Dir, 0)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			accepted[lines.Text()] = true
			if n == 5 {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
	}
	present := 0
	for _, i := range list(t, s) {
		if i.Err != nil {
			t.Errorf("%s: %v", i.ID, i.Err)
		}
		if accepted[i.ID] {
			present++
		}
	}
	if present != len(accepted) {
		t.Errorf("%d of %d accepted messages are there", present, len(accepted))
	}
	// A writer that was killed between rename and its answer leaves one more.
	if extra := len(list(t, s)) - present; extra > processes {
		t.Errorf("%d messages that were not accepted", extra)
	}
	c.add(37 * time.Hour)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, s) {
		if !strings.HasSuffix(name, suffixMessage) {
			t.Errorf("left after the sweep: %s", name)
		}
	}
	w.none(t)
}
