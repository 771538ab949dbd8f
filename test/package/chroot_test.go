//go:build package

package pkgtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// chroot is a fresh Debian system: an overlay over the suite's base, or a copy of it,
// thrown away at the end. It shares the network, so that loopback addresses of the test
// answer in it.
type chroot struct {
	t    *testing.T
	root string
	m    *microsoft
}

// eachSuite runs a test in a fresh system of each suite.
func eachSuite(t *testing.T, test func(c *chroot)) {
	for suite := range bases {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			test(newChroot(t, suite))
		})
	}
}

func newChroot(t *testing.T, suite string) *chroot {
	t.Helper()
	return newChrootFor(t, suite, emulator.Options{})
}

// newChrootFor is a fresh system with the package, beside a Microsoft 365 that has that account.
func newChrootFor(t *testing.T, suite string, account emulator.Options) *chroot {
	t.Helper()
	c := bareChroot(t, suite)
	c.m = newMicrosoft(t, account)
	c.m.knownIn(c)
	c.copyIn(deb, "/tmp/o365-sendmail.deb")
	return c
}

// bareChroot is a fresh system without a Microsoft 365 and without the package.
func bareChroot(t *testing.T, suite string) *chroot {
	t.Helper()
	base := bases[suite]
	c := &chroot{t: t}
	if overlay {
		dir := t.TempDir()
		unmount, err := overlayOn(base, dir)
		t.Cleanup(unmount)
		if err != nil {
			t.Fatal(err)
		}
		c.root = filepath.Join(dir, "root")
	} else {
		// Beside the base: a temporary directory may know no device nodes.
		dir, err := os.MkdirTemp(cache, "test-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		c.root = filepath.Join(dir, "root")
		if out, err := exec.Command("cp", "-a", "--reflink=auto", base, c.root).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v\n%s", err, out)
		}
	}
	if err := syscall.Mount("proc", c.path("/proc"), "proc", 0, ""); err != nil {
		t.Logf("no /proc in the system: %v", err)
	} else {
		t.Cleanup(func() { _ = syscall.Unmount(c.path("/proc"), syscall.MNT_DETACH) })
	}
	t.Cleanup(c.endProcesses) // before the file systems go
	return c
}

// overlayOn mounts a fresh system over a base at dir/root. The function that it returns
// unmounts what was mounted.
func overlayOn(base, dir string) (unmount func(), err error) {
	var mounted []string
	unmount = func() {
		for _, target := range mounted {
			_ = syscall.Unmount(target, syscall.MNT_DETACH)
		}
	}
	mount := func(kind, target, data string) {
		if err != nil {
			return
		}
		if err = syscall.Mount(kind, target, kind, 0, data); err != nil {
			err = fmt.Errorf("mount %s at %s: %w", kind, target, err)
			return
		}
		mounted = slices.Insert(mounted, 0, target)
	}
	mkdir := func(names ...string) {
		for _, name := range names {
			if err == nil {
				err = os.Mkdir(filepath.Join(dir, name), 0o755)
			}
		}
	}
	mkdir("root", "layers")
	// An overlay can't lie on an overlay; and dpkg's many small files are quick in memory.
	mount("tmpfs", filepath.Join(dir, "layers"), "mode=0755")
	mkdir("layers/upper", "layers/work")
	mount("overlay", filepath.Join(dir, "root"),
		"lowerdir="+base+",upperdir="+dir+"/layers/upper,workdir="+dir+"/layers/work")
	return unmount, err
}

// endProcesses ends what the system under test has started.
func (c *chroot) endProcesses() {
	links, _ := filepath.Glob("/proc/[0-9]*/root")
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && at == c.root {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

func (c *chroot) path(p string) string { return filepath.Join(c.root, p) }

func (c *chroot) copyIn(from, to string) {
	c.t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(to, string(b), 0o644)
}

func (c *chroot) write(p, text string, mode os.FileMode) {
	c.t.Helper()
	if err := os.MkdirAll(filepath.Dir(c.path(p)), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(c.path(p), []byte(text), mode); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chroot) read(p string) string {
	c.t.Helper()
	b, err := os.ReadFile(c.path(p))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

// result is what a command in the system did.
type result struct {
	out  string // standard output and error
	code int
}

// environment is what every command gets, and nothing else.
var environment = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
	"DEBIAN_FRONTEND=noninteractive"}

// as runs a shell command as a user of the system.
func (c *chroot) as(user, command string) result {
	c.t.Helper()
	args := []string{c.root}
	if user != "root" {
		args = append(args, "setpriv", "--reuid", user, "--regid", user, "--init-groups")
	}
	cmd := exec.Command("chroot", append(args, "sh", "-c", command)...)
	cmd.Env = environment
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// A daemon that the command leaves behind may hold the pipe.
	cmd.WaitDelay = time.Second
	begun := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		c.t.Fatalf("%s: %v", command, err)
	}
	r := result{out.String(), cmd.ProcessState.ExitCode()}
	c.t.Logf("%s$ %s\n%s[exit %d, %.1f s, processor %.1f s]", user, command, tail(r.out), r.code,
		time.Since(begun).Seconds(),
		(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	return r
}

func (c *chroot) run(command string) result { c.t.Helper(); return c.as("root", command) }

// must runs a command as root that has to succeed.
func (c *chroot) must(command string) string {
	c.t.Helper()
	r := c.run(command)
	if r.code != 0 {
		c.t.Fatalf("%s: exit %d, want 0", command, r.code)
	}
	return r.out
}

// answers preseeds debconf with the account of the test's Microsoft 365.
func (c *chroot) answers() {
	c.t.Helper()
	c.write("/tmp/answers", strings.Join([]string{
		"o365-sendmail o365-sendmail/tenant string " + c.m.Tenant,
		"o365-sendmail o365-sendmail/client-id string " + c.m.ClientID,
		"o365-sendmail o365-sendmail/client-secret password " + c.m.ClientSecret,
		"o365-sendmail o365-sendmail/mailbox string " + c.m.Mailbox,
		"o365-sendmail o365-sendmail/root-to string " + c.m.RootTo,
		""}, "\n"), 0o600)
	c.must("debconf-set-selections /tmp/answers && rm /tmp/answers")
}

// noServices makes the system one whose policy starts no service.
func (c *chroot) noServices() { c.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755) }

const install = "apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends install "

func (c *chroot) install(packages string) string {
	c.t.Helper()
	return c.must(install + packages)
}

// startAgent starts the agent by hand, as README.Debian says.
func (c *chroot) startAgent() {
	c.t.Helper()
	c.must("install -d -o o365-sendmail -g o365-sendmail /run/o365-sendmail")
	c.must("setsid setpriv --reuid o365-sendmail --regid o365-sendmail --clear-groups " +
		"/usr/sbin/o365-sendmail serve </dev/null >/tmp/agent.log 2>&1 & echo $! >/run/o365-sendmail.pid")
	c.waitAgent()
}

// waitAgent waits until the agent's socket answers.
func (c *chroot) waitAgent() {
	c.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			c.t.Fatal(err)
		}
		// A path over 108 bytes can't be connected to: use the directory's descriptor.
		dir, err := os.Open(c.path("/run/o365-sendmail"))
		if err == nil {
			err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: "/proc/self/fd/" + itoa(dir.Fd()) + "/submit.sock"})
			dir.Close()
		}
		syscall.Close(fd)
		if err == nil {
			return
		}
	}
	c.t.Fatalf("no agent answers: %s", c.run("cat /tmp/agent.log; ls -la /run/o365-sendmail; ps ax").out)
}

// stopAgent stops the agent that startAgent or the init script started. Other systems'
// agents are in sight, so it goes by the number of the process.
func (c *chroot) stopAgent() {
	c.t.Helper()
	const file = "/run/o365-sendmail.pid"
	pid, err := strconv.Atoi(strings.TrimSpace(c.read(file)))
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.Remove(c.path(file)); err != nil {
		c.t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil || isZombie(pid) {
			return
		}
	}
	c.t.Fatalf("the agent, process %d, did not end", pid)
}

// isZombie reports whether a process has ended without its parent having waited for it.
func isZombie(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}

// stat is mode and owner of a file, as "640 root:o365-sendmail".
func (c *chroot) stat(p string) string {
	c.t.Helper()
	return strings.TrimSpace(c.must("stat -c '%a %U:%G' " + p))
}

func (c *chroot) wantStat(p, want string) {
	c.t.Helper()
	if got := c.stat(p); got != want {
		c.t.Errorf("%s is %s, want %s", p, got, want)
	}
}
