//go:build package

package pkgtest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A newcomer installs the package with answers, and mail works at once: nothing else is
// configured, and no policy forbids services.
func TestNewcomer(t *testing.T) {
	// One after the other and before the parallel tests: it looks at the clock.
	for suite := range bases {
		t.Run(suite, func(t *testing.T) { testNewcomer(newChroot(t, suite)) })
	}
}

func testNewcomer(c *chroot) {
	// Without an init system, invoke-rc.d starts a service only by such a policy.
	c.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n", 0o755)
	c.answers()
	c.install("/tmp/o365-sendmail.deb")
	installed := time.Now()
	c.waitAgent()
	c.install("bsd-mailx")
	before := time.Now()
	if r := c.as("alice", "echo hi | mail -s t root"); r.code != 0 {
		c.t.Fatalf("mail: exit %d", r.code)
	}
	got := c.m.wait(c.t, 1)
	c.t.Logf("agent up %.1f s after install; mail(1) took %.2f s", before.Sub(installed).Seconds(),
		time.Since(before).Seconds())
	if time.Since(before) > 5*time.Second {
		c.t.Error("the first message took over 5 s")
	}
	if to := got[0].To[0]; to != c.m.RootTo {
		c.t.Errorf("delivered to %s, want %s", to, c.m.RootTo)
	}
	if !strings.Contains(string(got[0].Data), "\r\n\r\nhi\r\n") ||
		!strings.Contains(string(got[0].Data), "Subject: t\r\n") {
		c.t.Errorf("the message is\n%s", got[0].Data)
	}
	checkInstalled(c)
	checkCallers(c)
	checkSecrecy(c)
}

// checkInstalled checks names, modes and owners of what is there after an install.
func checkInstalled(c *chroot) {
	for _, p := range []string{"/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases"} {
		if got := strings.TrimSpace(c.must("readlink -f " + p)); got != "/usr/sbin/sendmail" {
			c.t.Errorf("%s is %s", p, got)
		}
	}
	c.wantStat("/usr/sbin/o365-sendmail", "755 root:root")
	c.wantStat("/usr/sbin/sendmail", "755 root:root")
	c.wantStat("/etc/o365-sendmail.toml", "640 root:o365-sendmail")
	c.wantStat("/var/lib/o365-sendmail", "700 o365-sendmail:o365-sendmail")
	c.wantStat("/var/spool/o365-sendmail", "700 o365-sendmail:o365-sendmail")
	c.wantStat("/run/o365-sendmail/submit.sock", "666 o365-sendmail:o365-sendmail")
	c.wantStat("/etc/mailname", "644 root:root")
	c.wantStat("/etc/aliases", "644 root:root")
	if out := c.must("find / -xdev -path '*o365*' -perm /6000"); out != "" {
		c.t.Errorf("set-id files: %s", out)
	}
	if out := c.must("dpkg --audit; dpkg --verify o365-sendmail"); out != "" {
		c.t.Errorf("dpkg is not content: %s", out)
	}
	if out := c.must("getent passwd o365-sendmail"); !strings.Contains(out, ":/nonexistent:/usr/sbin/nologin") {
		c.t.Errorf("account: %s", out)
	}
}

// checkCallers sends as the programs do that send mail.
func checkCallers(c *chroot) {
	n := len(c.m.Messages())
	for _, call := range []struct{ user, command string }{
		{"root", `printf 'Subject: root\n\nx\n' | sendmail -i root`},
		{"www-data", `php -r 'exit(mail("someone@example.org", "php", "body", "X-A: b") ? 0 : 1);'`},
		{"www-data", `printf 'Subject: nnp\n\nx\n' | setpriv --no-new-privs sendmail -i root`},
		{"alice", `printf 'To: someone@example.org\nSubject: t\n\nx\n' | /usr/lib/sendmail -t -i`},
		{"nobody", `printf 'Subject: cron\nTo: root\n\nx\n' | sendmail -i -FCronDaemon -B8BITMIME -oem root`},
		{"alice", `umask 777; printf 'Subject: umask\n\nx\n' | sendmail -i root`},
	} {
		user := call.user
		if user == "nobody" {
			call.command = "setpriv --reuid 65534 --regid 65534 --clear-groups sh -c " + quote(call.command)
			user = "root"
		}
		if r := c.as(user, call.command); r.code != 0 {
			c.t.Errorf("%s as %s: exit %d", call.command, call.user, r.code)
			continue
		}
		n++
		c.m.wait(c.t, n)
	}
	for _, user := range []string{"alice", "root"} {
		if r := c.as(user, "newaliases && mailq"); r.code != 0 {
			c.t.Errorf("newaliases, mailq as %s: exit %d", user, r.code)
		}
	}
}

// checkSecrecy looks for the secret where it must not be, as those who must not see it.
func checkSecrecy(c *chroot) {
	checkSecretLeft(c)
	for _, p := range []string{"/etc/o365-sendmail.toml", "/var/lib/o365-sendmail/*", "/var/spool/o365-sendmail/*"} {
		if r := c.as("alice", "cat "+p); r.code == 0 || !strings.Contains(r.out, "Permission denied") &&
			!strings.Contains(r.out, "No such file") {
			c.t.Errorf("alice can read %s", p)
		}
	}
	if r := c.as("alice", "printf 'Subject: v\n\nx\n' | sendmail -v -i root"); strings.Contains(r.out,
		c.m.ClientSecret) || strings.Contains(r.out, "eyJ") || strings.Contains(r.out, "Bearer") {
		c.t.Error("-v shows a credential")
	}
}

// Without answers, in a system with no host name and with a policy that starts nothing,
// the package installs, mail is held and told, and dpkg-reconfigure sets it free.
func TestNoAnswers(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.must("dpkg-divert --quiet --rename --divert /bin/hostname.real --add /bin/hostname; printf " +
			"'#!/bin/sh\nexit 1\n' >/bin/hostname; chmod 755 /bin/hostname")
		out := c.install("/tmp/o365-sendmail.deb")
		if !strings.Contains(out, "no account is configured yet") {
			c.t.Error("the installation does not tell that there is no account")
		}
		c.wantStat("/var/spool/o365-sendmail", "700 o365-sendmail:o365-sendmail")
		if r := c.run("test -e /etc/o365-sendmail.toml"); r.code == 0 {
			c.t.Error("a configuration was made without answers")
		}
		if r := c.run("test -e /etc/mailname && ! test -s /etc/mailname"); r.code == 0 {
			c.t.Error("/etc/mailname is empty")
		}
		if r := c.as("alice", "echo x | sendmail root"); r.code == 0 || r.out == "" {
			c.t.Errorf("without an agent: exit %d, want a loud failure", r.code)
		}

		c.startAgent()
		if r := c.as("alice", "printf 'Subject: held\n\nx\n' | sendmail -i root"); r.code != 0 {
			c.t.Fatalf("without an account the agent refuses mail: exit %d", r.code)
		}
		c.must("mailq")
		c.stopAgent()

		c.answers()
		c.must("dpkg-reconfigure o365-sendmail")
		c.wantStat("/etc/o365-sendmail.toml", "640 root:o365-sendmail")
		c.startAgent()
		c.m.wait(c.t, 1)
	})
}

// What the host has already stays as it is.
func TestExistingFiles(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.write("/etc/mailname", "mail.example.org\n", 0o644)
		c.write("/etc/aliases", "root: someone@example.org\n", 0o644)
		c.write("/etc/o365-sendmail.toml", "# mine\n", 0o600)
		c.answers()
		c.install("/tmp/o365-sendmail.deb")
		for p, want := range map[string]string{
			"/etc/mailname": "mail.example.org\n", "/etc/aliases": "root: someone@example.org\n",
			"/etc/o365-sendmail.toml": "# mine\n",
		} {
			if got := c.read(p); got != want {
				c.t.Errorf("%s is %q, want %q", p, got, want)
			}
		}
	})
}

// No one but root and the agent's group can read or write the configuration at any
// moment while it is made.
func TestConfigurationIsNeverOpen(t *testing.T) {
	t.Parallel()
	c := newChroot(t, "bookworm")
	c.noServices()
	c.answers()
	c.must("strace -f -qq -o /tmp/trace -e " +
		"trace=open,openat,creat,chmod,fchmod,fchmodat,chown,fchownat,umask,rename,renameat,renameat2 " + install +
		"/tmp/o365-sendmail.deb")
	var lines []string
	for _, line := range strings.Split(c.read("/tmp/trace"), "\n") {
		if strings.Contains(line, "o365-sendmail.toml") && !strings.Contains(line, "share/") &&
			!strings.Contains(line, "O_RDONLY") && !strings.Contains(line, "ENOENT") &&
			!strings.Contains(line, "dpkg-new") {
			lines = append(lines, line)
		}
	}
	t.Logf("what was done to the configuration:\n%s", strings.Join(lines, "\n"))
	created := 0
	for _, line := range lines {
		if !strings.Contains(line, "O_CREAT") {
			continue
		}
		created++
		// The umask 077 takes all but the owner's bits of 0666.
		if !strings.Contains(line, `"/etc/o365-sendmail.toml.new"`) {
			t.Errorf("not made under the temporary name: %s", line)
		}
		pid := strings.Fields(line)[0]
		if mask := lastUmask(c.read("/tmp/trace"), pid, line); mask != "077" {
			t.Errorf("made with umask %s: %s", mask, line)
		}
	}
	if created != 1 || len(lines) != 4 || !strings.Contains(lines[1], "chown") || !strings.Contains(lines[2], "0640") ||
		!strings.Contains(lines[3], "rename") {
		t.Error("want create, chown, chmod 0640, rename")
	}
	c.wantStat("/etc/o365-sendmail.toml", "640 root:o365-sendmail")
}

// lastUmask is the mask that a process had set before it came to a line of a trace.
func lastUmask(trace, pid, before string) string {
	mask := "not set"
	for _, line := range strings.Split(trace, "\n") {
		if line == before {
			break
		}
		var id, value string
		if n, _ := fmt.Sscanf(line, "%s umask(%s", &id, &value); n == 2 && id == pid {
			mask = strings.TrimRight(value, ")")
		}
	}
	return mask
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
