//go:build system

package system

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/test/ready"
)

// smtpClients are programs that speak SMTP themselves. They get a file with the message in LF lines; HOST and PORT are
// the agent's, SOCKET is its Unix socket.
var smtpClients = []struct{ name, program, script string }{
	{"curl", "/usr/bin/curl", `curl -sS --crlf smtp://HOST:PORT/web1.example --mail-from app@elsewhere.org ` +
		`--mail-rcpt you@example.org --mail-rcpt cc@example.org --upload-file FILE`},
	{"smtplib", "/usr/bin/python3", `python3 - <<'END'
import smtplib
s = smtplib.SMTP("HOST", PORT)
text = open("FILE", "rb").read().replace(b"\n", b"\r\n")
s.sendmail("app@elsewhere.org", ["you@example.org", "cc@example.org"], text,
    ["BODY=8BITMIME"], ["NOTIFY=FAILURE"])
assert s.noop()[0] == 250 and s.verify("root")[0] == 252
assert s.docmd("MAIL", "FROM:<a@example.org> FOO=1")[0] == 555
s.quit()
END`},
	{"smtplib, Unix socket", "/usr/bin/python3", `python3 - <<'END'
import smtplib, socket
class Unix(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        s = socket.socket(socket.AF_UNIX)
        s.connect("SOCKET")
        return s
s = Unix("localhost")
text = open("FILE", "rb").read().replace(b"\n", b"\r\n")
s.sendmail("app@elsewhere.org", ["you@example.org", "cc@example.org"], text)
s.quit()
END`},
	{"msmtp", "/usr/bin/msmtp", `msmtp --host=HOST --port=PORT --tls=off --auth=off --domain=web1.example ` +
		`-f app@elsewhere.org you@example.org cc@example.org <FILE`},
	{"nodemailer", "/usr/bin/node", `NODE_PATH=/usr/share/nodejs node -e '
require("nodemailer").createTransport({host: "HOST", port: PORT, secure: false, ignoreTLS: true}).sendMail({
    envelope: {from: "app@elsewhere.org", to: ["you@example.org", "cc@example.org"]},
    raw: require("fs").readFileSync("FILE")}, (err) => { if (err) throw err })'`},
	{"swaks", "/usr/bin/swaks", `swaks --server HOST:PORT --pipeline --hide-all --from app@elsewhere.org ` +
		`--to you@example.org,cc@example.org --data - <FILE`},
	{"swaks, Unix socket", "/usr/bin/swaks", `swaks --socket SOCKET --hide-all --from app@elsewhere.org ` +
		`--to you@example.org,cc@example.org --data - <FILE`},
	{"swaks, sendmail -bs", "/usr/bin/swaks", `swaks --pipe '/usr/sbin/sendmail -bs' --hide-all ` +
		`--from app@elsewhere.org --to you@example.org,cc@example.org --data - <FILE`},
	{"Postfix", "/usr/sbin/postfix", ""}, // as its relayhost
}

// TestSMTPClients: what other programs hand to the agent by SMTP arrives as they wrote it.
func TestSMTPClients(t *testing.T) {
	t.Parallel()
	listen, relayed := ready.Port(), ready.Port()
	a, _ := ownAgent(t, fmt.Sprintf("[delivery]\nmessages_per_minute = 0\n[agent]\nlisten = \"127.0.0.1:%d\"\n",
		listen))
	relay := func(t *testing.T) string {
		startRelay(t, relayed, listen)
		return strings.Replace(smtpClients[0].script, "PORT", strconv.Itoa(relayed), 1)
	}
	for _, client := range smtpClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(client.program); err != nil {
				t.Skipf("%s is not installed", client.program)
			}
			script := client.script
			if script == "" {
				script = relay(t)
			}
			marker := newMarker("client")
			body := "one line\n.\n..two dots\n\nGr\u00fc\u00dfe\n" + strings.Repeat("x", 900) + "\nlast, " + marker +
				"\n"
			file := filepath.Join(lab.dir(t), "message")
			must(t, os.WriteFile(file, []byte("From: app@elsewhere.org\nTo: you@example.org\nSubject: "+marker+
				"\nMIME-Version: 1.0\nContent-Type: text/plain; "+
				"charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"+body), 0o644))
			c := newCall(t, a, "www-data", "sh", "-c", strings.NewReplacer("HOST", "127.0.0.1", "PORT",
				strconv.Itoa(listen), "SOCKET", filepath.Join(a.run, "submit.sock"), "FILE", file).Replace(script))
			c.before = a.reach()
			if r := c.run(t); r.code != 0 {
				t.Fatal(r)
			}
			d := one(t, a, marker)
			if slices.Sort(d.To); !slices.Equal(d.To, []string{"cc@example.org", "you@example.org"}) {
				t.Errorf("to %v", d.To)
			}
			_, got, _ := bytes.Cut(d.Data, []byte("\r\n\r\n"))
			if want := strings.ReplaceAll(body, "\n", "\r\n"); strings.TrimRight(string(got), "\r\n")+"\r\n" != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// startRelay starts a Postfix that takes mail at a port of this host and hands all of it to another one.
func startRelay(t *testing.T, port, relayhost int) {
	t.Helper()
	dir := lab.dir(t)
	conf := filepath.Join(dir, "conf")
	for _, d := range []string{conf, filepath.Join(dir, "queue"), filepath.Join(dir, "data")} {
		must(t, os.MkdirAll(d, 0o755))
	}
	must(t, chown(filepath.Join(dir, "data"), "postfix", "postfix"))
	must(t, os.WriteFile(filepath.Join(conf, "main.cf"), []byte(fmt.Sprintf(`
compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = relay.lab.test
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
disable_dns_lookups = yes
relayhost = [127.0.0.1]:%[2]d
`, dir, relayhost)), 0o644))
	must(t, os.WriteFile(filepath.Join(conf, "master.cf"),
		[]byte(fmt.Sprintf("127.0.0.1:%d inet n - n - - smtpd\n", port)+
			postfixServices), 0o644))
	d, err := startDaemon(filepath.Join(dir, "out"), "/usr/sbin/postfix", "-c", conf, "start-fg")
	must(t, err)
	t.Cleanup(d.stop)
	must(t, d.until(20*time.Second, greets(port), filepath.Join(dir, "log")))
}
