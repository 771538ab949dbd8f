//go:build package

package pkgtest

import (
	"strings"
	"testing"
)

// Upgrades and reinstallations leave an edited configuration alone; dpkg-reconfigure
// changes the lines that it asks for, and keeps the rest.
func TestReconfigure(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.answers()
		c.install("/tmp/o365-sendmail.deb")
		edited := "# edited by hand\n" + strings.Replace(c.read("/etc/o365-sendmail.toml"), "mailbox =", "mailbox  =",
			1) +
			"secret_expires = 2031-01-31\n[delivery]\nmode = \"background\" # kept\n[aliases]\nmailbox = " +
			"\"it@contoso.test\"\n"
		c.must("cat >/etc/o365-sendmail.toml <<'EOF'\n" + edited + "EOF")

		c.install("--reinstall /tmp/o365-sendmail.deb")
		if got := c.read("/etc/o365-sendmail.toml"); got != edited {
			c.t.Errorf("a reinstallation changed the configuration to\n%s", got)
		}
		c.must("dpkg-reconfigure o365-sendmail")
		if got := c.read("/etc/o365-sendmail.toml"); got != edited {
			c.t.Errorf("dpkg-reconfigure without news changed the configuration to\n%s", got)
		}

		// An answer with every character that TOML or sed could stumble over.
		odd := `a"b\c/d&e|f'g$h#i=j`
		c.write("/tmp/answers", "o365-sendmail o365-sendmail/client-secret password "+odd+"\n", 0o600)
		c.must("debconf-set-selections /tmp/answers")
		c.must("dpkg-reconfigure -f noninteractive o365-sendmail")
		want := strings.Replace(edited, `client_secret = "`+c.m.ClientSecret+`"`,
			`client_secret = "a\"b\\c/d&e|f'g$h#i=j"`, 1)
		if got := c.read("/etc/o365-sendmail.toml"); got != want {
			c.t.Errorf("dpkg-reconfigure with a new secret made\n%s\nwant\n%s", got, want)
		}
		c.wantStat("/etc/o365-sendmail.toml", "640 root:o365-sendmail")
		if r := c.run("grep -rlF -e " + quote(odd) + " /var/cache/debconf"); r.code != 1 {
			c.t.Errorf("the secret stays in %s", r.out)
		}
		c.must("o365-sendmail config check")
	})
}
