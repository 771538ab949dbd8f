//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// as runs a program of the lab as a user who sees the agent's socket.
func (a *agentProcess) as(t *testing.T, uid int, stdin, program string, args ...string) (stdout string) {
	t.Helper()
	id := strconv.Itoa(uid)
	script := a.reach() + `; exec setpriv --reuid ` + id + ` --regid ` + id + ` --clear-groups -- "$@"`
	cmd := exec.CommandContext(t.Context(), "/usr/bin/unshare",
		append([]string{"-m", "--", "sh", "-c", script, "sh", program}, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/"}
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Errorf("uid %d, %s %v: %v %s", uid, program, args, err, errs.String())
	}
	return out.String()
}

// TestHistoryOfUsers: ten users, nobody among them, send at once, and each finds the own mail and no other's. After
// the agent was killed without warning in the midst of more, what was found before is still found.
func TestHistoryOfUsers(t *testing.T) {
	dir := lab.dir(t)
	verbs := filepath.Join(filepath.Dir(lab.program), "o365-sendmail")
	const more = "[delivery]\nmessages_per_minute = 100000\n"
	a, err := startAgentWith(dir, lab.program, lab.emulator, more, "")
	if err != nil {
		t.Fatal(err)
	}
	uids := []int{0, 33, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 65534}
	const each = 3
	marker := newMarker("history")
	send := func(uid, i int) {
		a.as(t, uid, simple(marker), "/usr/sbin/sendmail", "-i", fmt.Sprintf("%s-%d-%d@example.org", marker, uid, i))
	}
	var all sync.WaitGroup
	for _, uid := range uids {
		all.Go(func() {
			for i := range each {
				send(uid, i)
			}
		})
	}
	all.Wait()
	found := func(uid int) (n int) {
		t.Helper()
		for line := range strings.Lines(a.as(t, uid, "", verbs, "log", "--json")) {
			var e struct {
				UID               int
				Recipient, Status string
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Errorf("%v in %q", err, line)
			}
			if !strings.HasPrefix(e.Recipient, marker) || e.Status != "sent" {
				continue
			}
			if n++; uid != 0 && e.UID != uid {
				t.Errorf("uid %d sees %s", uid, line)
			}
		}
		return n
	}
	check := func() {
		t.Helper()
		for _, uid := range uids {
			want := each
			if uid == 0 {
				want = each * len(uids)
			}
			if n := found(uid); n < want || uid != 0 && n > want {
				t.Errorf("uid %d finds %d, want %d", uid, n, want)
			}
		}
	}
	check()
	for i := range 20 { // callers whose agent is killed may fail, and say so
		cmd := exec.Command("/usr/bin/unshare", "-m", "--", "sh", "-c",
			a.reach()+`; exec /usr/sbin/sendmail -odb -i "$@"`, "sh", fmt.Sprintf("%s-killed-%d@example.org", marker, i))
		cmd.Stdin = strings.NewReader(simple(newMarker("killed")))
		all.Go(func() { _ = cmd.Run() })
	}
	must(t, a.daemon.cmd.Process.Signal(syscall.SIGKILL))
	all.Wait()
	a.daemon.stop()
	if a, err = startAgentWith(dir, lab.program, lab.emulator, more, ""); err != nil {
		t.Fatal(err)
	}
	defer a.daemon.stop()
	check()
}

// TestHistoryOnFullDisk: a disk that is full costs lines of the history and one line of the log, and no mail.
func TestHistoryOnFullDisk(t *testing.T) {
	dir := lab.dir(t)
	folder := filepath.Join(dir, "state", "cache", "history")
	a, err := startAgentWith(dir, lab.program, lab.emulator,
		"[delivery]\nmessages_per_minute = 100000\n[log]\nto = \"stderr\"\n",
		"mkdir -p "+folder+"; chown -R "+agentUser+": "+filepath.Join(dir, "state")+
			"; mount -t tmpfs -o size=8k,mode=700,uid=$(id -u "+agentUser+") none "+folder+"; ")
	if err != nil {
		t.Fatal(err)
	}
	marker := newMarker("full")
	const messages = 70
	for i := range messages {
		a.as(t, 1001, simple(marker), "/usr/sbin/sendmail", "-i", fmt.Sprintf("%s-%d@example.org", marker, i))
	}
	verbs := filepath.Join(filepath.Dir(lab.program), "o365-sendmail")
	found := strings.Count(a.as(t, 1001, "", verbs, "log", "--recipient", marker), "\n")
	a.daemon.stop()
	out, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out), "can't be written, and mail goes on without it"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, out)
	}
	if n := strings.Count(string(out), "status=sent"); n != messages || found < 10 || found >= messages {
		t.Errorf("%d of %d sent, %d in the history", n, messages, found)
	}
}

// TestHistoryOfDirectCalls: without an agent a user who may write to the cache's folder leaves lines there, for that
// user alone. Who may not leaves none, and no error for them.
func TestHistoryOfDirectCalls(t *testing.T) {
	const user = "www-data"
	marker := newMarker("direct")
	verbs := filepath.Join(filepath.Dir(lab.program), "o365-sendmail")
	c := newCall(t, lab.emulator, user, "/usr/sbin/sendmail", "-i", marker+"@example.org")
	c.stdin = strings.NewReader(simple(marker))
	if r := c.run(t); r.code != 0 || r.stderr != "" {
		t.Fatal(r)
	}
	files, err := filepath.Glob(filepath.Join(c.cache, "history", "*.log"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q %v", files, err)
	}
	fi, err := os.Stat(files[0])
	if err != nil || fi.Mode() != 0o600 || fi.Sys().(*syscall.Stat_t).Uid == 0 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	c.argv, c.stdin = []string{verbs, "log", "--recipient", marker}, nil
	if r := c.run(t); r.code != 0 || !strings.Contains(r.stdout, "user=www-data") {
		t.Error(r)
	}
	c.user = "" // root may read it, and does not become its owner for that
	if r := c.run(t); r.code != 0 {
		t.Error(r)
	}

	c = newCall(t, lab.emulator, user, "/usr/sbin/sendmail", "-i", marker+"@example.org")
	roots := filepath.Join(lab.dir(t), "cache")
	must(t, os.Mkdir(roots, 0o755))
	c.config = strings.ReplaceAll(c.config, c.cache, roots)
	c.stdin = strings.NewReader(simple(newMarker("nothing")))
	if r := c.run(t); r.code != 0 || strings.Contains(r.stderr, "history") {
		t.Error(r)
	}
	if left, err := os.ReadDir(roots); err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
}
