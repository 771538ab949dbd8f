//go:build system

package system

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestLabWithCurl proves the Postfix lab with a known client before ours is
// judged by it: curl signs in with XOAUTH2 and a good token, and is refused
// with each kind of bad one.
func TestLabWithCurl(t *testing.T) {
	t.Parallel()
	a := lab.authority
	now := time.Now()
	good := a.token(a.mailbox, now)
	damaged := good[:len(good)-6] + "AAAAAA"
	cases := []struct {
		name, user, token, sender string
		code                      int // curl's exit code: 0 done, 67 sign-in refused, 55 command refused
	}{
		{"good", a.mailbox, good, a.mailbox, 0},
		{"damaged signature", a.mailbox, damaged, a.mailbox, 67},
		{"expired", a.mailbox, a.token(a.mailbox, now.Add(-2*time.Hour)), a.mailbox, 67},
		{"other mailbox's token", a.mailbox, a.token("other@contoso.test", now), a.mailbox, 67},
		{"unsigned", a.mailbox, strings.Join(strings.Split(good, ".")[:2], ".") + ".", a.mailbox, 67},
		{"sender not allowed", a.mailbox, good, "boss@contoso.test", 55},
	}
	for _, c := range cases {
		for service, port := range map[string]int{"chunking": lab.postfix.port, "plain": lab.postfix.plainPort} {
			t.Run(c.name+"/"+service, func(t *testing.T) {
				t.Parallel()
				marker := "curl-" + strconv.FormatInt(lab.calls.Add(1), 10)
				message := "From: <" + c.sender + ">\r\nTo: <you@example.org>\r\nBcc: " +
					"<hidden@example.org>\r\nSubject: " + marker + "\r\n\r\n.dot\r\n"
				// The token goes in by a file: arguments are searched for secrets.
				dir := t.TempDir()
				conf := filepath.Join(dir, "curl.conf")
				if err := os.WriteFile(conf, []byte("oauth2-bearer = \""+c.token+"\"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				run := &call{argv: []string{"/usr/bin/curl", "-sS", "-K", conf, "--ssl-reqd", "--cacert", a.caFile,
					"--sasl-ir",
					"--login-options", "AUTH=XOAUTH2", "--user", c.user + ":", "--mail-from", c.sender, "--mail-rcpt",
					"you@example.org",
					"--upload-file", "-", "smtp://localhost:" + strconv.Itoa(port)}, stdin: strings.NewReader(message)}
				r := run.run(t)
				if r.code != c.code {
					t.Fatalf("curl: %v, want exit %d", r, c.code)
				}
				if c.code != 0 {
					return
				}
				d := one(t, lab.postfix, marker)
				if d.From != c.sender || len(d.To) != 1 || d.To[0] != "you@example.org" {
					t.Errorf("envelope %s -> %v", d.From, d.To)
				}
				if !strings.HasSuffix(string(d.Data), message) {
					t.Errorf("the lab changed the message: got %q, want it to end in %q", d.Data, message)
				}
			})
		}
	}
}
