//go:build package

package pkgtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// machine is a system that has booted under its own systemd, in a container of
// systemd-nspawn that shares the network.
type machine struct {
	*chroot
	nspawn *exec.Cmd
	leader string // its first process, as this side sees it
}

// ownGroup runs a command in control groups of its own: systems that share theirs would
// end each other's processes.
const ownGroup = `name=$1 && shift
for top in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
	if [ -e $top/cgroup.procs ] && mkdir $top/$name; then echo $$ >$top/$name/cgroup.procs; fi
done
exec "$@"`

// removeGroups removes them, from the leaves.
func removeGroups(name string) {
	for _, top := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"} {
		_ = exec.Command("find", filepath.Join(top, name), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
	}
}

func (c *chroot) boot() *machine {
	c.t.Helper()
	// The container brings its own /proc, and would keep one that is there.
	if err := syscall.Unmount(c.path("/proc"), 0); err != nil {
		c.t.Fatal(err)
	}
	name := fmt.Sprintf("o365-test-%08x", rand.Uint32())
	cmd := exec.Command("sh", "-c", ownGroup, "sh", name, "systemd-nspawn", "--quiet", "--directory", c.root,
		"--machine", name,
		"--register=no", "--keep-unit", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--boot")
	c.t.Cleanup(func() { removeGroups(name) })
	log, err := os.Create(filepath.Join(c.t.TempDir(), "console"))
	if err != nil {
		c.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	m := &machine{chroot: c, nspawn: cmd}
	c.t.Cleanup(m.powerOff)
	var state result
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		out, _ := exec.Command("pgrep", "-P", itoa(uintptr(cmd.Process.Pid))).Output()
		pids := strings.Fields(string(out))
		if syscall.Kill(cmd.Process.Pid, 0) != nil || isZombie(cmd.Process.Pid) {
			break
		}
		if len(pids) != 1 {
			state.out = "processes: " + string(out)
			continue
		}
		m.leader = pids[0]
		if state = m.quietly("systemctl is-system-running"); strings.HasPrefix(state.out, "running") ||
			strings.HasPrefix(state.out, "degraded") {
			return m
		}
	}
	b, _ := os.ReadFile(log.Name())
	console := tail(string(b))
	// Before systemd says which Debian it starts, it is the machine that forbids.
	if !strings.Contains(string(b), "Welcome to") {
		c.t.Skipf("this machine does not let a system boot: %s\n%s", state.out, console)
	}
	c.t.Fatalf("the system did not boot: %s\n%s", state.out, console)
	return nil
}

// powerOff ends the machine as its power switch would: processes get to end.
func (m *machine) powerOff() {
	if m.nspawn.ProcessState != nil {
		return
	}
	defer func() {
		if err := syscall.Mount("proc", m.path("/proc"), "proc", 0, ""); err != nil {
			m.t.Error(err)
		}
	}()
	_ = m.quietly("systemctl --no-block poweroff")
	done := make(chan struct{})
	go func() { _ = m.nspawn.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		_ = m.nspawn.Process.Kill()
		<-done
	}
}

// quietly runs a command in the machine and does not log it.
func (m *machine) quietly(command string) result {
	cmd := exec.Command("nsenter", "--target", m.leader, "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root",
		"--wd", "sh", "-c", command)
	cmd.Env = environment
	out, _ := cmd.CombinedOutput()
	return result{string(out), cmd.ProcessState.ExitCode()}
}

func (m *machine) run(command string) result {
	m.t.Helper()
	r := m.quietly(command)
	m.t.Logf("machine# %s\n%s[exit %d]", command, tail(r.out), r.code)
	return r
}

func (m *machine) must(command string) string {
	m.t.Helper()
	r := m.run(command)
	if r.code != 0 {
		m.t.Fatalf("%s: exit %d, want 0\n%s", command, r.code,
			m.quietly("systemctl status --no-pager 'o365*'; journalctl -n 30 --no-pager -u 'o365*'").out)
	}
	return r.out
}

// A real boot: the package is installed while systemd runs, the socket starts the agent,
// callers that may gain no privileges send, a reboot and a storm of restarts lose nothing.
func TestBoot(t *testing.T) {
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-nspawn is not installed")
		}
		t.Skip("systemd-nspawn is not installed (package systemd-container)")
	}
	if !overlay {
		t.Skip("this machine allows no mounts, so that no system can boot")
	}
	eachSuite(t, testBoot)
}

func testBoot(c *chroot) {
	t := c.t
	c.noServices()
	c.install("systemd systemd-sysv dbus php-fpm")
	c.must("rm /usr/sbin/policy-rc.d; mkdir -p /root/in; mv /tmp/o365-sendmail.deb /root/in/; systemctl mask " +
		"systemd-resolved systemd-networkd-wait-online 2>/dev/null; true")
	c.copyIn(newer(t), "/root/in/newer.deb")
	c.answers()
	m := c.boot()
	m.must(install + "/root/in/o365-sendmail.deb")

	// Enabled and running, the queue timer and port 25 not.
	if out := m.run("systemctl is-enabled o365-sendmail.socket o365-sendmail.service o365-sendmail-queue.timer " +
		"o365-sendmail-smtp.socket").out; strings.Join(strings.Fields(out),
		" ") != "enabled enabled disabled disabled" {
		t.Errorf("enabled units: %q", out)
	}
	m.must("systemctl is-active o365-sendmail.socket o365-sendmail.service")
	if out := m.must("stat -c '%a %U:%G' /run/o365-sendmail/submit.sock /var/spool/o365-sendmail " +
		"/var/lib/o365-sendmail"); out != "666 root:root\n700 o365-sendmail:o365-sendmail\n700 "+
		"o365-sendmail:o365-sendmail\n" {
		t.Errorf("modes: %q", out)
	}
	n := 0
	arrives := func(what, command string) {
		t.Helper()
		m.must(command)
		n++
		c.m.wait(t, n)
		t.Logf("%s: arrived", what)
	}
	const php = `php -r 'exit(mail("root", "php", "body") ? 0 : 1);'`
	arrives("socket, root", "echo x | sendmail -i root")
	arrives("a unit with User= and NoNewPrivileges=",
		"systemd-run --quiet --wait --pipe -p User=www-data -p NoNewPrivileges=yes -p ProtectSystem=strict -p "+
			"PrivateTmp=yes -p PrivateNetwork=yes "+php)
	arrives("a unit with DynamicUser=", "systemd-run --quiet --wait --pipe -p DynamicUser=yes -p "+
		"PrivateDevices=yes "+php)
	arrives("php-fpm with NoNewPrivileges=", fpm)

	// The kernel's word holds across namespaces: root of one's own is still alice.
	const namespaces = "systemd-run --quiet --wait --pipe --uid=alice unshare --user --map-root-user --net " +
		"--pid --fork "
	if r := m.run(namespaces + "true"); r.code != 0 {
		t.Logf("users may make no namespaces here: %s", r.out)
	} else {
		m.must("journalctl --rotate && journalctl --vacuum-time=1s")
		arrives("namespaces of alice's own", namespaces+`sh -c 'echo x | sendmail -i root'`)
		m.must("journalctl --no-pager -u o365-sendmail.service | grep uid=$(id -u alice)")
	}

	// Socket activation: the first caller starts the agent.
	m.must("systemctl stop o365-sendmail.service")
	arrives("socket activation", "echo x | sendmail -i root")
	m.must("systemctl is-active o365-sendmail.service")

	// The agent's own sandbox, as systemd judges it.
	out := m.must("systemd-analyze security --no-pager --threshold=15 o365-sendmail.service | tail -n 1")
	t.Log(out)

	// The secret as a credential of systemd: root's file, handed to the service alone.
	m.must(`sed -n 's/^client_secret = "\(.*\)"$/\1/p' /etc/o365-sendmail.toml >/root/secret && test -s /root/secret && chmod 600 /root/secret
sed -i 's/^client_secret = .*/client_secret_file = "credential:secret"/' /etc/o365-sendmail.toml
mkdir -p /etc/systemd/system/o365-sendmail.service.d
printf '[Service]\nLoadCredential=secret:/root/secret\n' >/etc/systemd/system/o365-sendmail.service.d/secret.conf
rm -rf /var/lib/o365-sendmail/*
systemctl daemon-reload && systemctl restart o365-sendmail.service`)
	tokens := c.m.TokenRequests()
	arrives("a secret from LoadCredential=", "echo x | sendmail -i root")
	if c.m.TokenRequests() == tokens {
		t.Error("no token was asked for: the credential was not used")
	}
	if r := m.run("setpriv --reuid alice --regid alice --clear-groups cat " +
		"/run/credentials/o365-sendmail.service/secret"); r.code == 0 {
		t.Error("alice can read the credential")
	}

	// An upgrade and a storm of restarts under load: the socket stays, so no call fails.
	c.m.Update(func(s *emulator.State) { s.Limits.PerMinute = 0 })
	m.must("printf '[delivery]\\nmessages_per_minute = 0\\n' >>/etc/o365-sendmail.toml; systemctl reload " +
		"o365-sendmail.service")
	for what, command := range map[string]string{
		"upgrade": install + "/root/in/newer.deb",
		// More often than systemd's own limit of five starts in ten seconds allows.
		"restart storm": "(for i in $(seq 20); do systemctl restart o365-sendmail.service || exit; done)",
	} {
		accepted, failed := m.load(command)
		t.Logf("%s: %d messages accepted, %d calls failed", what, accepted, failed)
		if accepted < 20 || failed > 0 {
			m.run("journalctl --no-pager -o short-precise -u o365-sendmail.service -u o365-sendmail.socket | grep -v " +
				"'uid=\\|: to=\\|removed\\|queued'")
			t.Errorf("%s: %d messages accepted, %d calls failed, want many and none", what, accepted, failed)
		}
		n += accepted
		c.m.wait(t, n)
	}

	// A reboot with mail queued.
	if err := c.m.SetFault("smtp-closed"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		m.must(fmt.Sprintf("printf 'Subject: queued %d\n\nx\n' | sendmail -odq -i root", i))
	}
	m.powerOff()
	if err := c.m.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	if got := len(c.m.Messages()); got != n {
		t.Fatalf("%d messages arrived, want %d", got, n)
	}
	m = c.boot()
	n += 3
	c.m.wait(t, n)

	// The journal reports each, and no secret.
	journal := m.quietly("journalctl --no-pager -u o365-sendmail.service -u o365-sendmail.socket").out
	if strings.Contains(journal, c.m.ClientSecret) || strings.Contains(journal, "eyJ") ||
		strings.Contains(journal, "Bearer") {
		t.Error("the journal has a credential")
	}
	if !strings.Contains(journal, "from=") {
		t.Errorf("the journal has no line of a delivery:\n%s", tail(journal))
	}
	t.Logf("journal after the reboot:\n%s", tail(journal))
	m.must("apt-get -q -y purge o365-sendmail && ! systemctl cat o365-sendmail.service && ! ls -d " +
		"/run/o365-sendmail/submit.sock")
}

// load sends from four callers in turn while a command runs.
func (m *machine) load(command string) (accepted, failed int) {
	m.t.Helper()
	m.must(`rm -f /run/stop /run/load.*
for c in 1 2 3 4; do
	(
		accepted=0 failed=0
		until [ -e /run/stop ]; do
			if echo x | sendmail -i root; then accepted=$((accepted + 1)); else failed=$((failed + 1)); fi
		done
		echo "$accepted $failed" >/run/load.$c
	) &
done
sleep 1
` + command + `
code=$?
sleep 1
touch /run/stop
wait
exit $code`)
	for _, line := range strings.Split(strings.TrimSpace(m.must("cat /run/load.*")), "\n") {
		var a, f int
		if _, err := fmt.Sscan(line, &a, &f); err != nil {
			m.t.Fatal(err)
		}
		accepted, failed = accepted+a, failed+f
	}
	return accepted, failed
}

// fpm sends through php-fpm's own service, hardened with a drop-in.
const fpm = `set -e
unit=$(basename /lib/systemd/system/php*-fpm.service)
mkdir -p /etc/systemd/system/$unit.d
printf '[Service]\nNoNewPrivileges=yes\nRestrictSUIDSGID=yes\n' >/etc/systemd/system/$unit.d/hard.conf
systemctl daemon-reload
systemctl restart $unit
echo '<?php echo mail("root", "fpm", "body") ? "accepted" : "refused";' >/srv/mail.php
chmod 644 /srv/mail.php
php -r '
$s = stream_socket_client("unix://" . glob("/run/php/php*-fpm.sock")[0]);
$rec = fn($type, $body) => pack("CCnnCx", 1, $type, 1, strlen($body), 0) . $body;
$pair = fn($k, $v) => chr(strlen($k)) . chr(strlen($v)) . $k . $v;
$params = $pair("SCRIPT_FILENAME", "/srv/mail.php") . $pair("REQUEST_METHOD", "GET");
fwrite($s, $rec(1, pack("nCx5", 1, 0)) . $rec(4, $params) . $rec(4, "") . $rec(5, ""));
$out = stream_get_contents($s);
echo $out;
exit(strpos($out, "accepted") === false ? 1 : 0);' | tr -cd '[:print:]\n'`
