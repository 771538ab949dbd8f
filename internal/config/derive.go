package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/account"
)

// given reports whether the file has the key.
func (r *reader) given(name string) bool {
	return slices.ContainsFunc(r.c.origins, func(o origin) bool { return o.name == name })
}

// faulty reports whether the key already has a fault, so that its absence is not reported again.
func (r *reader) faulty(name string) bool { return slices.Contains(r.bad, name) }

// derive fills in what follows from other keys.
func (r *reader) derive() {
	c := r.c
	r.kind()
	if c.From.Domain == "" {
		c.From.Domain = c.Mailbox[strings.LastIndexByte(c.Mailbox, '@')+1:]
	}
	if c.SMTP.TLS == TLSImplicit && !r.given("smtp.port") {
		c.SMTP.Port = 465
	}
	if c.Credential.Type == "" {
		switch {
		case c.Kind == account.Relay, c.Credential.CertificateFile != "" || c.Credential.PFXFile != "":
			c.Credential.Type = TypeCertificate
		case c.Credential.TokenFile != "":
			c.Credential.Type = TypeFederated
		default:
			c.Credential.Type = TypeSecret
		}
	}
	if c.Agent.TLSKeyFile == "" && !r.faulty("agent.tls_key_file") {
		c.Agent.TLSKeyFile = c.Agent.TLSCertFile
	}
	// A bound that was not written gives way to the smaller one that was.
	clamp(&c.Spool.MaxMessagesPerUser, c.Spool.MaxMessages, r.given("spool.max_messages_per_user"))
	clamp(&c.Spool.MaxBytesPerUser, c.Spool.MaxBytes, r.given("spool.max_bytes_per_user"))
	clamp(&c.Agent.MaxConnectionsPerUser, c.Agent.MaxConnections, r.given("agent.max_connections_per_user"))
	clamp(&c.Spool.DelayWarning, c.Spool.Lifetime-1, r.given("spool.delay_warning"))
	if !r.given("spool.delay_warning") && c.Spool.DelayWarning == c.Spool.Lifetime-1 {
		c.Spool.DelayWarning = 0
	}
}

// kind finds out what the account is, and gives the keys that depend on it their defaults.
func (r *reader) kind() {
	c := r.c
	if c.Kind == "" {
		c.Kind = cmp.Or(account.At(c.SMTP.Host), account.Mailbox)
	}
	k := account.Of(c.Kind)
	if c.SMTP.Host == "" && !r.faulty("smtp.host") {
		c.SMTP.Host = k.Host
	}
	if c.Kind == account.Mailbox {
		return // the defaults are its own
	}
	for i := range deliveryKeys {
		if key := &deliveryKeys[i]; key.ofKind != nil && (!r.given(key.Name) || r.faulty(key.Name)) {
			r.setDefault(key)
		}
	}
}

func clamp[N int | int64 | time.Duration](n *N, most N, given bool) {
	if !given && most > 0 && *n > most {
		*n = most
	}
}

// combine checks what no single key can tell.
func (r *reader) combine() {
	r.account()
	if r.c.Kind != account.Relay {
		r.credential()
	}
	r.sender()
	r.bounds()
	r.fleet()
	r.oneOf("alerts.webhook", "alerts.webhook_file")
	r.oneOf("alerts.heartbeat", "alerts.heartbeat_file")
}

// missing notes a required key that is not there.
func (r *reader) missing(name string) {
	if !r.given(name) && !r.faulty(name) {
		r.fault(name, Error{Problem: "is missing", Expected: lookup(name).Expects()})
	}
}

func (r *reader) account() {
	c := r.c
	switch {
	case c.Kind == account.Relay:
		r.relay()
	case c.Credential.Type != TypeManagedIdentity:
		r.missing("tenant")
		r.missing("client_id")
	}
	r.relayOnly()
	r.missing("mailbox")
	r.pool()
	if at := account.At(c.SMTP.Host); at != "" && at != c.Kind && !r.faulty("kind") && !r.faulty("smtp.host") {
		r.fault("kind", Error{
			Problem: "is " + shown(c.Kind) + ", and smtp.host = " + shown(c.SMTP.Host) +
				" serves the kind " + shown(at),
			Hint: "leave one of the two out",
		})
	}
	if genericTenant(c.Tenant) && c.Credential.Type != TypeDeviceCode {
		r.fault("tenant", Error{
			Problem:  shown(c.Tenant) + " stands for no single tenant, and an application signs in to one",
			Expected: lookup("tenant").Expects(),
		})
	}
}

// pool checks the mailboxes that share the work.
func (r *reader) pool() {
	for i, m := range r.c.Pool {
		name := fmt.Sprintf("mailboxes[%d]", i+1)
		switch {
		case strings.Contains(m, "*"):
			r.fault(name, Error{Problem: shown(m) + " is a pattern", Expected: "the address of a mailbox"})
		case slices.ContainsFunc(r.c.Pool[:i], func(o string) bool { return strings.EqualFold(o, m) }):
			r.fault(name, Error{Problem: shown(m) + " is there twice"})
		}
	}
	if len(r.c.Pool) > 0 && account.Of(r.c.Kind).OwnAddressOnly {
		r.fault("mailboxes", Error{Problem: "does not go with kind = " + shown(r.c.Kind) +
			", whose accounts send under their own address only", Hint: "leave it out"})
	}
}

// credentialTypes lists the keys that only one type of credential has.
var credentialTypes = [...]struct{ key, kind string }{
	{"client_secret", TypeSecret}, {"client_secret_file", TypeSecret},
	{"client_secret_next", TypeSecret}, {"client_secret_next_file", TypeSecret},
	{"credential.certificate_file", TypeCertificate}, {"credential.key_file", TypeCertificate},
	{"credential.pfx_file", TypeCertificate}, {"credential.passphrase_file", TypeCertificate},
	{"credential.algorithm", TypeCertificate},
	{"credential.token_file", TypeFederated},
	{"credential.identity_client_id", TypeManagedIdentity}, {"credential.identity_object_id", TypeManagedIdentity},
	{"credential.identity_resource_id", TypeManagedIdentity}, {"credential.identity_endpoint", TypeManagedIdentity},
	{"credential.refresh_token_file", TypeDeviceCode},
}

func (r *reader) credential() {
	kind := r.c.Credential.Type
	for _, t := range credentialTypes {
		if t.kind != kind && r.given(t.key) && !r.faulty(t.key) {
			r.fault(t.key, Error{Problem: "does not go with the credential type " + shown(kind),
				Hint: "leave it out, or set credential.type = " + shown(t.kind)})
		}
	}
	r.oneOf("client_secret", "client_secret_file")
	r.oneOf("client_secret_next", "client_secret_next_file")
	switch kind {
	case TypeSecret:
		r.secretGiven()
	case TypeCertificate:
		r.certificate()
	case TypeManagedIdentity:
		r.oneOf("credential.identity_client_id", "credential.identity_object_id")
		r.oneOf("credential.identity_client_id", "credential.identity_resource_id")
		r.oneOf("credential.identity_object_id", "credential.identity_resource_id")
	}
}

// oneOf refuses two keys that say the same.
func (r *reader) oneOf(a, b string) {
	if r.given(a) && r.given(b) {
		r.fault(b, Error{Problem: "can't be used together with " + a, Hint: "remove one of the two"})
	}
}

func (r *reader) secretGiven() {
	if !r.given("client_secret") && !r.given("client_secret_file") && !r.faulty("client_secret") &&
		!r.faulty("credential.type") {
		if r.given("client_secret_next") || r.given("client_secret_next_file") {
			r.fault("client_secret", Error{Problem: "is missing, but there is a client_secret_next",
				Hint: "the next secret comes second"})
		} else {
			r.fault("client_secret",
				Error{Problem: "is missing", Expected: "client_secret, client_secret_file or a [credential] table"})
		}
	}
	a, b := r.c.ClientSecret, r.c.SecondSecret
	if !a.Empty() && a == b {
		r.fault("client_secret_next", Error{Problem: "is the same as client_secret"})
	}
	if f := r.c.ClientSecretFile; f != "" && f == r.c.SecondSecretFile {
		r.fault("client_secret_next_file", Error{Problem: "is the same as client_secret_file"})
	}
}

func (r *reader) certificate() {
	const cert, key, pfx = "credential.certificate_file", "credential.key_file", "credential.pfx_file"
	switch {
	case r.given(pfx):
		r.oneOf(pfx, cert)
		r.oneOf(pfx, key)
	case r.given(cert) && !r.given(key):
		if !r.faulty(cert) {
			r.c.Credential.KeyFile = r.c.Credential.CertificateFile
		}
	case r.given(key) && !r.given(cert):
		r.fault(cert, Error{Problem: "is missing", Expected: "the file of the certificate that belongs to key_file"})
	case !r.given(cert):
		r.fault(cert, Error{Problem: "is missing", Expected: "certificate_file with key_file, or pfx_file"})
	}
}

func (r *reader) sender() {
	f := &r.c.From
	switch {
	case f.Policy == PolicyMap && !r.given("from.map"):
		r.fault("from.map", Error{Problem: `is missing, but from.policy is "map"`,
			Expected: lookup("from.map").Expects()})
	case f.Policy == PolicyMap && len(f.Map) == 0 && !r.anyFault("from.map"):
		r.fault("from.map", Error{Problem: `is empty, but from.policy is "map"`,
			Expected: lookup("from.map").Expects()})
	case f.Policy != PolicyMap && len(f.Map) > 0 && !r.faulty("from.policy"):
		r.fault("from.map", Error{Problem: "has no effect with from.policy = " + shown(f.Policy),
			Hint: `set policy = "map", or leave the rules out`})
	}
	if f.SignIn == SignInSender && !r.given("from.send_as") {
		r.fault("from.send_as", Error{Problem: `is missing, but from.sign_in is "sender"`,
			Expected: "the mailboxes that may sign in"})
	}
}

// anyFault reports whether name or an element of it has a fault.
func (r *reader) anyFault(name string) bool {
	return slices.ContainsFunc(r.bad, func(b string) bool { return b == name || strings.HasPrefix(b, name+"[") })
}

func (r *reader) bounds() {
	c := r.c
	if c.Agent.Listen != "" && !loopback(c.Agent.Listen) {
		if problem, hint := c.Agent.Closed(); problem != "" {
			r.fault("agent.listen", Error{Problem: shown(c.Agent.Listen) + " " + problem, Hint: hint})
		}
	}
	if c.Agent.MetricsListen != "" && !loopback(c.Agent.MetricsListen) {
		r.fault("agent.metrics_listen",
			Error{Problem: shown(c.Agent.MetricsListen) + " can be reached by other hosts", Hint: "use 127.0.0.1 or [::1]"})
	}
	if len(c.Agent.Socket) > 107 {
		r.fault("agent.socket", Error{Problem: "is longer than 107 bytes, the most that a Unix socket's path may have"})
	}
	r.order("spool.delay_warning", c.Spool.DelayWarning >= c.Spool.Lifetime, "is not shorter than spool.lifetime")
	r.order("spool.max_messages_per_user", above(c.Spool.MaxMessagesPerUser, c.Spool.MaxMessages),
		"is more than spool.max_messages")
	r.order("spool.max_bytes_per_user", above(c.Spool.MaxBytesPerUser, c.Spool.MaxBytes),
		"is more than spool.max_bytes")
	r.order("agent.max_connections_per_user", above(c.Agent.MaxConnectionsPerUser, c.Agent.MaxConnections),
		"is more than agent.max_connections")
}

// Closed says why an address that other hosts reach is not served, and what to do; "" when it is.
func (a *Agent) Closed() (problem, hint string) {
	const open = "is open to other hosts, and "
	switch certificate := a.RemoteAuth != AuthNetwork; {
	case !a.AllowRemote:
		return "can be reached by other hosts, who could all send as the mailbox",
			"use 127.0.0.1, or set agent.allow_remote = true and the certificates of agent.remote_auth"
	case certificate && a.ClientCAFile == "":
		return open + "agent.client_ca_file names no authority whose certificates let them in",
			`set it, or agent.remote_auth = "network" for agent.allow_from alone`
	case a.TLSCertFile == "" && (certificate || a.TLS == TLSImplicit):
		return open + "agent.tls_cert_file, which TLS needs, is not set", "set it and agent.tls_key_file"
	case a.RemoteAuth != AuthCertificate && len(a.AllowFrom) == 0:
		return open + "agent.allow_from names none that may connect", "set agent.allow_from to their networks"
	}
	return "", ""
}

// above compares bounds of which 0 is none.
func above[N int | int64](n, most N) bool { return most > 0 && n > most }

func (r *reader) order(name string, bad bool, problem string) {
	if bad && r.given(name) && !r.faulty(name) {
		r.fault(name, Error{Problem: problem})
	}
}

// advise notes what is allowed but probably not meant.
func (r *reader) advise() {
	c := r.c
	warn := func(on bool, name, problem, hint string) {
		if on {
			c.Warnings = append(c.Warnings, &Error{File: r.file, Line: lineOf(r.lines, name), Key: name,
				Problem: problem, Hint: hint})
		}
	}
	r.adviseKind(warn)
	warn(c.Delivery.Pace == PaceLearn && c.Delivery.MessagesPerMinute == 0, "delivery.pace",
		"has no effect where delivery.messages_per_minute is 0", "leave it out")
	warn(c.ClientID == "00000000-0000-0000-0000-000000000000", "client_id",
		"is still the sample's", "put in the Application (client) ID")
	warn(c.Mailbox != "" && !strings.Contains(c.Mailbox[strings.LastIndexByte(c.Mailbox, '@'):], "."), "mailbox",
		"has a domain without a dot", "")
	warn(!c.SecretExpires.IsZero() && c.Credential.Type != TypeSecret, "secret_expires",
		"has no effect with the credential type "+shown(c.Credential.Type), "leave it out")
	clear := ""
	if c.Agent.TLSCertFile == "" {
		clear = ", and its mail goes in the clear"
	}
	warn(c.Agent.RemoteAuth == AuthNetwork && c.Agent.Listen != "" && !loopback(c.Agent.Listen), "agent.remote_auth",
		"every host of agent.allow_from that reaches "+shown(c.Agent.Listen)+" can send as the mailbox"+clear,
		`"certificate" lets in hosts that have one`)
}

// adviseKind notes what the kind of account does not allow.
func (r *reader) adviseKind(warn func(on bool, name, problem, hint string)) {
	c, k := r.c, account.Of(r.c.Kind)
	if c.SMTP.Host != "" && account.At(c.SMTP.Host) == "" {
		return // another relay has limits of its own
	}
	for _, l := range [...]struct {
		name    string
		is, max int
		what    string
	}{
		{"delivery.connections", c.Delivery.Connections, k.Connections, "connections at one time"},
		{"delivery.messages_per_minute", c.Delivery.MessagesPerMinute, k.MessagesPerMinute, "messages a minute"},
		{"delivery.recipients_per_day", c.Delivery.RecipientsPerDay, k.RecipientsPerDay, "recipients a day"},
	} {
		warn(l.max > 0 && l.is > l.max, l.name,
			fmt.Sprintf("Exchange Online allows a mailbox %d %s", l.max, l.what), fmt.Sprintf("leave it at %d", l.max))
	}
	if !k.OwnAddressOnly {
		return
	}
	warn(c.Delivery.MaxRecipients > k.MaxRecipients, "delivery.max_recipients",
		fmt.Sprintf("High Volume Email takes %d recipients a message", k.MaxRecipients),
		fmt.Sprintf("leave it at %d", k.MaxRecipients))
	warn(c.Delivery.MaxSize > k.MaxSize, "delivery.max_size",
		"High Volume Email takes messages of "+formatSize(k.MaxSize), "leave it at "+formatSize(k.MaxSize))
	const own = "an account of High Volume Email sends under its own address only, and other senders are refused"
	warn(c.From.Policy != PolicyRewrite, "from.policy", own, `leave it at "rewrite"`)
	warn(len(c.From.SendAs) > 0, "from.send_as", own, "leave it out")
}
