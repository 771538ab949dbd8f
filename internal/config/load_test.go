package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/sysexits"
)

const (
	secretText = "Abc8Q~not-a-real-secret.xyz"
	minimal    = `tenant = "contoso.onmicrosoft.com"
client_id = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
client_secret = "` + secretText + `"
mailbox = "noreply@contoso.com"
`
)

// write puts text into a file that only its owner can read.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "o365-sendmail.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMinimal(t *testing.T) {
	t.Parallel()
	c, err := Loader{}.Load(write(t, minimal))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
	s, err := c.Secret()
	if err != nil || s.Reveal() != secretText {
		t.Errorf("secret: %v", err)
	}
	if next, err := c.NextSecret(); err != nil || !next.Empty() {
		t.Errorf("next secret: %v", err)
	}
	for _, check := range []struct{ got, want any }{
		{c.Tenant, "contoso.onmicrosoft.com"},
		{c.Cloud, "global"},
		{c.Credential.Type, TypeSecret},
		{c.SMTP, SMTP{Port: 587, TLS: TLSStart, Chunking: "auto", EightBit: "auto", Timeout: time.Minute,
			IdleTimeout: 30 * time.Second}},
		{c.TLS.MinVersion, "1.2"},
		{c.Cache.Dir, "/var/lib/o365-sendmail"},
		{c.Spool.Dir, "/var/spool/o365-sendmail"},
		{c.Spool.Lifetime, 5 * 24 * time.Hour},
		{c.Spool.DelayWarning, 4 * time.Hour},
		{c.Agent.Socket, "/run/o365-sendmail/submit.sock"},
		{c.Delivery, Delivery{"interactive", 10 * time.Second, 3, 30, PaceStrict, 10000, 10, 5, 50,
			time.Minute, 500, 10000,
			150 << 20, 2 << 20}},
		{c.From.Policy, "rewrite"},
		{c.From.Domain, "contoso.com"},
		{c.AliasesFile, "/etc/aliases"},
		{c.Log, Log{"journal", "text"}},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("got %v, want %v", check.got, check.want)
		}
	}
}

const full = `tenant = "00000000-1111-2222-3333-444444444444"
client_id = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
client_secret = '` + secretText + `'
client_secret_next = "second~secret"
secret_expires = 2027-01-31
mailbox = "noreply@contoso.com"
root_to = "it@contoso.com"
smtp.host = "127.0.0.1"
smtp.port = 2525
aliases_file = ""
[spool]
dir = ""
max_messages = 10
max_bytes = "35MB"
lifetime = "2h30m"
[delivery]
connections = 5
[from]
policy = "map"
send_as = ["shop@contoso.com"]
sign_in = "sender"
map = [{ match = "*@web1", to = "shop@contoso.com" }]
[from.allow]
www-data = ["*@shop.example", "shop@contoso.com"]
33 = ["*"]
[from.sign_in_as]
"*@Shop.example" = "shop@contoso.com"
[aliases]
Root = "it@contoso.com"
webmaster = ["root", "web@contoso.com"]
[log]
to = "/var/log/o365-sendmail.log"
`

func TestFull(t *testing.T) {
	t.Parallel()
	c, err := Loader{}.Load(write(t, full))
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct{ got, want any }{
		{c.SecondSecret.Reveal(), "second~secret"},
		{c.SecretExpires, time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
		{c.SMTP.Host, "127.0.0.1"},
		{c.SMTP.Port, 2525},
		{c.AliasesFile, ""},
		{c.Spool.Dir, ""},
		{c.Spool.MaxMessagesPerUser, 0},
		{c.Spool.MaxBytes, int64(35e6)},
		{c.Spool.MaxBytesPerUser, int64(0)},
		{c.Spool.Lifetime, 150 * time.Minute},
		{c.Spool.DelayWarning, time.Duration(0)},
		{c.From.Map, []MapRule{{"*@web1", "shop@contoso.com"}}},
		{c.From.AllowedSenders, map[string][]string{"www-data": {"*@shop.example", "shop@contoso.com"}, "33": {"*"}}},
		{c.From.SignAs, map[string]string{"*@shop.example": "shop@contoso.com"}},
		{c.Aliases, map[string][]string{"root": {"it@contoso.com"}, "webmaster": {"root", "web@contoso.com"}}},
		{c.Log.To, "/var/log/o365-sendmail.log"},
		{len(c.Warnings), 0}, // five connections, but not to Exchange Online
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("got %v, want %v", check.got, check.want)
		}
	}
}

func TestNothingShowsASecret(t *testing.T) {
	t.Parallel()
	path := write(t, full)
	c, err := Loader{}.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		text += fmt.Sprintf(verb, c) + fmt.Sprintf(verb, *c)
	}
	for _, s := range c.Effective() {
		text += s.Key + s.Value + s.Origin
	}
	for _, secret := range []string{secretText, "second~secret"} {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("%q is shown", secret)
		}
	}
}

func TestEffective(t *testing.T) {
	t.Parallel()
	path := write(t, full)
	c, err := Loader{}.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Setting{}
	for _, s := range c.Effective() {
		got[s.Key] = s
	}
	if len(got) != len(Keys()) {
		t.Errorf("%d settings for %d keys", len(got), len(Keys()))
	}
	for _, want := range []Setting{
		{"tenant", `"00000000-1111-2222-3333-444444444444"`, 1, path + ":1"},
		{"client_secret", "[redacted]", 3, path + ":3"},
		{"secret_expires", "2027-01-31", 5, path + ":5"},
		{"smtp.port", "2525", 9, path + ":9"},
		{"smtp.timeout", `"1m"`, 0, "default"},
		{"smtp.ehlo_name", "", 0, "default: the host's own name"},
		{"aliases_file", `""`, 10, path + ":10"},
		{"spool.max_bytes", `"35MB"`, 14, path + ":14"},
		{"spool.lifetime", `"2h30m"`, 15, path + ":15"},
		{"from.domain", `"contoso.com"`, 0, "default: the mailbox's domain"},
		{"from.send_as", `["shop@contoso.com"]`, 20, path + ":20"},
		{"from.map", `[{ match = "*@web1", to = "shop@contoso.com" }]`, 22, path + ":22"},
		{"from.allow", `{ 33 = ["*"], www-data = ["*@shop.example", "shop@contoso.com"] }`, 23, path + ":23"},
		{"aliases", `{ root = ["it@contoso.com"], webmaster = ["root", "web@contoso.com"] }`, 28, path + ":28"},
	} {
		if got[want.Key] != want {
			t.Errorf("got %+v, want %+v", got[want.Key], want)
		}
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	_, err := Loader{}.Load(filepath.Join(t.TempDir(), "none.toml"))
	if !errors.Is(err, fs.ErrNotExist) || sysexits.Code(err, 0) != sysexits.Config {
		t.Errorf("%v", err)
	}
	c, faults := Loader{}.LoadLenient("/nonexistent/x.toml")
	if len(faults) != 1 || c.Agent.Socket != DefaultSocket || c.Credential.Type != TypeSecret {
		t.Errorf("%v %v", c, faults)
	}
}

func TestPerUserDefaults(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	path := filepath.Join(home, ".config", "o365-sendmail.toml")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Loader{}.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Cache.Dir != filepath.Join(home, ".cache/o365-sendmail") || c.Spool.Dir != "" {
		t.Errorf("cache %q, spool %q", c.Cache.Dir, c.Spool.Dir)
	}
}

func TestCredentialTypes(t *testing.T) {
	t.Parallel()
	account := strings.Replace(minimal, "client_secret", "# ", 1)
	for _, tt := range []struct{ text, kind string }{
		{account + "client_secret_file = \"credential:secret\"\n", TypeSecret},
		{account + "[credential]\ncertificate_file = \"/a\"\nkey_file = \"/a\"\n", TypeCertificate},
		{account + "[credential]\ncertificate_file = \"/a\"\n", TypeCertificate},
		{account + "[credential]\npfx_file = \"/a\"\npassphrase_file = \"/b\"\n", TypeCertificate},
		{account + "[credential]\ntoken_file = \"/a\"\n", TypeFederated},
		{account + "[credential]\ntype = \"federated\"\n", TypeFederated},
		{account + "[credential]\ntype = \"device-code\"\n", TypeDeviceCode},
		{strings.Replace(account, "contoso.onmicrosoft.com", "consumers", 1) + "[credential]\ntype = \"device-code\"\n", TypeDeviceCode},
		{"mailbox = \"a@contoso.com\"\n[credential]\ntype = \"managed-identity\"\n", TypeManagedIdentity},
	} {
		c, err := Loader{}.Load(write(t, tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.kind, err)
		} else if c.Credential.Type != tt.kind {
			t.Errorf("%s taken for %s", tt.kind, c.Credential.Type)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	c, err := Loader{}.Load(write(t, minimal+"delivery.connections = 4\n[agent]\nlisten = \"[::]:25\"\n"+
		"allow_remote = true\nremote_auth = \"network\"\n"+
		"allow_from = [\"192.0.2.0/24\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 2 || c.Warnings[0].Line != 5 || c.Warnings[1].Key != "agent.remote_auth" {
		t.Errorf("%v", c.Warnings)
	}
}

func TestLenient(t *testing.T) {
	t.Parallel()
	c, faults := Loader{}.LoadLenient(write(t, `tenant = "contoso.onmicrosoft.com"
client_secret = Abc8Q~oops
smtp.port = "many"
nonsense = 1
[agent]
socket = "/run/elsewhere/s"
[spool
dir = "/lost"
[delivery]
wait = 5
max_recipients = 7
`))
	if c.Agent.Socket != "/run/elsewhere/s" || c.Delivery.MaxRecipients != 7 {
		t.Errorf("what is good was not kept: %+v", c.Agent)
	}
	if c.SMTP.Port != 587 || c.Delivery.Wait != 10*time.Second || c.Spool.Dir != DefaultSpool {
		t.Errorf("what is broken has no default: %v %v %v", c.SMTP.Port, c.Delivery.Wait, c.Spool.Dir)
	}
	var keys []string
	for _, f := range faults {
		e, ok := f.(*Error)
		if !ok {
			t.Fatalf("%T", f)
		}
		keys = append(keys, fmt.Sprintf("%s:%d", e.Key, e.Line))
		if strings.Contains(e.Error(), "Abc8Q") {
			t.Errorf("secret shown: %v", e)
		}
	}
	if got, want := strings.Join(keys, " "), ":2 smtp.port:3 :7 delivery.wait:10 client_id:0 mailbox:0 client_secret:0"; got != want {
		t.Errorf("faults\n%s, want\n%s", got, want)
	}
}

func TestLenientNeverGivesUp(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\x00", "\xff\xfea\x00", "[[[[", strings.Repeat("[", 5000), "a = \"\"\"\n", strings.Repeat("=\n", 50), "\xff", "a." + strings.Repeat("a.", 5000) + "a=1"} {
		c, faults := Loader{}.LoadLenient(write(t, text))
		if c == nil || len(faults) == 0 || c.Delivery.Connections != 3 {
			t.Errorf("%.20q: %v", text, faults)
		}
	}
}

// TestIgnored: a key that delivery does not need has its default when its value is wrong, and is reported. A fault that
// leaves the rest of the text in doubt is never passed over.
func TestIgnored(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"agent.listen = 25", "agent.listen = \"0.0.0.0:25\"", "agent.allow_remote = \"yes\"",
		"agent.allow_from = [\"10.0.0.1/8\"]",
		"agent.metrics_file = \"metrics\"", "agent.metrics_listen = \"[::]:9587\"", "agent.metrics_listen = \"10.0.0.1:9587\"",
		"agent.metrics_listen = \"web1:9587\"", "agent.metrics_listen = 9587", "agent.queue_interval = 5", "agent.drain_timeout = \"1h\"",
		"agent.probe_interval = \"\"",
		"log.to = \"jornal\"", "log.format = \"xml\"", "secret_expires = \"soon\"", "alert_to = \"it\"",
		"spool.delay_warning = \"9d\"",
		"smtp.idle_timeout = \"1d\"",
	} {
		key, _, _ := strings.Cut(line, " ")
		c, err := Loader{}.Load(write(t, minimal+line+"\n"))
		if err != nil || len(c.Ignored) == 0 ||
			c.Ignored[0].Key != key && !strings.HasPrefix(c.Ignored[0].Key, key+"[") {
			t.Errorf("%s: %v", line, err)
			continue
		}
		bare, err := Loader{}.Load(write(t, minimal))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range c.Effective() {
			if b := bare.Effective()[i]; s.Value != b.Value || s.Line != b.Line {
				t.Errorf("%s: %v, want %v", line, s, b)
			}
		}
	}
	for _, line := range []string{
		"alert_to = \"a@example.org\"\nalert_to = \"b@example.org\"", "log.to = \"x", "log.too = \"journal\"",
		"mailbox2 = \"x\"", "root_to = \"it\"",
		"from.allow = 1", "spool.dir = 1", "agent.socket = 1", "delivery.mode = \"x\"",
		"log.to = \"jornal\"\nroot_to = \"it\"",
	} {
		if c, err := (Loader{}).Load(write(t, minimal+line+"\n")); err == nil {
			t.Errorf("%s: passed over (%v)", line, c.Ignored)
		}
	}
}
