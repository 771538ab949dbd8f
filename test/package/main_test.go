//go:build package

package pkgtest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// insideVariable marks the test binary that runs inside the namespaces.
const insideVariable = "O365_PACKAGE_TEST_INSIDE"

// The set-up of a run.
var (
	deb     string                // the package under test
	bases   = map[string]string{} // suite -> directory
	cache   string                // where the bases lie
	overlay bool                  // a fresh system is an overlay, else a copy
)

// TestMain moves the tests into namespaces of their own, so that no mount and no process
// outlives them. Where that is forbidden they run without. Without root or debootstrap
// nothing can run: that is a failure in CI, elsewhere a skip with its reason printed.
func TestMain(m *testing.M) {
	flag.Parse()
	if reason := missing(); reason != "" {
		if os.Getenv("CI") == "true" {
			fmt.Println("package tests: FAIL: " + reason)
			os.Exit(1)
		}
		fmt.Println("package tests: SKIP: " + reason)
		os.Exit(0)
	}
	if os.Getenv(insideVariable) == "" {
		out, err := exec.Command("unshare", append(namespaces, "true")...).CombinedOutput()
		if err == nil {
			os.Exit(enter())
		}
		fmt.Printf("package tests: no namespaces of their own: %v: %s\n", err, strings.TrimSpace(string(out)))
	}
	if err := setUp(); err != nil {
		fmt.Println("package tests: FAIL: set-up:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func missing() string {
	if os.Geteuid() != 0 {
		return "they need root (chroot, mounts, other users' ids)"
	}
	for _, p := range []string{"debootstrap", "unshare", "dpkg-deb"} {
		if _, err := exec.LookPath(p); err != nil {
			return p + " is not installed"
		}
	}
	return ""
}

// namespaces are unshare's arguments.
var namespaces = []string{"--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"}

// enter runs this test binary again in new mount and process namespaces and returns its
// exit code. As the first process in there ends, the kernel ends all the others.
func enter() int {
	// The shell is the first process: it collects the daemons that have ended.
	args := append(slices.Clone(namespaces), "sh", "-c", `"$@"; exit $?`, "sh", os.Args[0])
	cmd := exec.Command("unshare", append(args, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		fmt.Println("package tests:", err)
		return 1
	}
	return 0
}

// setUp finds the package and makes the Debian systems to install it in.
func setUp() error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	arch, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		return err
	}
	deb = os.Getenv("PACKAGE_DEB")
	if deb == "" {
		found, _ := filepath.Glob(filepath.Join(root,
			"build/deb/o365-sendmail_*_"+strings.TrimSpace(string(arch))+".deb"))
		if len(found) != 1 {
			return fmt.Errorf("found %d packages in build/deb; make deb builds one", len(found))
		}
		deb = found[0]
	}
	cache = os.Getenv("PACKAGE_CACHE")
	if cache == "" {
		cache = "/var/cache/o365-sendmail-test"
	}
	begun := time.Now()
	suites := []string{"bookworm", "trixie"}
	made, errs := make([]string, len(suites)), make([]error, len(suites))
	var wg sync.WaitGroup
	for i, suite := range suites {
		wg.Go(func() {
			var told bytes.Buffer
			cmd := exec.Command("./base.sh", suite, cache)
			cmd.Stderr = &told
			out, err := cmd.Output()
			fmt.Print(told.String())
			if err != nil {
				errs[i] = fmt.Errorf("base.sh %s: %w", suite, err)
			}
			made[i] = strings.TrimSpace(string(out))
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, suite := range suites {
		bases[suite] = made[i]
	}
	if err := tryOverlay(made[0]); err != nil {
		fmt.Println("package tests: each fresh system is a copy, since overlays can't be had:", err)
	} else {
		overlay = true
	}
	fmt.Printf("package tests: bases ready after %.0f s\n", time.Since(begun).Seconds())
	return nil
}

// tryOverlay reports whether this machine allows the mounts that newChroot prefers.
func tryOverlay(base string) error {
	dir, err := os.MkdirTemp("", "overlay")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	unmount, err := overlayOn(base, dir)
	unmount()
	return err
}

// tail is the end of a program's output.
func tail(s string) string {
	if len(s) > 3000 {
		s = "..." + s[len(s)-3000:]
	}
	return s
}
