package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/config"
)

// TestRelayedTLS: where another host is the relay, its TLS begins and its certificate is named as this host's keys say.
func TestRelayedTLS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind string
		err  error
		want string
	}{
		{account.Relay, tls.RecordHeaderError{Msg: "first record"}, "smtp.tls and smtp.port"},
		{account.Mailbox, tls.RecordHeaderError{Msg: "first record"}, "look for a firewall"},
		{account.Relay, x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, "smtp.host or smtp.server_name"},
		{account.Mailbox, x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, "correct smtp.host,"},
	} {
		r, c := &runner{cfg: &config.Config{Kind: tt.kind}}, &Check{}
		r.judgeTLS(c, tt.err, r.smtpName())
		if !strings.Contains(c.Hint, tt.want) {
			t.Errorf("%s, %T: %+v", tt.kind, tt.err, c)
		}
	}
}
