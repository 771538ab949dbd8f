//go:build package

package pkgtest

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// The rpm package, installed as README prints it: files, account, alternatives, agent, removal.
// Debian has no dnf: it stands for rpm itself here, without Fedora's other packages. Debian's
// update-alternatives stands for Fedora's alternatives, which takes the same arguments.
func TestRPM(t *testing.T) {
	t.Parallel()
	c := newChrootFor(t, "bookworm", documented)
	c.noServices()
	c.install("rpm")
	c.must("ln -s update-alternatives /usr/bin/alternatives")
	c.write("/usr/bin/dnf", "#!/bin/sh\n[ $1 = install ] && exec rpm --install --nodeps \"$2\"\n", 0o755)
	c.release("Fedora, RHEL and openSUSE")
	c.must("rpm --verify --nodeps o365-sendmail")
	for _, p := range []string{"/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases"} {
		if got := strings.TrimSpace(c.must("readlink -f " + p)); got != "/usr/sbin/sendmail.o365-sendmail" {
			t.Errorf("%s is %s", p, got)
		}
	}
	c.checkOtherFormat()
	c.must("rpm --upgrade --force --nodeps /srv/release/*.rpm && test -x /usr/sbin/sendmail")
	c.must("rpm --erase o365-sendmail && ! ls /usr/sbin/sendmail /usr/lib/sendmail /usr/bin/mailq " +
		"/usr/sbin/o365-sendmail /usr/lib/systemd/system/o365-sendmail.service 2>/dev/null")
	c.must("test -e /etc/o365-sendmail.toml && getent passwd o365-sendmail")
}

// standInAPK does what apk does with a package: it runs the script and unpacks the files.
const standInAPK = `#!/bin/sh
set -e
[ "$1 $2" = "add --allow-untrusted" ]
dir=$(mktemp -d)
tar -C $dir -xzf "$3" .PKGINFO .pre-install
sh $dir/.pre-install
sh $dir/.pre-install # an upgrade runs it again
tar -C / -xzf "$3" --exclude=.PKGINFO --exclude=.pre-install --no-overwrite-dir
`

// The apk package, installed as README prints it, and held against what it says of itself.
// Debian has no apk.
func TestAPK(t *testing.T) {
	t.Parallel()
	c := newChrootFor(t, "bookworm", documented)
	c.write("/usr/sbin/apk", standInAPK, 0o755)
	file := c.release("Alpine")
	control, data := splitAPK(t, file)
	info := control[".PKGINFO"]
	t.Logf(".PKGINFO:\n%s", info)
	sum := sha256.Sum256(data)
	if want := "datahash = " + hex.EncodeToString(sum[:]); !strings.Contains(info, want) {
		t.Errorf(".PKGINFO has not %s", want)
	}
	for _, p := range []string{"/usr/lib/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases"} {
		if got := strings.TrimSpace(c.must("readlink -f " + p)); got != "/usr/sbin/sendmail" {
			t.Errorf("%s is %s", p, got)
		}
	}
	c.wantStat("/etc/init.d/o365-sendmail", "755 root:root")
	c.checkOtherFormat()
}

// checkOtherFormat configures the installed program with the lines that README prints, and sends.
func (c *chroot) checkOtherFormat() {
	c.t.Helper()
	c.wantStat("/usr/sbin/o365-sendmail", "755 root:root")
	c.wantStat("/var/lib/o365-sendmail", "700 o365-sendmail:o365-sendmail")
	c.wantStat("/var/spool/o365-sendmail", "700 o365-sendmail:o365-sendmail")
	if out := c.must("getent passwd o365-sendmail"); !strings.Contains(out, ":/nonexistent:/sbin/nologin") {
		c.t.Errorf("account: %s", out)
	}
	c.write("/etc/o365-sendmail.toml", readme(c.t, "Configure")[1], 0o640)
	c.must("chgrp o365-sendmail /etc/o365-sendmail.toml")
	c.startAgent()
	if r := c.as("www-data", `php -r 'exit(mail("root", "php", "body") ? 0 : 1);'`); r.code != 0 {
		c.t.Errorf("mail(): exit %d", r.code)
	}
	if r := c.as("root", "echo x | sendmail -i root && mailq && newaliases"); r.code != 0 {
		c.t.Errorf("sendmail: exit %d", r.code)
	}
	c.m.wait(c.t, 2)
	c.stopAgent()
}

// splitAPK takes an unsigned package apart: a gzip member of control files, without the
// end of a tar archive, and one of data.
func splitAPK(t *testing.T, file string) (control map[string]string, data []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(bytes.NewReader(b)) // an io.ByteReader, so that gzip reads no further
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	control = map[string]string{}
	first, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(bytes.NewReader(first))
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		control[h.Name] = string(text)
	}
	if data, err = io.ReadAll(in); err != nil {
		t.Fatal(err)
	}
	return control, data
}
