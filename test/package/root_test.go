//go:build package

package pkgtest

import (
	"os/exec"
	"strings"
	"testing"
)

// dpkg --root installs into a tree from outside. By default the maintainer scripts run in
// a chroot there; with --force-script-chrootless outside, and touch nothing but the tree.
func TestOtherTree(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.answers()
		cmd := exec.Command("dpkg", "--root="+c.root, "--install", deb)
		cmd.Env = environment
		if out, err := cmd.CombinedOutput(); err != nil {
			c.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		c.wantStat("/etc/o365-sendmail.toml", "640 root:o365-sendmail")
		c.wantStat("/var/spool/o365-sendmail", "700 o365-sendmail:o365-sendmail")
		c.must("dpkg --purge o365-sendmail")

		// A tree that holds hardly more than the accounts, which have other numbers there.
		c.must(`mkdir -p /tree/var/lib/dpkg/info /tree/var/lib/dpkg/updates /tree/var/cache/debconf /tree/etc
cp /etc/debconf.conf /tree/etc/
cp /etc/mailname /tree/etc/
printf 'root:x:0:0::/root:/bin/sh\n' >/tree/etc/passwd
printf 'root:x:0:\n' >/tree/etc/group
printf 'root:*:::::::\n' >/tree/etc/shadow
printf 'root:*::\n' >/tree/etc/gshadow
touch /tree/var/lib/dpkg/status`)
		const changed = "cd /etc && find . -type f -newer /tmp/mark ! -name 'ld.so.cache' | sort"
		c.must("touch /tmp/mark && sleep 0.05")
		const dpkg = "dpkg --root=/tree --force-script-chrootless --force-depends "
		c.must(dpkg + "--install /tmp/o365-sendmail.deb")
		if out := c.must(changed); strings.TrimSpace(out) != "" {
			c.t.Errorf("the host's own files changed: %s", out)
		}
		c.must(`grep '^o365-sendmail:' /tree/etc/passwd /tree/etc/group
uid=$(sed -n 's/^o365-sendmail:[^:]*:\([0-9]*\):.*/\1/p' /tree/etc/passwd)
gid=$(sed -n 's/^o365-sendmail:[^:]*:\([0-9]*\):.*/\1/p' /tree/etc/group)
for dir in lib spool; do [ "$(stat -c '%a %u:%g' /tree/var/$dir/o365-sendmail)" = "700 $uid:$gid" ] || exit; done
test -e /tree/etc/aliases && test ! -e /tree/etc/o365-sendmail.toml
test ! -d /var/spool/o365-sendmail`)
		c.must(dpkg + "--purge o365-sendmail && ! ls -d /tree/var/spool/o365-sendmail")
	})
}
