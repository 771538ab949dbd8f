package config

import "o365-sendmail/internal/account"

// signInKeys are those of an account that signs in, which a relay has not.
var signInKeys = [...]string{
	"tenant", "client_id", "secret_expires", "mailboxes", "way", "credential.pfx_file", "credential.passphrase_file", "credential.algorithm",
	"smtp.pipeline_auth", "token.url", "token.scope", "token.proxy", "from.sign_in", "from.sign_in_as",
}

// relay checks an account of that kind.
func (r *reader) relay() {
	r.missing("smtp.host")
	names := signInKeys[:]
	for _, t := range credentialTypes {
		if t.kind != TypeCertificate {
			names = append(names, t.key)
		}
	}
	if r.c.Credential.Type != TypeCertificate {
		names = append(names, "credential.type")
	}
	for _, name := range names {
		if r.given(name) && !r.faulty(name) {
			r.fault(name, Error{Problem: `does not go with kind = "relay": the relay signs in, and knows this host by ` +
				"a certificate", Hint: "leave it out"})
		}
	}
	r.missing("credential.certificate_file")
	if r.c.Credential.KeyFile == "" && !r.faulty("credential.key_file") {
		r.c.Credential.KeyFile = r.c.Credential.CertificateFile
	}
}

// relayOnly refuses to other kinds what only a relay has.
func (r *reader) relayOnly() {
	for _, name := range [...]string{"smtp.tls", "smtp.server_name"} {
		if r.c.Kind != account.Relay && r.given(name) && !r.faulty(name) && !r.faulty("kind") &&
			!(name == "smtp.tls" && r.c.SMTP.TLS == TLSStart) {
			r.fault(name, Error{Problem: "does not go with kind = " + shown(r.c.Kind), Hint: "leave it out"})
		}
	}
}
