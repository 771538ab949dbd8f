//go:build package

package pkgtest

import (
	"strings"
	"testing"
)

// The package takes another MTA's place in one step, and gives it back.
func TestReplacesOtherMTA(t *testing.T) {
	mtas := []string{"nullmailer"}
	if full {
		mtas = []string{"postfix", "exim4-daemon-light", "msmtp-mta", "nullmailer"}
	} else {
		t.Log("only nullmailer; make package-full tries postfix, exim4 and msmtp-mta too")
	}
	for suite, base := range bases {
		for _, mta := range mtas {
			t.Run(suite+"/"+mta, func(t *testing.T) {
				c := newChroot(t, base)
				c.noServices()
				c.write("/etc/mailname", "host.example.org\n", 0o644)
				c.install(mta)
				c.answers()
				c.install("/tmp/o365-sendmail.deb")
				if r := c.run("dpkg-query -W -f '${db:Status-Status}' " + mta); strings.HasPrefix(r.out, "installed") {
					t.Errorf("%s is still installed", mta)
				}
				if got := c.must("dpkg -S $(readlink -f /usr/sbin/sendmail)"); !strings.HasPrefix(got, "o365-sendmail:") {
					t.Errorf("sendmail is %s", got)
				}
				c.startAgent()
				if r := c.as("www-data", `php -r 'exit(mail("root", "php", "body") ? 0 : 1);'`); r.code != 0 {
					t.Errorf("mail(): exit %d", r.code)
				}
				c.m.wait(t, 1)
				c.stopAgent()
				c.install(mta)
				if got := c.must("dpkg -S $(readlink -f /usr/sbin/sendmail)"); strings.HasPrefix(got, "o365-sendmail:") {
					t.Error("sendmail is still ours")
				}
			})
		}
	}
}
