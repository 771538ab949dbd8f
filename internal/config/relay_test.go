package config

import (
	"strings"
	"testing"

	"o365-sendmail/internal/account"
)

const relayed = "kind = \"relay\"\nmailbox = \"noreply@contoso.com\"\n[smtp]\nhost = \"relay.example.org\"\n%s" +
	"[credential]\ncertificate_file = \"/etc/host.pem\"\nkey_file = \"/etc/host.key\"\n"

// TestRelayKind: a relay needs a host and a certificate, and has no sign-in.
func TestRelayKind(t *testing.T) {
	t.Parallel()
	for smtp, port := range map[string]int{"": 587, "tls = \"starttls\"\n": 587, "tls = \"implicit\"\n": 465,
		"tls = \"implicit\"\nport = 25\nserver_name = \"mail.example.org\"\n": 25} {
		c, err := Loader{}.Load(write(t, strings.Replace(relayed, "%s", smtp, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if c.Kind != account.Relay || c.SMTP.Port != port || c.Credential.Type != TypeCertificate ||
			c.Delivery.MessagesPerMinute != 0 || c.Delivery.RecipientsPerDay != 0 || len(c.Warnings) > 0 {
			t.Errorf("%q: %+v %v", smtp, c, c.Warnings)
		}
	}
	for text, want := range map[string]string{
		"tenant = \"contoso.com\"\n" + relayed:                                       "tenant: does not go with kind",
		"mailboxes = [\"a@contoso.com\"]\n" + relayed:                                "mailboxes: does not go with",
		strings.Replace(relayed, "host =", "#", 1):                                   "smtp.host: is missing",
		strings.Replace(relayed, "certificate_file", "#", 1):                         "credential.certificate_file: is missing",
		strings.Replace(relayed, "relay.example.org", "smtp.office365.com", 1):       "leave one of the two out",
		relayed + "type = \"managed-identity\"\n":                                    "credential.type: does not",
		relayed + "pfx_file = \"/etc/x\"\n":                                          "credential.pfx_file: does not go with kind",
		minimal + "[smtp]\ntls = \"implicit\"\n":                                     "smtp.tls: does not go with kind",
		minimal + "[smtp]\nserver_name = \"relay.example.org\"\n":                    "smtp.server_name: does not go",
		relayed + "[from]\nsign_in = \"sender\"\nsend_as = [\"shop@contoso.com\"]\n": "from.sign_in: does not go",
	} {
		_, err := Loader{}.Load(write(t, strings.Replace(text, "%s", "", 1)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v, want %q", text, err, want)
		}
	}
}
