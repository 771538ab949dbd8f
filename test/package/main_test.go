//go:build package

package pkgtest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// insideVariable marks the test binary that runs inside the namespaces.
const insideVariable = "O365_PACKAGE_TEST_INSIDE"

// The set-up of a run.
var (
	full  = os.Getenv("PACKAGE_FULL") != "" // every suite, every other MTA
	deb   string                            // the package under test
	bases = map[string]string{}             // suite -> directory
)

// TestMain moves the tests into namespaces of their own, so that no mount and no process
// outlives them. Without root or debootstrap nothing can run: that is a failure in CI,
// elsewhere a skip with its reason printed.
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
		os.Exit(enter())
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

// enter runs this test binary again in new mount and process namespaces and returns its
// exit code. As the first process in there ends, the kernel ends all the others.
func enter() int {
	// The shell is the first process: it collects the daemons that have ended.
	args := append([]string{"--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", `"$@"; exit $?`, "sh", os.Args[0]}, os.Args[1:]...)
	cmd := exec.Command("unshare", args...)
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
		found, _ := filepath.Glob(filepath.Join(root, "build/deb/o365-sendmail_*_"+strings.TrimSpace(string(arch))+".deb"))
		if len(found) != 1 {
			return fmt.Errorf("found %d packages in build/deb; make deb builds one", len(found))
		}
		deb = found[0]
	}
	cache := os.Getenv("PACKAGE_CACHE")
	if cache == "" {
		cache = "/var/cache/o365-sendmail-test"
	}
	suites := []string{"bookworm"}
	if full {
		suites = append(suites, "trixie")
	}
	for _, suite := range suites {
		dir := filepath.Join(cache, suite)
		if out, err := exec.Command("./base.sh", suite, dir).CombinedOutput(); err != nil {
			return fmt.Errorf("base.sh %s: %w\n%s", suite, err, tail(string(out)))
		}
		bases[suite] = dir
	}
	return nil
}

// tail is the end of a program's output.
func tail(s string) string {
	if len(s) > 3000 {
		s = "..." + s[len(s)-3000:]
	}
	return s
}
