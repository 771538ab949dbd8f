//go:build package

package pkgtest

import (
	"strings"
	"testing"
)

// hold puts n messages into the queue of a system without an account.
func (c *chroot) hold(n int) {
	c.t.Helper()
	c.startAgent()
	for range n {
		if r := c.as("alice", "printf 'Subject: held\n\nx\n' | sendmail -i root"); r.code != 0 {
			c.t.Fatalf("exit %d", r.code)
		}
	}
	c.stopAgent()
}

// Removal keeps configuration and queue, and a later installation delivers what waited.
func TestRemoveAndReinstall(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.install("/tmp/o365-sendmail.deb")
		c.hold(3)
		out := c.must("apt-get -q -y remove o365-sendmail")
		if !strings.Contains(out, "3 undelivered messages stay") {
			c.t.Error("the removal does not mention the queue")
		}
		if r := c.run("/etc/init.d/o365-sendmail start; sh -c \"$(sed -n 's/^\\* \\* \\* \\* \\* o365-sendmail //p' " +
			"/etc/cron.d/o365-sendmail)\""); r.code != 0 {
			c.t.Errorf("what a removal leaves in /etc fails: exit %d", r.code)
		}
		c.answers()
		c.install("/tmp/o365-sendmail.deb")
		c.startAgent()
		c.m.wait(c.t, 3)
	})
}

// A purge removes what the package made, tells how many messages went, leaves what is the
// host's, and works a second time and without the programs it depends on.
func TestPurge(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		before := c.must("find /etc /var/lib /var/spool /var/cache/debconf /run /usr -xdev | sort")
		c.answers()
		c.install("/tmp/o365-sendmail.deb")
		c.must("mv /etc/o365-sendmail.toml /tmp/kept")
		c.hold(2)
		c.must("mv /tmp/kept /etc/o365-sendmail.toml")
		out := c.must("apt-get -q -y purge o365-sendmail")
		if !strings.Contains(out, "deleting 2 undelivered messages") {
			c.t.Error("the purge does not mention the queue")
		}
		after := c.must("find /etc /var/lib /var/spool /var/cache/debconf /run /usr -xdev | sort")
		allowed := map[string]bool{"/etc/aliases": true, "/etc/mailname": true}
		was := map[string]bool{}
		for _, p := range strings.Fields(before) {
			was[p] = true
		}
		for _, p := range strings.Fields(after) {
			if !was[p] && !allowed[p] && !strings.HasPrefix(p, "/var/cache/") && strings.Contains(p, "o365") {
				c.t.Errorf("left behind: %s", p)
			}
		}
		if r := c.run("grep -l o365 /var/cache/debconf/config.dat /var/cache/debconf/passwords.dat " +
			"/var/lib/dpkg/status"); r.code != 1 {
			c.t.Errorf("left in databases: %s", r.out)
		}
		c.must("getent passwd o365-sendmail")
		c.must("dpkg --purge o365-sendmail")
	})
}

// At a purge all dependencies may be gone.
func TestPurgeWithoutDependencies(t *testing.T) {
	t.Parallel()
	c := newChroot(t, "bookworm")
	c.noServices()
	c.answers()
	c.install("/tmp/o365-sendmail.deb")
	c.must("dpkg --remove o365-sendmail")
	c.must("dpkg --force-depends --force-remove-essential --remove adduser; " +
		"rm -rf /usr/share/debconf /usr/bin/debconf* /usr/sbin/debconf* /usr/sbin/dpkg-reconfigure /usr/sbin/deluser " +
		"/usr/sbin/update-rc.d.none")
	c.must("dpkg --purge o365-sendmail")
	if r := c.run("ls -d /etc/o365-sendmail.toml /var/lib/o365-sendmail " +
		"/var/spool/o365-sendmail"); !strings.Contains(r.out, "No such file") || strings.Contains(r.out, "\n/") {
		t.Errorf("left behind: %s", r.out)
	}
}
