//go:build package

package pkgtest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const releaseDir = "../../build/release"

// readme returns the blocks of README.md below a heading, up to the next one.
func readme(t *testing.T, heading string) []string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "# "+heading)
	if !ok {
		t.Fatalf("README has no heading %s", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n#")
	var found []string
	for _, m := range regexp.MustCompile("(?s)\n```[a-z]*\n(.*?\n)```\n").FindAllStringSubmatch(rest, -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("README has no block below %s", heading)
	}
	return found
}

// Every block of README has its test, named here; make demo and make check are run on fresh machines.
func TestReadmeBlocks(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]int{
		"o365-sendmail": 1, "Install": 1, "Debian and Ubuntu": 1, // TestReleaseDebian
		"Fedora, RHEL and openSUSE": 1,                 // TestRPM
		"Alpine":                    1,                 // TestAPK
		"Any Linux":                 1, "Configure": 3, // TestTarball
		"Try it and build it": 1,
	}
	heading, open := "", false
	for line := range strings.Lines(string(b)) {
		switch {
		case strings.HasPrefix(line, "```"):
			if open = !open; open {
				tests[heading]--
			}
		case strings.HasPrefix(line, "#") && !open:
			heading, _, _ = strings.Cut(strings.TrimSpace(strings.TrimLeft(line, "#")), ": ")
		}
	}
	for heading, n := range tests {
		if n != 0 {
			t.Errorf("README has %d blocks below %q that no test runs", -n, heading)
		}
	}
}

// headingFile returns the file that a heading of README names behind its colon.
func headingFile(t *testing.T, heading string) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?m)^### " + regexp.QuoteMeta(heading) + ": (o365-sendmail\\S+)$").FindSubmatch(b)
	if m == nil {
		t.Fatalf("README has no heading %q with a file", heading)
	}
	path, err := filepath.Abs(filepath.Join(releaseDir, string(m[1])))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%v; make release builds it", err)
	}
	return path
}

// release puts a release's file into the system, checks it and installs it with the commands that
// README prints below a heading. It returns the file's path outside.
func (c *chroot) release(heading string) string {
	c.t.Helper()
	file := headingFile(c.t, heading)
	c.copyIn(file, "/srv/release/"+filepath.Base(file))
	c.copyIn(filepath.Join(releaseDir, "SHA256SUMS"), "/srv/release/SHA256SUMS")
	c.must("cd /srv/release && " + readme(c.t, "Install")[0])
	c.must("cd /srv/release && set -e\n" + readme(c.t, heading)[0])
	return file
}

// The way of a stranger with Debian: the file of the release, the package's questions, and mail
// works. It has two minutes.
func TestReleaseDebian(t *testing.T) {
	for suite := range bases {
		t.Run(suite, func(t *testing.T) {
			file := headingFile(t, "Debian and Ubuntu")
			c := newChroot(t, suite)
			c.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n", 0o755)
			c.write("/etc/mailname", "host.example.org\n", 0o644)
			c.write("/etc/apt/apt.conf.d/99yes", `APT::Get::Assume-Yes "true";`+"\n", 0o644)
			c.copyIn(file, "/srv/release/"+filepath.Base(file))
			c.copyIn(filepath.Join(releaseDir, "SHA256SUMS"), "/srv/release/SHA256SUMS")
			begun := time.Now()
			c.must("cd /srv/release && " + readme(t, "Install")[0])
			c.dialogue("teletype", "cd /srv/release && "+readme(t, "Debian and Ubuntu")[0],
				step{"Microsoft 365 tenant:", c.m.Tenant + "\n"}, step{"Application (client) ID:", c.m.ClientID + "\n"},
				step{"Client secret:", c.m.ClientSecret + "\n"}, step{"Mailbox that sends:", c.m.Mailbox + "\n"},
				step{"Address for mail to root:", c.m.RootTo + "\n"})
			if r := c.as("alice", "printf 'Subject: first\n\nx\n' | sendmail -i root"); r.code != 0 {
				t.Fatalf("sendmail: exit %d", r.code)
			}
			c.m.wait(t, 1)
			took := time.Since(begun)
			t.Logf("%s: from the release's file to the first message: %.1f s", suite, took.Seconds())
			if took > 2*time.Minute {
				t.Error("that is more than two minutes")
			}
			c.must(strings.TrimPrefix(readme(t, "o365-sendmail")[0], "$ "))
			c.m.wait(t, 2)
			for _, command := range strings.Split(readme(t, "Configure")[0], "\n")[1:] {
				c.must(command)
			}
		})
	}
}

// The tarball on a Debian that has booted, by README's commands alone.
func TestTarball(t *testing.T) {
	if !overlay {
		t.Skip("this machine allows no mounts, so that no system can boot")
	}
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Skip("systemd-nspawn is not installed (package systemd-container)")
	}
	t.Parallel()
	c := newChrootFor(t, "bookworm", documented)
	c.noServices()
	c.install("systemd systemd-sysv dbus")
	c.release("Any Linux")
	c.must("systemctl mask systemd-resolved systemd-networkd-wait-online 2>/dev/null; true")
	configure := readme(t, "Configure")
	if len(configure) != 3 {
		t.Fatalf("README has %d blocks on the configuration, want commands, keys and units", len(configure))
	}
	c.write("/etc/o365-sendmail.toml", configure[1], 0o600)
	c.must("man -w o365-sendmail >/dev/null; test -e /usr/share/man/man8/o365-sendmail.8.gz")
	m := c.boot()
	m.must("set -e\n" + configure[2])
	for _, name := range []string{"/usr/sbin/sendmail", "/usr/lib/sendmail"} {
		m.must("printf 'Subject: tarball\n\nx\n' | setpriv --reuid alice --regid alice --clear-groups " + name +
			" -i root")
	}
	c.m.wait(t, 2)
	_, check, _ := strings.Cut(configure[0], "\n")
	m.must("mailq && newaliases && " + check)
}

// containerfile returns what an instruction of the recipe says, "" if it is not there.
func containerfile(t *testing.T, instruction string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(releaseDir, "Containerfile"))
	if err != nil {
		t.Skipf("%v; make release builds it", err)
	}
	for _, line := range dockerLines(string(b)) {
		if rest, ok := strings.CutPrefix(line, instruction+" "); ok {
			return rest
		}
	}
	return ""
}

// The root of the container image: the recipe's process runs in it as the recipe's user, and
// others send through its socket. There is no shell and nothing else in it.
func TestContainerRoot(t *testing.T) {
	t.Parallel()
	file := headingFile(t, "Containers")
	if add := strings.ReplaceAll(containerfile(t, "ADD"), "${TARGETARCH}",
		"amd64"); add != "o365-sendmail-*-container-amd64.tar.gz /" {
		t.Fatalf("the recipe adds %s", add)
	}
	c := &chroot{t: t, root: t.TempDir()}
	if out, err := exec.Command("tar", "-C", c.root, "-xpzf", file, "--numeric-owner").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	// What an engine adds.
	c.write("/etc/hosts", "127.0.0.1 localhost\n", 0o644)
	for _, dir := range []string{"/proc", "/dev"} {
		if err := os.Mkdir(c.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mknod(c.path("/dev/null"), syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("proc", c.path("/proc"), "proc", 0, ""); err != nil {
		t.Logf("no /proc in the container: %v", err)
	} else {
		t.Cleanup(func() { _ = syscall.Unmount(c.path("/proc"), syscall.MNT_DETACH) })
	}
	t.Cleanup(c.endProcesses)
	c.m = newMicrosoft(t, documented)
	c.m.knownIn(c)
	user := containerfile(t, "USER")
	c.write("/etc/o365-sendmail.toml", readme(t, "Configure")[1], 0o400)
	if err := os.Chown(c.path("/etc/o365-sendmail.toml"), 925, 925); err != nil {
		t.Fatal(err)
	}
	var command []string
	for _, instruction := range []string{"ENTRYPOINT", "CMD"} {
		var words []string
		if err := json.Unmarshal([]byte(containerfile(t, instruction)), &words); err != nil {
			t.Fatalf("%s: %v", instruction, err)
		}
		command = append(command, words...)
	}
	agent := exec.Command("chroot", append([]string{"--userspec=" + user, c.root}, command...)...)
	var log bytes.Buffer
	agent.Stdout, agent.Stderr, agent.Env = &log, &log, []string{"PATH=/usr/sbin:/usr/bin"}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, name := range []string{"/usr/sbin/sendmail", "/usr/lib/sendmail"} {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			send := exec.Command("chroot", "--userspec=33:33", c.root, name, "-i", "root")
			send.Env, send.Stdin = nil, strings.NewReader("Subject: container\n\nx\n")
			out, err := send.CombinedOutput()
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %v: %s", name, err, out)
			}
		}
		sent++
		c.m.wait(t, sent)
	}
	if err := agent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := agent.Wait(); err != nil || !strings.Contains(log.String(), "status=sent") {
		t.Errorf("the agent: %v\n%s", err, log.String())
	}
}

// The bill of materials is CycloneDX and names each module that is linked.
func TestReleaseBill(t *testing.T) {
	t.Parallel()
	found, _ := filepath.Glob(filepath.Join(releaseDir, "*.cdx.json"))
	if len(found) != 1 {
		t.Skip("no single build/release/*.cdx.json; make release builds it")
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		BOMFormat  string `json:"bomFormat"`
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(b, &bill); err != nil || bill.BOMFormat != "CycloneDX" {
		t.Fatalf("%v, format %q", err, bill.BOMFormat)
	}
	named := map[string]string{}
	for _, m := range bill.Components {
		named[m.Name] = m.Version
	}
	for _, m := range checkProgram(t, filepath.Join(extract(t), "usr/lib/o365-sendmail/fleet")).Deps {
		if named[m.Path] != m.Version {
			t.Errorf("the bill has %s %q, linked is %s", m.Path, named[m.Path], m.Version)
		}
	}
}
