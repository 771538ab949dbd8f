//go:build package

package pkgtest

import (
	"strings"
	"testing"
)

// The package takes another MTA's place in one step, and gives it back: with a policy
// that starts no service, and then without one, in each Debian.
func TestReplacesOtherMTA(t *testing.T) {
	for suite := range bases {
		for _, mta := range []string{"postfix", "exim4-daemon-light", "msmtp-mta", "nullmailer"} {
			t.Run(suite+"/"+mta, func(t *testing.T) {
				t.Parallel()
				c := newChroot(t, suite)
				c.noServices()
				c.write("/etc/mailname", "host.example.org\n", 0o644)
				c.install(mta)
				replaceMTA(c, mta)
				c.must("apt-get -q -y purge o365-sendmail && rm /usr/sbin/policy-rc.d")
				replaceMTA(c, mta)
			})
		}
	}
}

// replaceMTA installs the package over another MTA, sends, and installs the other again.
func replaceMTA(c *chroot, mta string) {
	c.t.Helper()
	c.answers()
	c.install("/tmp/o365-sendmail.deb")
	if r := c.run("dpkg-query -W -f '${db:Status-Status}' " + mta); strings.HasPrefix(r.out, "installed") {
		c.t.Errorf("%s is still installed", mta)
	}
	if got := c.must("dpkg -S /usr/sbin/sendmail"); !strings.HasPrefix(got, "o365-sendmail:") {
		c.t.Errorf("whose sendmail: %s", got)
	}
	c.must("printf '[log]\\nto = \"stderr\"\\n' >>/etc/o365-sendmail.toml")
	c.startAgent()
	n := len(c.m.Messages())
	for user, command := range map[string]string{
		"www-data": `php -r 'exit(mail("root", "php", "body") ? 0 : 1);'`,
		"root":     `printf 'Subject: t\n\nx\n' | sendmail -i -oi root`,
		"alice":    `printf 'To: root\nSubject: t\n\nx\n' | /usr/lib/sendmail -t`,
	} {
		if r := c.as(user, command); r.code != 0 {
			c.t.Errorf("%s as %s: exit %d", command, user, r.code)
			continue
		}
		n++
	}
	c.m.wait(c.t, n)
	for _, uid := range []string{"uid=0", "uid=33"} {
		if log := c.read("/tmp/agent.log"); !strings.Contains(log, uid) {
			c.t.Errorf("the agent's log does not name %s:\n%s", uid, tail(log))
		}
	}
	c.stopAgent()
	c.install(mta)
	if got := c.must("dpkg -S /usr/sbin/sendmail"); strings.HasPrefix(got, "o365-sendmail:") {
		c.t.Error("sendmail is still ours")
	}
}
