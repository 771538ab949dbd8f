package emulator_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/emulator"
)

const tagPattern = ` \[AM0PR00CA0001\.eurprd00\.prod\.outlook\.com \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z 08[0-9A-F]{14}\]$`

func match(t testing.TB, pattern, s string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(s) {
		t.Errorf("%q does not match %s", s, pattern)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := dial(t, e)
	match(t, `^220 AM0PR00CA0001\.outlook\.office365\.com Microsoft ESMTP MAIL Service ready at \w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d \+0000 \[08[0-9A-F]{14}\]$`, c.read())
	ehlo := func(security string) string {
		return "250-AM0PR00CA0001.outlook.office365.com Hello [127.0.0.1]\n250-SIZE " +
			"157286400\n250-PIPELINING\n250-DSN\n" +
			"250-ENHANCEDSTATUSCODES\n250-" + security + "\n250-8BITMIME\n250-BINARYMIME\n250-CHUNKING\n250 SMTPUTF8"
	}
	if got := c.cmd("EHLO client.example.test"); got != ehlo("STARTTLS") {
		t.Errorf("EHLO before TLS: %s", got)
	}
	match(t, `^451 5\.7\.3 STARTTLS is required to send mail`+tagPattern, c.cmd("MAIL FROM:<%s>", e.Mailbox))
	match(t, `^504 5\.7\.4 Unrecognized authentication type`+tagPattern, c.cmd("AUTH XOAUTH2"))
	c.startTLS(nil)
	match(t, `^503 5\.5\.2 Send hello first`+tagPattern, c.cmd("MAIL FROM:<%s>", e.Mailbox))
	if got := c.cmd("EHLO client.example.test"); got != ehlo("AUTH LOGIN XOAUTH2") {
		t.Errorf("EHLO after TLS: %s", got)
	}
	match(t, `^500 5\.3\.3 Unrecognized command 'STARTTLS'`+tagPattern, c.cmd("STARTTLS"))
	match(t, `^530 5\.7\.57 Client not authenticated to send mail\.`+tagPattern, c.cmd("MAIL FROM:<%s>", e.Mailbox))
	match(t, `^504 5\.7\.4 Unrecognized authentication type`+tagPattern, c.cmd("AUTH PLAIN AGEAYg=="))
	c.want("334 VXNlcm5hbWU6", "AUTH LOGIN")
	c.want("334 UGFzc3dvcmQ6", "YQ==")
	match(t, `^535 5\.7\.139 Authentication unsuccessful, basic authentication is disabled\.`+tagPattern, c.cmd("Yg=="))
	if got := c.cmd("AUTH XOAUTH2"); got != "334 " {
		t.Errorf("AUTH XOAUTH2: %q, want %q", got, "334 ")
	}
	if got := c.cmd("%s", blob(e.Mailbox, token(t, e))); got != "235 2.7.0 Authentication successful" {
		t.Fatalf("AUTH: %q", got)
	}
	match(t, `^250 2\.0\.0 OK <1@example\.test> \[Hostname=AM0PR00MB0001\.eurprd00\.prod\.outlook\.com\]$`,
		c.send(message(e)))
	c.want("250 2.0.0 Resetting", "RSET")
	c.want("250 2.0.0 OK", "NOOP")
	c.want("252 2.1.5 Cannot VRFY user", "VRFY a")
	c.want("214-", "HELP")
	match(t, `^500 5\.3\.3 Unrecognized command 'EXPN'`+tagPattern, c.cmd("EXPN a"))
	c.want("221 2.0.0 Service closing transmission channel", "QUIT")
	if s, err := c.tryRead(); err == nil {
		t.Errorf("after QUIT: %q", s)
	}

	m, err := e.WaitMessages(ctx(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if string(m[0].Data) != message(e) || m[0].From != e.Mailbox || m[0].To[0] != "a@example.test" ||
		m[0].SignIn != e.Mailbox || len(m[0].Warnings) != 0 {
		t.Errorf("message: %+v", m[0])
	}
	if m[0].Header("subject") != "hello" || m[0].Text() != "hello\n" {
		t.Errorf("subject %q, text %q", m[0].Header("subject"), m[0].Text())
	}
}

// TestIndependentClient is the happy path with clients that are not ours.
func TestIndependentClient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := emulator.New(t, func(o *emulator.Options) { o.Dir = dir })
	c, err := smtp.DialStartTLS(fmt.Sprintf("127.0.0.1:%d", e.SMTPPort()),
		&tls.Config{RootCAs: e.CAPool(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(xoauth2{e.Mailbox, token(t, e)}); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(message(e), "hello\r\n", ".dot\r\n..\r\n.\r\nend\r\n")
	if err := c.SendMail(e.Mailbox, []string{"a@example.test", "b@example.test"}, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	m, err := e.WaitMessages(ctx(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if string(m[0].Data) != text || len(m[0].To) != 2 {
		t.Errorf("to %v, data %q", m[0].To, m[0].Data)
	}
	eml, err := os.ReadFile(filepath.Join(dir, "000001.eml"))
	if err != nil || string(eml) != text {
		t.Errorf("eml: %q, %v", eml, err)
	}
	env, err := os.ReadFile(filepath.Join(dir, "000001.json"))
	if err != nil || !strings.Contains(string(env), `"sign_in": "noreply@contoso.test"`) {
		t.Errorf("envelope: %s, %v", env, err)
	}
}

type xoauth2 struct{ user, token string }

func (x xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}

func (x xoauth2) Next([]byte) ([]byte, error) { return nil, sasl.ErrUnexpectedServerChallenge }

func TestConfigTOML(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	got := e.ConfigTOML("/d")
	for _, want := range []string{
		`tenant        = "` + e.Tenant + `"`, `client_secret = "` + e.ClientSecret + `"`,
		"[smtp]\nhost = \"localhost\"\nport = ",
		"[token]\nurl = \"https://localhost:", "[tls]\nca_file = \"", "[cache]\ndir = \"/d/cache\"",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestTranscriptHasNoSecret(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	tok := token(t, e)
	c := secure(t, e)
	c.want("235", "AUTH XOAUTH2 %s", blob(e.Mailbox, tok))
	d := secure(t, e)
	d.auth("nobody@contoso.test", tok)
	d.cmd("%s", tok)
	d.cmd("%s", blob(e.Mailbox, tok))
	got := e.Transcript()
	for _, bad := range []string{e.ClientSecret, tok, blob(e.Mailbox, tok), tok[:30], blob(e.Mailbox, tok)[60:90]} {
		if strings.Contains(got, bad) {
			t.Errorf("the transcript has %q:\n%s", bad, got)
		}
	}
	for _, want := range []string{"C: AUTH XOAUTH2 [redacted]", "C: [redacted]", "client_secret=[redacted]",
		"S: 235 2.7.0"} {
		if !strings.Contains(got, want) {
			t.Errorf("the transcript lacks %q:\n%s", want, got)
		}
	}
}

func TestConcurrentConnections(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	var cs []*client
	for range 4 {
		cs = append(cs, signedIn(t, e))
	}
	for i, c := range cs {
		want := "250 2.0.0 OK"
		if i == 3 {
			want = "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for " +
				"more information. [Hostname="
		}
		if got := c.send(message(e)); !strings.HasPrefix(got, want) {
			t.Errorf("connection %d: %q, want %q", i+1, got, want)
		}
	}
	// A connection that is closed makes room at once, even if the server has not read to
	// its end.
	cs[0].conn.(*tls.Conn).NetConn().Close()
	if got := cs[3].send(message(e)); !strings.HasPrefix(got, "250 2.0.0 OK") {
		t.Errorf("after one has closed: %q", got)
	}
	if n := e.MaxConcurrent(); n != 4 {
		t.Errorf("MaxConcurrent is %d", n)
	}
	if n := e.Refused("432"); n != 1 {
		t.Errorf("Refused(432) is %d: %v", n, e.Stats().Refused)
	}
}
