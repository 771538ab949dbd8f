//go:build system

package system

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
)

// insideVariable marks the test binary that runs inside the namespaces.
const insideVariable = "O365_SYSTEM_TEST_INSIDE"

// programs are the commands that the tests can't do without.
var programs = []string{
	"/usr/sbin/postfix", "/usr/sbin/postconf", "/usr/sbin/dovecot", "/usr/bin/php", "/usr/bin/bsd-mailx",
	"/usr/bin/s-nail",
	"/usr/bin/mail.mailutils", "/usr/bin/mutt", "/usr/sbin/cron", "/usr/sbin/anacron", "/usr/sbin/atd",
	"/usr/lib/git-core/git-send-email",
	"/usr/bin/cgi-fcgi", "/usr/share/php/libphp-phpmailer", "/usr/share/php/Symfony/Component/Mailer",
	"/usr/share/perl5/MIME/Lite.pm",
	"/usr/share/perl5/Email/Sender.pm", "/usr/bin/ruby", "/usr/share/nodejs/nodemailer", "/usr/bin/python3",
	"/usr/sbin/mdadm", "/usr/sbin/smartd",
	"/usr/bin/unattended-upgrade", "/usr/sbin/apticron", "/usr/bin/fail2ban-server", "/usr/sbin/logwatch",
	"/usr/bin/certtool", "/usr/bin/pk12util", "/usr/bin/certutil", "/usr/bin/keytool",
	"/usr/bin/curl", "/usr/bin/prometheus", "/usr/bin/strace", "/usr/bin/setpriv", "/usr/bin/prlimit",
	"/usr/sbin/ip", "/usr/bin/openssl",
	"/usr/sbin/sendmail",
}

// TestMain moves the tests into namespaces of their own. Without root or the
// Debian packages nothing can run: that is a failure in CI, elsewhere a skip
// with its reason printed.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("system tests: SKIP: -short was given")
		os.Exit(0)
	}
	if reason := missing(); reason != "" {
		if os.Getenv("CI") == "true" {
			fmt.Println("system tests: FAIL: " + reason)
			os.Exit(1)
		}
		fmt.Println("system tests: SKIP: " + reason)
		os.Exit(0)
	}
	if os.Getenv(insideVariable) == "" {
		os.Exit(enter())
	}
	code := 1
	if err := setUp(); err != nil {
		fmt.Println("system tests: FAIL: set-up:", err)
	} else {
		code = m.Run()
	}
	code = tearDown(code)
	os.Exit(code)
}

// missing says what keeps the tests from running here, or nothing.
func missing() string {
	if os.Geteuid() != 0 {
		return "they need root (namespaces, other users' ids, a real cron)"
	}
	var absent []string
	for _, p := range programs {
		if _, err := os.Stat(p); err != nil {
			absent = append(absent, p)
		}
	}
	if len(absent) > 0 {
		return "not installed: " + strings.Join(absent, ", ") + " (make packages installs them)"
	}
	return ""
}

// enter runs this test binary again in new mount, process and network namespaces
// and returns its exit code. As the first process in there ends, the kernel ends
// all the others; nobody else takes a port there.
func enter() int {
	work, err := os.MkdirTemp("", "o365-system-")
	if err != nil {
		fmt.Println("system tests: FAIL:", err)
		return 1
	}
	keep := os.Getenv("KEEP") != ""
	if !keep {
		defer os.RemoveAll(work)
	} else {
		fmt.Println("system tests: work directory kept:", work)
	}
	// Other users' programs have to get through to what they own below it.
	if err := os.Chmod(work, 0o755); err != nil {
		fmt.Println("system tests: FAIL:", err)
		return 1
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Println("system tests: FAIL:", err)
		return 1
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"="+work)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	default:
		fmt.Println("system tests: FAIL:", err)
		return 1
	}
}

// setUp makes the private view of the file system and the lab in it.
func setUp() error {
	work := os.Getenv(insideVariable)
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	view := &view{work: work}
	if err := view.mount(filepath.Join(root, "bin", "sendmail")); err != nil {
		return err
	}
	// Some programs ask for an address that is not loopback's before they look one up.
	out, err := exec.Command("sh", "-ec", "ip link set lo up; ip link add net0 type veth peer name net1; "+
		"ip addr add 10.211.6.1/24 dev net0; ip link set net0 up; ip link set net1 up").CombinedOutput()
	if err != nil {
		return fmt.Errorf("the network's namespace: %w: %s", err, out)
	}
	lab, err = newLab(work, root)
	return err
}

// repositoryRoot is the directory with go.mod above the test's own.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod above the working directory")
}
