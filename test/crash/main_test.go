//go:build crash

package crash

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	long   = flag.Bool("long", false, "take every point, not samples: thousands of messages, many minutes")
	rounds = flag.Int("rounds", 1, "with -long: how often every point is taken")
	sample = flag.Duration("sample", 4*time.Second, "how long samples of one kind are taken without -long")
	seed   = flag.Uint64("seed", 0, "of the choice of samples; 0 takes another one each time")
)

// insideVariable marks the test binary that runs inside the namespaces.
const insideVariable = "O365_CRASH_TEST_INSIDE"

// work is the directory of the whole run; program is the binary, called sendmail.
var work, program, agentProgram string

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // they mostly wait
		panic(err)
	}
	if testing.Short() {
		fmt.Println("crash tests: SKIP: -short was given")
		os.Exit(0)
	}
	if reason := missing(); reason != "" {
		if os.Getenv("CI") == "true" {
			fmt.Println("crash tests: FAIL: " + reason)
			os.Exit(1)
		}
		fmt.Println("crash tests: SKIP: " + reason)
		os.Exit(0)
	}
	if work = os.Getenv(insideVariable); work == "" {
		os.Exit(enter())
	}
	if err := setUp(); err != nil {
		fmt.Println("crash tests: FAIL: set-up:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func missing() string {
	if os.Geteuid() != 0 {
		return "they need root (namespaces, small file systems, other users' ids)"
	}
	for _, p := range []string{"strace", "setpriv"} {
		if _, err := exec.LookPath(p); err != nil {
			return p + " is not installed"
		}
	}
	return ""
}

// enter runs this test binary again in namespaces of its own. As the first process in there
// ends, the kernel ends all the others.
func enter() int {
	code, err := inside()
	if err != nil {
		fmt.Println("crash tests: FAIL:", err)
		return 1
	}
	return code
}

func inside() (code int, err error) {
	dir, err := os.MkdirTemp("", "o365-crash-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // other users' programs are called in it
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// setUp makes the private view of the file system, and the program.
func setUp() error {
	mount := func(source, target, kind string, flags uintptr) error {
		if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
		return nil
	}
	err := errors.Join(
		mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE),
		mount("proc", "/proc", "proc", 0),
		// The usual places of socket, spool and cache.
		mount("tmpfs", "/run", "tmpfs", 0),
		mount("tmpfs", "/var/spool", "tmpfs", 0),
		mount("tmpfs", "/var/lib", "tmpfs", 0),
	)
	if err != nil {
		return err
	}
	// A configuration of the host's must never be found.
	if _, err := os.Stat(systemConfig); err == nil {
		if err := mount("/dev/null", systemConfig, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	program, agentProgram = filepath.Join(work, "sendmail"), filepath.Join(work, "o365-sendmail")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", program, "o365-sendmail/cmd/sendmail")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return os.Symlink("sendmail", agentProgram)
}
