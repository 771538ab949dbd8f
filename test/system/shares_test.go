//go:build system

package system

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A sharedAgent is an agent with default limits and what goes with it, of one test.
type sharedAgent struct {
	t         *testing.T
	run, log  string
	emulator  *emulatorProcess
	attackers string // the program
}

func newSharedAgent(t *testing.T) *sharedAgent {
	t.Helper()
	dir, root := lab.dir(t), lab.root
	a := &sharedAgent{t: t, run: filepath.Join(dir, "run"), log: filepath.Join(dir, "agent.out"),
		attackers: filepath.Join(dir, "attack")}
	build := exec.Command("go", "build", "-o", a.attackers, "./test/cmd/attack")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	a.emulator = ownEmulator(t, filepath.Join(dir, "emulator"))
	state, config, verbs := filepath.Join(dir, "state"), filepath.Join(dir, "o365-sendmail.toml"),
		filepath.Join(dir, "o365-sendmail")
	for _, d := range []string{a.run, state} {
		must(t, os.Mkdir(d, 0o755))
		must(t, chown(d, agentUser, agentUser))
	}
	text := a.emulator.settings(filepath.Join(state, "cache")) +
		fmt.Sprintf("\n[spool]\ndir = %q\n\n[agent]\nsocket = %q\n\n[log]\nto = \"stderr\"\n",
			filepath.Join(state, "spool"), filepath.Join(a.run, "submit.sock"))
	must(t, os.WriteFile(config, []byte(text), 0o640))
	must(t, chown(config, "root", agentUser))
	must(t, os.Symlink(lab.program, verbs))
	agent, err := startDaemon(a.log, "setpriv", "--reuid", agentUser, "--regid", agentUser, "--init-groups", "--",
		verbs, "serve", "-C", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		agent.stop()
		text, err := os.ReadFile(a.log)
		if err != nil {
			t.Error(err)
		}
		lab.collect(t, string(text))
	})
	if err := agent.until(20*time.Second, func() error {
		c, err := net.Dial("unix", filepath.Join(a.run, "submit.sock"))
		if err == nil {
			c.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	a.send(0, newMarker("first")) // a token is there, and a session
	return a
}

// attack lets a user attack until the test ends.
func (a *sharedAgent) attack(uid int, form string, size, connections int) {
	a.t.Helper()
	id := strconv.Itoa(uid)
	cmd := exec.Command("setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--", a.attackers,
		"-socket", filepath.Join(a.run, "submit.sock"), "-form", form, "-size", strconv.Itoa(size), "-n",
		strconv.Itoa(connections))
	cmd.Stderr = os.Stderr
	stop, err := cmd.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		stop.Close()
		if err := cmd.Wait(); err != nil {
			a.t.Error(err)
		}
	})
}

// send is sendmail -i as a user, who waits for it.
func (a *sharedAgent) send(uid int, marker string) (took time.Duration) {
	id := strconv.Itoa(uid)
	ctx, cancel := context.WithTimeout(a.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/unshare", "-m", "--", "sh", "-c",
		"mkdir -p /run/o365-sendmail; mount --bind '"+a.run+"' /run/o365-sendmail; exec setpriv --reuid "+id+
			" --regid "+id+" --clear-groups -- /usr/sbin/sendmail -i you@example.org")
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/"}
	cmd.Stdin = strings.NewReader(simple(marker))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begun := time.Now()
	err := cmd.Run()
	took = time.Since(begun)
	if err != nil || out.Len() > 0 {
		a.t.Errorf("uid %d: %v after %v: %s", uid, err, took, out.String())
	}
	return took
}

// A call may take moment, and on a machine that is busy with other things at most twice as long as a call
// at the same time of an agent that nobody attacks.
const moment = 1500 * time.Millisecond

// othersAreServed sends as root and as another user while the attack goes on, and at the same time to an
// agent that has nothing else to do.
func (a *sharedAgent) othersAreServed(beside *sharedAgent) {
	a.t.Helper()
	time.Sleep(2 * time.Second) // the attack has what it can get
	const each = 3
	marker := newMarker("shares")
	var wg sync.WaitGroup
	for _, uid := range []int{0, 1001} {
		wg.Go(func() {
			for i := range each {
				control := make(chan time.Duration, 1)
				go func() { control <- beside.send(uid, newMarker("beside")) }()
				took, normal := a.send(uid, fmt.Sprintf("%s-%d-%d.", marker, uid, i)), <-control
				a.t.Logf("uid %d, message %d took %v, one beside it %v", uid, i, took, normal)
				if took > max(moment, 2*normal) {
					a.t.Errorf("uid %d, message %d took %v, one beside it %v", uid, i, took, normal)
				}
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	if _, err := a.emulator.arrived(ctx, marker, 2*each); err != nil {
		a.t.Error(err)
	}
}

// TestOneUserAttacks: whatever one user does with all available connections, root and another
// user hand in their mail within a moment, and it goes out within a minute.
func TestOneUserAttacks(t *testing.T) {
	for _, c := range []struct {
		form string
		size int
	}{{"idle", 0}, {"line", 10 << 10}, {"line", 79 << 20 / 10}, {"short", 1 << 20}, {"rcpt", 1 << 20},
		{"mail", 1 << 20}} {
		t.Run(fmt.Sprint(c.form, c.size), func(t *testing.T) {
			a, beside := newSharedAgent(t), newSharedAgent(t)
			a.attack(33, c.form, c.size, 600)
			a.othersAreServed(beside)
		})
	}
}

// TestManyUsersAttack: the same with many user ids.
func TestManyUsersAttack(t *testing.T) {
	for _, c := range []struct {
		form              string
		size, users, each int
	}{{"slow", 0, 50, 20}, {"line", 1 << 20, 50, 12}} {
		t.Run(fmt.Sprint(c.users, c.form), func(t *testing.T) {
			a, beside := newSharedAgent(t), newSharedAgent(t)
			for i := range c.users {
				a.attack(20000+i, c.form, c.size, c.each)
			}
			a.othersAreServed(beside)
		})
	}
}
