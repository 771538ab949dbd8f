//go:build system

package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tokenRecipes are those of o365-sendmail(8), "Tokens for other programs", for the emulator: NAME stands for
// the mailbox, HOST and PORT for the server, CA for its authority, DIR for a folder with the message in msg.
var tokenRecipes = []struct{ name, program, script string }{
	{"msmtp", "/usr/bin/msmtp", `umask 077; cat >DIR/rc <<'END'
account default
host HOST
port PORT
tls on
tls_starttls on
tls_trust_file CA
auth xoauth2
user NAME
from NAME
passwordeval "o365-sendmail token --raw --refresh-if-older 5m"
END
msmtp -C DIR/rc you@example.org <DIR/msg`},
	{"mutt", "/usr/bin/mutt", `cat >DIR/rc <<'END'
set smtp_url="smtp://NAME@HOST:PORT"
set smtp_authenticators="xoauth2"
set smtp_oauth_refresh_command="o365-sendmail token --raw"
set ssl_starttls=yes ssl_force_tls=yes
set from=NAME use_from=yes
set certificate_file=CA copy=no
END
mutt -n -F DIR/rc -s MARKER you@example.org <DIR/body`},
	{"neomutt", "/usr/bin/neomutt", `cat >DIR/rc <<'END'
set smtp_url="smtp://NAME@HOST:PORT"
set smtp_authenticators="xoauth2"
set smtp_oauth_refresh_command="o365-sendmail token --raw"
set ssl_starttls=yes ssl_force_tls=yes
set from=NAME use_from=yes
set certificate_file=CA copy=no
END
neomutt -n -F DIR/rc -s MARKER you@example.org <DIR/body`},
	{"curl", "/usr/bin/curl", `t=$(o365-sendmail token --raw) &&
printf 'oauth2-bearer = "%s"\n' "$t" | curl -sS --cacert CA -K - --crlf --ssl-reqd \
  --url smtp://HOST:PORT -u NAME: \
  --mail-from NAME --mail-rcpt you@example.org \
  --upload-file DIR/msg`},
	{"s-nail", "/usr/bin/s-nail", `LOGIN=$(echo NAME | sed s/@/%40/)
s-nail -:/ -Sv15-compat -Smta=smtp://$LOGIN@HOST:PORT -Stls-ca-file=CA \
  -Ssmtp-use-starttls -Ssmtp-auth=oauthbearer -Stls-verify=strict \
  -Sfrom=NAME -Spassword="$(o365-sendmail token --raw)" \
  -s MARKER you@example.org <DIR/body`},
	{"smtplib", "/usr/bin/python3", `token=$(o365-sendmail token --raw) python3 - <<'END'
import os, smtplib, ssl
token, mailbox = os.environ["token"].strip(), "NAME"
s = smtplib.SMTP("HOST", PORT)
s.starttls(context=ssl.create_default_context(cafile="CA"))
auth = f"user={mailbox}\x01auth=Bearer {token}\x01\x01"
s.ehlo(); s.auth("XOAUTH2", lambda challenge=None: "" if challenge else auth)
s.sendmail(mailbox, "you@example.org", open("DIR/msg").read())
s.quit()
END`},
}

// TestTokenRecipes: the programs of the manual page sign in with a token of ours.
func TestTokenRecipes(t *testing.T) {
	e := lab.emulator
	for _, r := range tokenRecipes {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(r.program); err != nil {
				t.Skip(r.program, " is not installed (make packages)")
			}
			marker := newMarker("token-" + r.name)
			dir := lab.dir(t)
			must(t, os.WriteFile(filepath.Join(dir, "body"), []byte("hello\n"), 0o644))
			message := fmt.Sprintf("From: %s\nTo: you@example.org\nSubject: %s\n\nhello\n", e.mailbox(), marker)
			must(t, os.WriteFile(filepath.Join(dir, "msg"), []byte(message), 0o644))
			host, port := tomlValue(t, e.toml, "host"), tomlValue(t, e.toml, "port")
			script := strings.NewReplacer("NAME", e.mailbox(), "HOST", host, "PORT", port, "CA", e.caFile, "DIR", dir,
				"MARKER", marker).Replace(r.script)
			c := newCall(t, e, "", "sh", "-c", script)
			c.dir = dir
			must(t, os.Symlink(lab.program, filepath.Join(dir, "o365-sendmail")))
			c.env = append(c.env, "PATH="+dir+":/usr/bin:/bin")
			if got := c.run(t); got.code != 0 {
				t.Fatalf("%s", got)
			}
			one(t, e, marker)
		})
	}
}

// tomlValue is the first value of a key in a configuration, without quotes.
func tomlValue(t *testing.T, text, key string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == key {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	t.Fatalf("no %s in\n%s", key, text)
	return ""
}
