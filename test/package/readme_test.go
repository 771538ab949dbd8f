//go:build package

package pkgtest

import (
	"os"
	"strings"
	"testing"

	"o365-sendmail/internal/emulator"
)

// documented is the account that README.Debian prints.
var documented = emulator.Options{
	Tenant: "contoso.onmicrosoft.com", ClientID: "00000000-0000-0000-0000-000000000000",
	ClientSecret: "VALUE", Mailbox: "noreply@contoso.com",
}

// blocks returns a text's blocks of lines that begin with this indent, without it, by the title
// that they stand under: a line without indent.
func blocks(text, indent string) map[string][]string {
	found := map[string][]string{}
	title, open := "", false
	for _, line := range strings.Split(text, "\n") {
		rest, inside := strings.CutPrefix(line, indent)
		switch {
		case inside && open:
			list := found[title]
			list[len(list)-1] += rest + "\n"
		case inside:
			found[title] = append(found[title], rest+"\n")
		case line != "" && !strings.HasPrefix(line, " "):
			title = line
		}
		open = inside
	}
	return found
}

// readmeDebian returns the blocks of README.Debian.
func readmeDebian(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../packaging/deb/debian/README.Debian")
	if err != nil {
		t.Fatal(err)
	}
	return blocks(string(text), "        ")
}

// The unattended installation of README.Debian works as it is printed, and mail does.
func TestPreseedAsPrinted(t *testing.T) {
	printed := readmeDebian(t)["The account"]
	if len(printed) != 2 {
		t.Fatalf("README.Debian has %d blocks about the account, want the answers and the commands", len(printed))
	}
	for suite := range bases {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			c := newChrootFor(t, suite, documented)
			c.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n", 0o755)
			c.write("/root/answers", printed[0], 0o600)
			c.must("mkdir /srv/in && mv /tmp/o365-sendmail.deb /srv/in/o365-sendmail_0_all.deb")
			// There is nobody at a terminal who could say yes.
			c.write("/etc/apt/apt.conf.d/99yes", `APT::Get::Assume-Yes "true";`+"\n", 0o644)
			c.must("cd /srv/in && set -e\n" + printed[1])
			want := `tenant = "contoso.onmicrosoft.com"
client_id = "00000000-0000-0000-0000-000000000000"
client_secret = "VALUE"
mailbox = "noreply@contoso.com"
root_to = "it@contoso.com"
`
			if got := c.read("/etc/o365-sendmail.toml"); !strings.HasSuffix(got, "\n"+want) {
				c.t.Errorf("the configuration is\n%s", got)
			}
			if r := c.as("alice", "echo x | sendmail -i root"); r.code != 0 {
				c.t.Fatalf("sendmail: exit %d", r.code)
			}
			if to := c.m.wait(c.t, 1)[0].To[0]; to != "it@contoso.com" {
				c.t.Errorf("delivered to %s", to)
			}
		})
	}
}

// White space around an answer is no part of it, and an answer left empty costs only itself: the
// others are written, and the installation names what is missing.
func TestPartialAnswers(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.write("/tmp/answers", strings.Join([]string{
			"o365-sendmail o365-sendmail/tenant string   " + c.m.Tenant + " \t",
			"o365-sendmail o365-sendmail/client-id string ",
			"o365-sendmail o365-sendmail/client-secret password  " + c.m.ClientSecret,
			"o365-sendmail o365-sendmail/mailbox string \t" + c.m.Mailbox,
			""}, "\n"), 0o600)
		c.must("debconf-set-selections /tmp/answers && rm /tmp/answers")
		out := c.install("/tmp/o365-sendmail.deb")
		if !strings.Contains(out, "left empty in /etc/o365-sendmail.toml: client_id") ||
			strings.Contains(out, c.m.ClientSecret) {
			c.t.Error("the installation does not name the empty answer alone")
		}
		got := c.read("/etc/o365-sendmail.toml")
		for _, line := range []string{
			"tenant = \"" + c.m.Tenant + "\"\n", "# client_id = \"\"\n",
			"client_secret = \"" + c.m.ClientSecret + "\"\n", "mailbox = \"" + c.m.Mailbox + "\"\n",
			"# root_to = \"\"\n",
		} {
			if !strings.Contains(got, "\n"+line) {
				c.t.Errorf("the configuration lacks %q", line)
			}
		}
		c.wantStat("/etc/o365-sendmail.toml", "640 root:o365-sendmail")
		checkSecretLeft(c)

		// The missing answer alone, later: the rest stays.
		c.write("/tmp/answers", "o365-sendmail o365-sendmail/tenant string\n"+
			"o365-sendmail o365-sendmail/client-id string "+c.m.ClientID+"\n", 0o600)
		c.must("debconf-set-selections /tmp/answers && rm /tmp/answers && dpkg-reconfigure o365-sendmail")
		want := strings.Replace(got, "# client_id = \"\"", "client_id = \""+c.m.ClientID+"\"", 1)
		if after := c.read("/etc/o365-sendmail.toml"); after != want {
			c.t.Errorf("dpkg-reconfigure made\n%s\nwant\n%s", after, want)
		}
		c.startAgent()
		if r := c.as("alice", "echo x | sendmail -i someone@example.org"); r.code != 0 {
			c.t.Errorf("sendmail: exit %d", r.code)
		}
		c.m.wait(c.t, 1)
	})
}

// checkSecretLeft checks that the secret is in no file but the configuration.
func checkSecretLeft(c *chroot) {
	c.t.Helper()
	if r := c.run("grep -rlF -e " + quote(c.m.ClientSecret) +
		" /var /etc /run /tmp --exclude=o365-sendmail.toml"); r.code != 1 {
		c.t.Errorf("the secret is in %s", r.out)
	}
}

// The init script returns when the agent listens: the next command can send. It reports an agent
// that does not come up, and a second start changes nothing.
func TestInitScriptWaits(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.answers()
		c.install("/tmp/o365-sendmail.deb")
		for n, verb := range []string{"start", "restart", "start", "force-reload"} {
			if r := c.run("/etc/init.d/o365-sendmail " + verb +
				" </dev/null >/tmp/init.log 2>&1 && echo x | sendmail -i root"); r.code != 0 {
				c.t.Fatalf("%s, and then sendmail: exit %d: %s", verb, r.code, c.read("/tmp/init.log"))
			}
			c.m.wait(c.t, n+1)
		}
		c.must("/etc/init.d/o365-sendmail stop")
		// A socket that a killed agent left behind is no agent.
		c.must("mv /usr/sbin/o365-sendmail /usr/sbin/kept; printf '#!/bin/sh\\nexit 78\\n' >/usr/sbin/o365-sendmail; " +
			"chmod 755 /usr/sbin/o365-sendmail")
		if r := c.run("/etc/init.d/o365-sendmail start >/tmp/init.log 2>&1"); r.code == 0 {
			c.t.Error("an agent that ended is reported as started")
		}
	})
}
