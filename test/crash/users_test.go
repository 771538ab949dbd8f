//go:build crash

package crash

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// serviceSite is a site whose files belong to the user daemon, as whom its agent runs.
func serviceSite(t *testing.T, extra string) (*site, *process) {
	t.Helper()
	s := agentSite(t, extra)
	uid, gid := ids(t, "daemon")
	socketDir := filepath.Dir(s.socket)
	_ = os.RemoveAll(socketDir) // another test's
	t.Cleanup(func() { _ = os.RemoveAll(socketDir) })
	for _, dir := range []string{s.spoolDir(), filepath.Join(s.dir, "cache"), socketDir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(socketDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.logFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]fs.FileMode{s.config: 0o640, s.logFile(): 0o600} {
		owner := uid
		if path == s.config {
			owner = 0
		}
		if err := os.Chown(path, owner, gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	p := s.agent("setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", "--no-new-privs")
	if !p.answers() {
		t.Fatal(p.stderr.String())
	}
	return s, p
}

func ids(t *testing.T, name string) (uid, gid int) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	if uid, err = strconv.Atoi(u.Uid); err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		t.Fatal(err)
	}
	return uid, gid
}

// asWWW makes a command run as www-data, who can't gain rights by any program.
func asWWW(args ...string) *exec.Cmd {
	cmd := exec.Command("setpriv", append([]string{"--reuid=www-data", "--regid=www-data", "--clear-groups",
		"--no-new-privs"}, args...)...)
	cmd.Env, cmd.Dir = environment(), "/"
	return cmd
}

// TestWithoutRights: a user without any rights sends mail, and can read nothing of the service's.
func TestWithoutRights(t *testing.T) {
	t.Parallel()
	s, p := serviceSite(t, "")
	input := "To: a@example.org\nSubject: m-0\n\ntext\n"
	if r := run(t, asWWW(program, "-t"), input); r.code != 0 || r.stderr != "" {
		t.Errorf("%+v\n%s", r, s.log())
	}
	s.until("it arrives", func() bool { return s.subjects("m-0") == 1 })
	if err := s.Script(emulator.Rule{Stage: "dot", Reply: "451 4.7.0 Temporary server error"}); err != nil {
		t.Fatal(err)
	}
	if r := run(t, asWWW(program, "-t", "-odb"), input); r.code != 0 {
		t.Errorf("%+v\n%s", r, s.log())
	}
	s.until("one waits", func() bool { return s.queued() == 1 })

	var secret []string
	for _, root := range []string{s.config, s.spoolDir(), filepath.Join(s.dir, "cache"), s.logFile()} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			secret = append(secret, path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	proc := fmt.Sprintf("/proc/%d/", p.Process.Pid)
	secret = append(secret, proc+"environ", proc+"mem", proc+"maps", proc+"fd", proc+"cwd", proc+"auxv")
	if len(secret) < 12 || !slices.ContainsFunc(secret, func(p string) bool { return strings.HasSuffix(p, ".msg") }) ||
		!slices.ContainsFunc(secret, func(p string) bool { return strings.HasSuffix(p, ".token") }) {
		t.Errorf("only %v", secret)
	}
	for _, path := range secret {
		for _, how := range [][]string{{"cat", path}, {"ls", path + "/"}} {
			cmd := asWWW(how...)
			out, err := cmd.Output()
			if err == nil || len(out) > 0 {
				t.Errorf("%v: %v, %q", how, err, out)
			}
		}
	}
	for _, signal := range []string{"kill -0 ", "kill -TERM "} {
		if asWWW("sh", "-c", signal+strconv.Itoa(p.Process.Pid)).Run() == nil {
			t.Errorf("%s reaches the agent", signal)
		}
	}
	t.Logf("%d files and directories tried", len(secret))
}

// TestStoppedClients: clients that stop in the midst of everything, more than one user may have
// connections, delay nobody else, and finish when they go on.
func TestStoppedClients(t *testing.T) {
	t.Parallel()
	s, _ := serviceSite(t, "[agent]\nmax_connections_per_user = 20\n")
	var stopped []*exec.Cmd
	for _, call := range []string{"connect", "write", "read", "sendto", "recvfrom", "close", "epoll_ctl",
		"setsockopt"} {
		for n := 1; n <= 4; n++ {
			cmd := asWWW(append([]string{"strace", "-D", "-f", "-qqq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
				fmt.Sprintf("inject=%s:signal=STOP:when=%d", call, n)},
				program, "-i", "a@example.org")...)
			cmd.Stdin = strings.NewReader(fmt.Sprintf("Subject: %s-%d\n\n%s", call, n,
				strings.Repeat("text\n", 100000)))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			stopped = append(stopped, cmd)
		}
	}
	isStopped := func(cmd *exec.Cmd) bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		_, rest, _ := strings.Cut(string(b), ") ")
		return err == nil && (strings.HasPrefix(rest, "T") || strings.HasPrefix(rest, "t"))
	}
	standing := 0
	s.until("the clients have stopped", func() bool {
		standing = 0
		for _, cmd := range stopped {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
			_, rest, _ := strings.Cut(string(b), ") ")
			if isStopped(cmd) {
				standing++
			} else if err == nil && !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "S") {
				return false
			}
		}
		return standing >= 10
	})
	slowest := time.Duration(0)
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		cmd := exec.CommandContext(ctx, program, "-i", "b@example.org")
		cmd.Env = environment()
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 20001, Gid: 20001}}
		start := time.Now()
		r := run(t, cmd, fmt.Sprintf("Subject: other-%d\n\ntext\n", i))
		slowest = max(slowest, time.Since(start))
		cancel()
		if r.code != 0 {
			t.Errorf("another user: %+v", r)
		}
	}
	if slowest > 3*time.Second {
		t.Errorf("another user waited for %v", slowest)
	}
	s.until("the others' mail arrives", func() bool { return s.subjects("other-") == 20 })
	for _, cmd := range stopped {
		goOn(cmd)
	}
	done := 0
	for _, cmd := range stopped {
		if err := cmd.Wait(); err == nil {
			done++
		}
	}
	if done < len(stopped)-len(stopped)/4 {
		t.Errorf("only %d of %d clients finished\n%s", done, len(stopped), s.log())
	}
	t.Logf("%d clients stood still, others took at most %v; then %d of %d finished", standing,
		slowest.Round(time.Millisecond), done, len(stopped))
}

// goOn lets a stopped client go on, without its tracer: strace 6.1 keeps it stopped.
func goOn(cmd *exec.Cmd) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "TracerPid:"); ok {
			if pid, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
		}
	}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		_ = cmd.Process.Signal(syscall.SIGCONT) // it may have ended
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		if _, rest, _ := strings.Cut(string(b), ") "); err != nil || !strings.HasPrefix(rest, "T") &&
			!strings.HasPrefix(rest, "t") {
			return
		}
	}
}
