//go:build system

package system

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Programs that watch the host and mail root.
var watchCallers = []caller{
	{name: "mdadm `--monitor --test`", pkg: "mdadm", keep: true, test: mdadm},
	{name: "smartd `-M test`", pkg: "smartmontools", keep: true, test: smartd},
	{name: "unattended-upgrades", pkg: "unattended-upgrades", keep: true, test: unattendedUpgrades},
	{name: "apticron", pkg: "apticron", keep: true, test: apticron},
	{name: "fail2ban, action `sendmail`", pkg: "fail2ban", test: fail2ban},
	{name: "logwatch", pkg: "logwatch", keep: true, test: logwatch},
}

// arriveAsWritten waits for the message and compares it with what the caller
// wrote, in which the texts have to be.
func (r *run) arriveAsWritten(t *testing.T, texts ...string) {
	t.Helper()
	within(t, 30*time.Second, r.to, r.marker)
	message := r.record.message(t)
	want := r.input(t, root)
	for _, text := range texts {
		if !strings.Contains(string(message), text) && !strings.Contains(want.body, text) {
			t.Errorf("the caller wrote %q, want %q in it", message, text)
		}
	}
	r.arrive(t, want)
}

// place lets a file or directory of the test's own take the place of another.
func (c *call) place(path, at string) { c.then("mount --bind '" + path + "' '" + at + "'") }

func (c *call) empty(dirs ...string) {
	for _, d := range dirs {
		c.then("mount -t tmpfs -o mode=755 tmpfs " + d)
	}
}

// writeFile makes a file below a directory of root's.
func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// mdadm watches an array; with --test it mails about each at its start. The array is a library that
// answers its questions: since 4.4 it passes over what is none.
func mdadm(t *testing.T, r *run) {
	conf := writeFile(t, lab.dir(t), "mdadm.conf",
		"HOMEHOST <system>\nMAILADDR "+
			"root\nARRAY /dev/md/"+r.marker+" metadata=1.2 UUID=3aaa0122:29827cfa:5331ad66:ca767371\n")
	c := r.call(t, "", "/usr/sbin/mdadm", "--monitor", "--scan", "--oneshot", "--test")
	c.place(conf, "/etc/mdadm/mdadm.conf")
	c.env = []string{"LD_PRELOAD=" + library(t, mdArray)}
	if got := c.run(t); got.code != 0 {
		t.Fatal(got)
	}
	r.arriveAsWritten(t, "TestMessage event on /dev/md/"+r.marker, "detected on md device /dev/md/"+r.marker)
}

const mdArray = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

int open64(const char *path, int flags, int mode) {
	if (!strncmp(path, "/dev/md/", 8))
		path = "/dev/null";
	return ((int (*)(const char *, int, int))dlsym(RTLD_NEXT, "open64"))(path, flags, mode);
}
int __open64_2(const char *path, int flags) { return open64(path, flags, 0); }
int ioctl(int fd, unsigned long request, void *arg) {
	if ((request >> 8 & 255) == 9) /* MD_MAJOR */
		return 0;
	return ((int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl"))(fd, request, arg);
}
`

// library makes a library of a C source.
func library(t *testing.T, source string) string {
	t.Helper()
	dir := lab.dir(t)
	file := filepath.Join(dir, "library.so")
	out, err := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-o", file,
		writeFile(t, dir, "library.c", source)).CombinedOutput()
	if err != nil {
		t.Fatalf("gcc: %v: %s", err, out)
	}
	return file
}

// smartd uses Debian's runner for mail. The disk is a library that answers the
// questions for an NVMe disk.
func smartd(t *testing.T, r *run) {
	dir := lab.dir(t)
	device := writeFile(t, dir, r.marker, "")
	conf := writeFile(t, dir, "smartd.conf", device+" -d nvme,0x1 -H -m root -M test -M exec "+
		"/usr/share/smartmontools/smartd-runner\n")
	c := r.call(t, "", "/usr/sbin/smartd", "-q", "onecheck", "-c", conf)
	c.empty("/var/lib/smartmontools")
	c.env = []string{"LD_PRELOAD=" + library(t, nvmeDisk)}
	if got := c.run(t); got.code != 0 {
		t.Fatal(got)
	}
	r.arriveAsWritten(t, "SMART error (EmailTest) detected on host: "+hostname(t), "TEST EMAIL from smartd")
}

const nvmeDisk = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/nvme_ioctl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

int ioctl(int fd, unsigned long request, ...) {
	va_list ap;
	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	if (request != NVME_IOCTL_ADMIN_CMD)
		return ((int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl"))(fd, request, arg);
	struct nvme_passthru_cmd *c = arg;
	char *data = (char *)(uintptr_t)c->addr;
	memset(data, 0, c->data_len);
	if (c->opcode == 6 && (c->cdw10 & 255) == 1) { /* identify controller */
		memset(data + 4, ' ', 68);
		memcpy(data + 4, "S1", 2);
		memcpy(data + 24, "Test disk", 9);
		memcpy(data + 64, "1.0", 3);
		data[516] = 1; /* one namespace */
	} else if (c->opcode == 6) { /* identify namespace */
		data[0] = data[8] = 100;
		data[130] = 9; /* blocks of 512 bytes */
	}
	return 0;
}
`

// emptyHost puts an empty package database, and a repository in dir, in the
// place of the host's: nothing real can be changed, and no network is needed.
func emptyHost(t *testing.T, c *call, dir, status string) {
	t.Helper()
	writeFile(t, dir, "status", status)
	c.place(filepath.Join(dir, "apt"), "/etc/apt")
	c.empty("/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/var/log")
	c.ownRun()
	must(t, os.MkdirAll(filepath.Join(dir, "apt", "preferences.d"), 0o755))
	c.then("mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/apt/lists/partial " +
		"/var/cache/apt/archives/partial /var/log/apt /run/lock")
	c.then("cp " + dir + "/status /var/lib/dpkg/status; touch /var/lib/dpkg/available")
}

// unattendedUpgrades has nothing to do, and says so as it is told to always.
func unattendedUpgrades(t *testing.T, r *run) {
	dir := lab.dir(t)
	writeFile(t, dir, "apt/apt.conf.d/50unattended-upgrades",
		`Unattended-Upgrade::Origins-Pattern { "origin=`+r.marker+`"; };
Unattended-Upgrade::Mail "root";
Unattended-Upgrade::MailReport "always";
`)
	c := r.call(t, "", "/usr/bin/unattended-upgrade")
	emptyHost(t, c, dir, "")
	if got := c.run(t); got.code != 0 {
		t.Fatal(got)
	}
	r.arriveAsWritten(t, "unattended-upgrades result for ", "Auto-Submitted: auto-generated",
		"No packages found that can be upgraded unattended")
}

// apticron finds one update, in a repository on this host's disk.
func apticron(t *testing.T, r *run) {
	dir := lab.dir(t)
	control := "Package: " + r.marker + "\nVersion: %s\nArchitecture: all\nMaintainer: Test " +
		"<test@web1.example>\nDescription: größer\n"
	writeFile(t, dir, "package/DEBIAN/control", fmt.Sprintf(control, "2.0"))
	deb := filepath.Join(dir, "repository", r.marker+"_2.0_all.deb")
	must(t, os.Mkdir(filepath.Dir(deb), 0o755))
	if out, err := exec.Command("dpkg-deb", "--build", "-Znone", filepath.Join(dir, "package"),
		deb).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v: %s", err, out)
	}
	data, err := os.ReadFile(deb)
	must(t, err)
	writeFile(t, dir, "repository/Packages", fmt.Sprintf(control+"Filename: ./%s\nSize: %d\nSHA256: %x\n", "2.0",
		filepath.Base(deb), len(data), sha256.Sum256(data)))
	writeFile(t, dir, "apt/sources.list", "deb [trusted=yes] file:"+dir+"/repository ./\n")
	writeFile(t, dir, "apt/apt.conf.d/90test", `APT::Sandbox::User "root";`+"\n")
	writeFile(t, dir, "apticron/apticron.conf", "EMAIL=\"root\"\n")

	c := r.call(t, "", "/usr/sbin/apticron", "--cron")
	emptyHost(t, c, dir, fmt.Sprintf(control+"Status: install ok installed\n", "1.0"))
	c.place(filepath.Join(dir, "apticron"), "/etc/apticron")
	c.empty("/var/lib/apticron")
	succeed(t, c)
	r.arriveAsWritten(t, "Subject: 1 Debian package update(s) for ", "\t"+r.marker+" 2.0")
}

// fail2ban runs the server with one jail, and bans an address.
func fail2ban(t *testing.T, r *run) {
	dir := lab.dir(t)
	if out, err := exec.Command("cp", "-a", "/etc/fail2ban", filepath.Join(dir, "etc")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	writeFile(t, dir, "etc/jail.d/defaults-debian.conf", "")
	writeFile(t, dir, "etc/jail.local", "["+r.marker+"]\nenabled = true\nfilter = sshd\nbackend = "+
		"polling\nlogpath = "+writeFile(t, dir, "log", "")+
		"\naction = sendmail[name=%(__name__)s, sender=fail2ban@web1.example, dest=you@example.org]\n")
	c := r.call(t, "", "/bin/bash", "-c", `set -e
		fail2ban-server -f -c "$1/etc" --loglevel ERROR --logtarget STDERR &
		until fail2ban-client -c "$1/etc" ping >/dev/null 2>&1; do sleep 0.2; done
		fail2ban-client -c "$1/etc" set "$2" banip 192.0.2.1 >/dev/null
		until fail2ban-client -c "$1/etc" get "$2" banip | grep -q 192.0.2.1; do sleep 0.2; done
		fail2ban-client -c "$1/etc" stop >/dev/null
		wait $!`, "bash", dir, r.marker)
	c.ownRun()
	c.then("mkdir /run/fail2ban")
	c.empty("/var/lib/fail2ban")
	if got := c.run(t); got.code != 0 {
		t.Fatal(got)
	}
	out, err := exec.Command("hostname", "--fqdn").Output()
	must(t, err)
	host := strings.TrimSpace(string(out))
	for _, m := range []struct{ what, text string }{
		{"started", "The jail " + r.marker + " has been started successfully."},
		{"banned 192.0.2.1", "The IP 192.0.2.1 has just been banned by Fail2Ban after\n0 attempts against " + r.marker +
			"."},
		{"stopped", "The jail " + r.marker + " has been stopped."},
	} {
		words := strings.Fields(m.what)
		on := map[bool]string{true: " from ", false: " on "}[words[0] == "banned"]
		r.arriveBy(t, 30*time.Second, r.marker+": "+words[0], expectation{to: []string{"you@example.org"},
			subject: "[Fail2Ban] " + r.marker + ": " + m.what + on + host, body: "Hi,\n\n" + m.text +
				"\n\nRegards,\n\nFail2Ban\n",
			header: map[string]string{"To": "you@example.org"}})
	}
}

// logwatch reports on a log in which one strange thing is.
func logwatch(t *testing.T, r *run) {
	dir := lab.dir(t)
	line := time.Now().UTC().Format("Jan _2 15:04:05") + " web1 sshd[1]: fatal: " + r.marker + "\n"
	writeFile(t, dir, "log/auth.log", line)
	c := r.call(t, "", "/usr/sbin/logwatch", "--output", "mail", "--mailto", "root", "--service", "sshd", "--range",
		"all")
	c.place(filepath.Join(dir, "log"), "/var/log")
	// Debian's is /tmp, where runs at the same time would complain of each other's files.
	writeFile(t, dir, "etc/conf/logwatch.conf", "TmpDir = "+dir+"\n")
	c.place(filepath.Join(dir, "etc"), "/etc/logwatch")
	succeed(t, c)
	r.arriveAsWritten(t, "Subject: Logwatch for ", r.marker)
}
