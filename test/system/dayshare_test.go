//go:build system

package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ownAgent starts an agent and an emulator for one test.
func ownAgent(t *testing.T, more string) (a *agentProcess, restart func(before string)) {
	t.Helper()
	dir := lab.dir(t)
	e := ownEmulator(t, filepath.Join(dir, "e"))
	a = &agentProcess{}
	restart = func(before string) {
		t.Helper()
		if a.daemon != nil {
			a.daemon.stop()
		}
		next, err := startAgentWith(dir, lab.program, e, more, before)
		if err != nil {
			t.Fatal(err)
		}
		*a = *next
	}
	restart("")
	t.Cleanup(func() {
		a.daemon.stop()
		out, err := os.ReadFile(filepath.Join(dir, "out"))
		if err != nil {
			t.Error(err)
		}
		lab.collect(t, string(out))
	})
	return a, restart
}

// callAt is a call of a user's with an agent of the test's own.
func callAt(t *testing.T, a *agentProcess, user, message string, args ...string) *call {
	c := newCall(t, a, user, append([]string{"/usr/sbin/sendmail"}, args...)...)
	c.before = a.reach()
	c.stdin = strings.NewReader(message)
	return c
}

// TestSharesUnderAttack: a user sends to 500 recipients again and again, and asks for retries without end. Root's and
// another user's mail is taken at once and out in the next minute; what does not fit waits with a reason.
func TestSharesUnderAttack(t *testing.T) {
	t.Parallel()
	a, _ := ownAgent(t, "[delivery]\nmessages_per_minute = 30\nrecipients_per_day = 10000\n")
	var crowd strings.Builder
	for i := range 499 { // and one in To
		fmt.Fprintf(&crowd, "Bcc: u%d@example.org\n", i)
	}
	if r := callAt(t, a, "www-data", simple("deferred"), "-odi", "-i", "tempfail-1@example.org").run(t); r.code != 0 {
		t.Fatal(r)
	}
	var attack sync.WaitGroup
	var over atomic.Bool
	for range 2 {
		attack.Go(func() {
			for !over.Load() {
				callAt(t, a, "www-data", "", "-q").run(t)
			}
		})
	}
	for range 3 {
		attack.Go(func() {
			for range 10 {
				if r := callAt(t, a, "www-data", crowd.String()+simple("attack"), "-t", "-i",
					"-odb").run(t); r.code != 0 {
					t.Errorf("the attacker's own: %v", r)
				}
			}
		})
	}
	attacks, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := a.arrived(attacks, "Subject: attack", 17); err != nil { // the day is used up but for the reserves
		t.Error(err)
	}
	type sent struct {
		marker string
		at     time.Time
	}
	var out []sent
	for i := range 3 {
		for _, user := range []string{"", worker} {
			if i > 0 && user != "" {
				continue // one message a minute is what the small reserve holds for a user
			}
			marker := newMarker("victim")
			start := time.Now()
			r := callAt(t, a, user, simple(marker), "-i", "x@example.org").run(t)
			if took := time.Since(start); r.code != 0 || took > 1500*time.Millisecond {
				t.Errorf("%q: %v after %v", user, r, took)
			}
			out = append(out, sent{marker, start})
		}
		time.Sleep(time.Second)
	}
	for _, s := range out {
		within(t, time.Until(s.at.Add(time.Minute)), a, s.marker)
	}
	over.Store(true)
	attack.Wait()
	r := newCall(t, a, "", "/usr/bin/mailq")
	r.before = a.reach()
	if list := r.run(t); list.code != 0 || !strings.Contains(list.stdout, "do not fit into the day: 8") ||
		!strings.Contains(list.stdout, "; 13 messages)") {
		t.Errorf("mailq: %v", list)
	}
}

// TestReadOnlySpool: an agent whose spool can't be written starts, delivers what can leave at once, answers 75
// to the rest, and keeps mail as soon as it can again.
func TestReadOnlySpool(t *testing.T) {
	t.Parallel()
	a, restart := ownAgent(t, "[delivery]\nwait = \"3s\"\n")
	spool := filepath.Join(filepath.Dir(a.run), "state", "spool")
	queued := newMarker("queued")
	if r := callAt(t, a, worker, simple(queued), "-odq", "-i", "x@example.org").run(t); r.code != 0 {
		t.Fatal(r)
	}
	restart(fmt.Sprintf("mount --bind %q %q; mount -o remount,bind,ro %q; ", spool, spool, spool))
	direct := newMarker("at-once")
	if r := callAt(t, a, worker, simple(direct), "-odi", "-i", "x@example.org").run(t); r.code != 0 {
		t.Errorf("interactive: %v", r)
	}
	one(t, a, direct)
	for _, args := range [][]string{{"-odb"}, {"-odq"}, {"-odi", "tempfail-1@example.org"}} {
		args = append([]string{"-i"}, append(args, "tempfail-2@example.org")...)
		r := callAt(t, a, worker, simple(newMarker("refused")), args...).run(t)
		if r.code != 75 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "can't be written") {
			t.Errorf("%v: %v", args, r)
		}
	}
	pid := strconv.Itoa(a.daemon.cmd.Process.Pid)
	again := exec.Command("/usr/bin/nsenter", "-t", pid, "-m", "mount", "-o", "remount,bind,rw", spool)
	if out, err := again.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	background := newMarker("kept-again")
	if r := callAt(t, a, worker, simple(background), "-odb", "-i", "x@example.org").run(t); r.code != 0 {
		t.Errorf("writable again: %v", r)
	}
	one(t, a, background)
	if r := callAt(t, a, "", "", "-q").run(t); r.code != 0 {
		t.Errorf("-q: %v", r)
	}
	one(t, a, queued)
}

// TestReadOnlySpoolDirect: without an agent the same holds.
func TestReadOnlySpoolDirect(t *testing.T) {
	t.Parallel()
	dir := lab.userDir(t, worker)
	spool := filepath.Join(dir, "spool")
	at := func(before, message string, args ...string) result {
		c := newCall(t, lab.emulator, worker, append([]string{"/usr/sbin/sendmail"}, args...)...)
		c.config = strings.Replace(c.config, "dir = \"\"", fmt.Sprintf("dir = %q", spool), 1)
		c.before, c.stdin = before, strings.NewReader(message)
		return c.run(t)
	}
	if r := at("true", simple(newMarker("first")), "-i", "x@example.org"); r.code != 0 {
		t.Fatal(r)
	}
	readOnly := fmt.Sprintf("mount --bind %q %q; mount -o remount,bind,ro %q", spool, spool, spool)
	direct := newMarker("at-once")
	if r := at(readOnly, simple(direct), "-odi", "-i", "x@example.org"); r.code != 0 {
		t.Errorf("interactive: %v", r)
	}
	one(t, lab.emulator, direct)
	for _, args := range [][]string{{"-odb"}, {"-odq"}, {"-odi"}} {
		r := at(readOnly, simple(newMarker("refused")), append(args, "-i", "tempfail-2@example.org")...)
		if r.code != 75 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "can't be written") {
			t.Errorf("%v: %v", args, r)
		}
	}
}

// TestHungAgentIsWaitedForOnce: the quick program and the whole one together wait for an agent that answers
// nothing no longer than one of them.
func TestHungAgentIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	a, _ := ownAgent(t, "")
	if err := exec.Command("kill", "-STOP", strconv.Itoa(a.daemon.cmd.Process.Pid)).Run(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = exec.Command("kill", "-CONT", strconv.Itoa(a.daemon.cmd.Process.Pid)).Run() }()
	marker := newMarker("past-the-agent")
	quick := filepath.Join(lab.dir(t), "sendmail")
	if err := copyProgram(filepath.Join(lab.root, "bin", "front"), quick); err != nil {
		t.Fatal(err)
	}
	c := newCall(t, lab.emulator, worker, quick, "-i", "x@example.org")
	c.before = a.reach() + "; touch /usr/sbin/o365-sendmail; mount --bind '" + lab.program + "' /usr/sbin/o365-sendmail"
	c.stdin = strings.NewReader(simple(marker))
	start := time.Now()
	r := c.run(t)
	if took := time.Since(start); r.code != 0 || took < 25*time.Second || took > 45*time.Second {
		t.Errorf("%v after %v", r, took)
	}
	one(t, lab.emulator, marker)
}
