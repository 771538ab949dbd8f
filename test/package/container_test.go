//go:build package

package pkgtest

import "testing"

// What the container recipes set up: the program alone, a configuration that the
// application can read with the secret in a file, and no agent.
func TestContainer(t *testing.T) {
	c := newChroot(t, bases["bookworm"])
	c.must("dpkg-deb -x /tmp/o365-sendmail.deb /tmp/x && cp /tmp/x/usr/sbin/o365-sendmail /usr/sbin/")
	c.must("ln -s o365-sendmail /usr/sbin/sendmail; ln -s ../sbin/o365-sendmail /usr/bin/mailq; " +
		"install -d -m 0700 -o www-data -g www-data /var/lib/o365-sendmail /var/spool/o365-sendmail")
	c.write("/run/secrets/o365-sendmail", c.m.ClientSecret+"\n", 0o400)
	c.write("/etc/o365-sendmail.toml", `tenant = "`+c.m.Tenant+`"
client_id = "`+c.m.ClientID+`"
client_secret_file = "/run/secrets/o365-sendmail"
mailbox = "`+c.m.Mailbox+`"
root_to = "`+c.m.RootTo+`"

[log]
to = "stderr"
`, 0o400)
	c.must("chown www-data: /run/secrets/o365-sendmail /etc/o365-sendmail.toml")
	const send = `php -r 'exit(mail("someone@example.org", "php", "body") ? 0 : 1);'`
	if r := c.as("www-data", "setpriv --no-new-privs "+send); r.code != 0 {
		t.Fatalf("mail(): exit %d", r.code)
	}
	c.m.wait(t, 1)

	// A temporary failure leaves the message in the spool, and sendmail -q sends it.
	if err := c.m.SetFault("smtp-busy"); err != nil {
		t.Fatal(err)
	}
	if r := c.as("www-data", send); r.code != 0 {
		t.Fatalf("mail() while Exchange is away: exit %d", r.code)
	}
	if err := c.m.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	if r := c.as("www-data", "sendmail -q"); r.code != 0 {
		t.Errorf("sendmail -q: exit %d", r.code)
	}
	c.m.wait(t, 2)
}
