//go:build package

package pkgtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// examples returns the blocks of a manual page's EXAMPLES, as man shows them.
func examples(t *testing.T, page string) []string {
	t.Helper()
	b, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "\n.Sh EXAMPLES\n")
	if !ok {
		return nil
	}
	rest, _, _ = strings.Cut(rest, "\n.Sh ")
	var found []string
	for _, m := range regexp.MustCompile(`(?s)\n\.Bd [^\n]*\n(.*?\n)\.Ed\n`).FindAllStringSubmatch("\n"+rest+"\n", -1) {
		found = append(found, strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\e`, `\`).Replace(m[1]))
	}
	return found
}

// Every example of the manual pages is run as it is printed, by a person who has the account; what
// each has to do is in the table, and a new example needs a row.
func TestManualExamples(t *testing.T) {
	t.Parallel()
	c := newChrootFor(t, "bookworm", documented)
	c.noServices()
	c.answers()
	c.install("/tmp/o365-sendmail.deb monitoring-plugins-standard perl")
	c.write("/etc/aliases", "webmaster: root, web@contoso.com\n", 0o644)
	c.startAgent()
	sent := 0
	arrives := func(example string) {
		c.must("set -e\n" + example)
		sent++
		c.m.wait(t, sent)
	}
	says := func(want string) func(string) {
		return func(example string) {
			// Plugins are called by a path of their own.
			if out := c.must("PATH=$PATH:/usr/lib/nagios/plugins\nset -e\n" + example); !strings.Contains(out, want) {
				t.Errorf("%s says %q, want %q", example, out, want)
			}
		}
	}
	for page, rows := range map[string][]struct {
		starts string
		do     func(example string)
	}{
		"sendmail.8": {
			{"printf 'To: someone@example.org", arrives},
			{"sendmail_path =", func(line string) {
				c.write("/etc/php/8.2/cli/conf.d/99-mail.ini", line, 0o644)
				arrives(`php -r 'exit(mail("root", "php", "body") ? 0 : 1);'`)
			}},
			{"sendmail -bv root", says("it@contoso")},
			{"echo hello | sendmail -v", arrives},
		},
		"mailq.1": {
			{"-Queue ID-", func(string) {}}, // output, which TestManualExamples compares
			{"mailq -qRexample.org", says("Mail queue is empty")},
			{"mailq --min-tries 5 --older 2h", says("Mail queue is empty")},
			{"check_mailq -M postfix", says("OK: postfix mailq reports queue is empty")},
		},
		"newaliases.1": {{"newaliases && sendmail -bv webmaster", says("web@contoso.com")}},
		"o365-sendmail.8": {
			// It asks: here the person goes away at the first question.
			{"o365-sendmail setup", func(example string) {
				c.dialogue("", strings.TrimSpace(example)+" || true", step{"Ctrl-C leaves everything as it is", "\x04"})
			}},
			{"o365-sendmail doctor --send-to", arrives},
			{"o365-sendmail queue retry --failed", says("0 messages to be tried again now")},
		},
		"o365-sendmail.toml.5": {
			{"tenant ", func(file string) {
				c.write("/etc/o365-sendmail.secret", "VALUE\n", 0o600)
				c.write("/root/secret.toml", file, 0o600)
				c.must("o365-sendmail config check -C /root/secret.toml")
			}},
			{"[credential]\n", func(table string) {
				c.writeCertificate("/etc/o365-sendmail/client.pem", "/root/credentials/client-key")
				c.write("/root/certificate.toml", "tenant = \"contoso.onmicrosoft.com\"\n"+
					"client_id = \"1b4e28ba-2fa1-11d2-883f-0016d3cca427\"\nmailbox = \"noreply@contoso.com\"\n"+table,
					0o600)
				c.must("CREDENTIALS_DIRECTORY=/root/credentials o365-sendmail config check -C /root/certificate.toml")
			}},
		},
	} {
		found := examples(t, page)
		if len(found) != len(rows) {
			t.Errorf("%s has %d examples, the test knows %d", page, len(found), len(rows))
			continue
		}
		for i, row := range rows {
			if !strings.HasPrefix(found[i], row.starts) {
				t.Errorf("%s: example %d is %q, the test knows %q", page, i+1, found[i], row.starts)
				continue
			}
			row.do(found[i])
		}
	}
	c.stopAgent()
}

// writeCertificate writes a certificate and its RSA key.
func (c *chroot) writeCertificate(cert, key string) {
	c.t.Helper()
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &made.PublicKey, made)
	if err != nil {
		c.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(made)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644)
	c.write(key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), 0o600)
}

// The plugin that README and mailq(1) name counts what waits; without -M it is told nothing.
func TestCheckMailq(t *testing.T) {
	t.Parallel()
	c := newChrootFor(t, "trixie", documented)
	c.noServices()
	c.install("/tmp/o365-sendmail.deb monitoring-plugins-standard perl")
	c.startAgent() // without an account all mail waits
	for range 3 {
		if r := c.as("alice", "echo x | sendmail -i root"); r.code != 0 {
			t.Fatalf("sendmail: exit %d", r.code)
		}
	}
	const plugin = "/usr/lib/nagios/plugins/check_mailq -M postfix "
	for args, want := range map[string]int{"-w 5 -c 9": 0, "-w 2 -c 9": 1, "-w 1 -c 2": 2} {
		if r := c.run(plugin + args); r.code != want || !strings.Contains(r.out, "3") {
			t.Errorf("%s: exit %d, want %d: %s", args, r.code, want, r.out)
		}
	}
	if r := c.run("/usr/lib/nagios/plugins/check_mailq -w 1 -c 2"); r.code != 2 {
		t.Logf("without -M postfix: exit %d: %s", r.code, r.out)
	}
	c.stopAgent()
}

// Each block of README.Debian works as it is printed, in a system that has booted. The first two are
// TestPreseedAsPrinted's.
func TestReadmeDebian(t *testing.T) {
	if !overlay {
		t.Skip("this machine allows no mounts, so that no system can boot")
	}
	t.Parallel()
	blocks := readmeDebian(t)
	for title, n := range map[string]int{"The account": 2, "With systemd": 1, "Without systemd": 1,
		"Metrics for Prometheus": 2, "AppArmor": 1} {
		if len(blocks[title]) != n {
			t.Fatalf("README.Debian has %d blocks below %q, the test knows %d", len(blocks[title]), title, n)
		}
		delete(blocks, title)
	}
	for title := range blocks {
		t.Errorf("README.Debian has a block below %q, which no test runs", title)
	}
	blocks = readmeDebian(t)
	c := newChrootFor(t, "trixie", documented)
	c.noServices()
	c.install("systemd systemd-sysv dbus")
	c.answers()
	c.must("rm /usr/sbin/policy-rc.d; mkdir /root/in; mv /tmp/o365-sendmail.deb /root/in/; systemctl mask " +
		"systemd-resolved systemd-networkd-wait-online 2>/dev/null; true")
	m := c.boot()
	m.must(install + "/root/in/o365-sendmail.deb")
	sent := 0
	arrives := func() {
		t.Helper()
		m.must("echo x | sendmail -i root")
		sent++
		c.m.wait(t, sent)
	}

	m.must("set -e\nprintf '[agent]\\n%s' '" + blocks["Metrics for Prometheus"][0] + "' >>/etc/o365-sendmail.toml\n" +
		blocks["Metrics for Prometheus"][1])
	m.must("systemctl restart o365-sendmail.service")
	arrives()
	m.must("for i in $(seq 100); do grep -q ^o365_sendmail_ /var/lib/prometheus/node-exporter/o365-sendmail.prom && " +
		"exit 0; sleep 0.1; done; exit 1")

	m.must("set -e\n" + blocks["AppArmor"][0])
	arrives()

	m.must("set -e\n" + blocks["With systemd"][0])
	m.must("! systemctl is-active o365-sendmail.socket && systemctl is-active o365-sendmail-queue.timer")
	arrives()

	// The last command stays in the foreground.
	m.must("systemctl disable --now o365-sendmail-queue.timer; set -e\n" +
		strings.TrimRight(blocks["Without systemd"][0], "\n") + " </dev/null >/dev/null 2>&1 &\n" +
		"for i in $(seq 100); do [ -S /run/o365-sendmail/submit.sock ] && break; sleep 0.1; done")
	m.must("echo x | setpriv --reuid alice --regid alice --clear-groups sendmail -i root")
	sent++
	c.m.wait(t, sent)
}
