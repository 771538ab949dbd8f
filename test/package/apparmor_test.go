//go:build package

package pkgtest

import (
	"strings"
	"testing"
)

// The AppArmor profile is one that each Debian's parser takes. It is not enforced: these
// systems are chroots, for which AppArmor knows no path.
func TestAppArmor(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.answers()
		c.install("apparmor /tmp/o365-sendmail.deb")
		const profile = "/etc/apparmor.d/o365-sendmail-agent"
		if out := c.must("apparmor_parser --skip-kernel-load --skip-cache --names " + profile +
			" 2>/dev/null"); strings.TrimSpace(out) != "o365-sendmail-agent" {
			c.t.Errorf("apparmor_parser says %q", out)
		}
		c.must("apparmor_parser --skip-kernel-load --skip-cache " + profile)
	})
}
