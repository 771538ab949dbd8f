package setup

import (
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/diagnose"
	"o365-sendmail/xoauth"
)

// The credential types, as credential.type has them.
const (
	TypeSecret      = "secret"
	TypeCertificate = "certificate"
	TypeFederated   = "federated"
	TypeIdentity    = "managed-identity"
	TypeDevice      = "device-code"
)

// Answers are what a configuration needs.
type Answers struct {
	Cloud, Tenant, ClientID string
	// Type is the credential's.
	Type           string
	Secret         xoauth.Secret
	SecretFile     string // in place of Secret
	SecretExpires  string // a date, "" when nobody knows
	CertFile       string
	KeyFile        string
	PFXFile        string
	NewCertificate bool   // in place of these files
	CertDays       string // the new certificate's life
	PassphraseFile string
	TokenFile      string // federated; "" is the environment's
	IdentityID     string // client ID of a user-assigned managed identity
	Mailbox        string
	// Way is how the application may send: diagnose.WayScoped, diagnose.WayAPI or "".
	Way     string
	RootTo  string
	AlertTo string
	// Kind is the account's: account.Mailbox, account.HVE, account.Relay or "".
	Kind string
	// Set are further keys with their values as TOML text.
	Set []Change

	kept *Answers // see Keep

	// Now is the clock; nil is the system's.
	Now func() time.Time
}

func (a *Answers) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// question is one thing to know: from a flag, or asked.
type question struct {
	flag  string // without its hyphens
	name  string
	where string // how to find the answer
	value func(a *Answers) *string
	form  form
	// needed reports whether there can be no configuration without an answer.
	needed func(a *Answers) bool
	// asked reports whether to ask a person who did not give the flag.
	asked func(a *Answers) bool
	// fallback is what an empty answer means; guess is one that only a person can confirm.
	fallback, guess func(a *Answers) string
	secret          bool
}

func always(*Answers) bool { return true }
func never(*Answers) bool  { return false }

func ofType(types ...string) func(*Answers) bool {
	return func(a *Answers) bool { return strings.Contains(" "+strings.Join(types, " ")+" ", " "+a.Type+" ") }
}

// questions are in the order in which a person finds the answers.
func questions() []question {
	ofApp := ofType(TypeSecret, TypeCertificate, TypeFederated, TypeDevice)
	withApp := func(a *Answers) bool { return ofApp(a) && !a.Relayed() }
	noPFX := func(a *Answers) bool { return a.Type == TypeCertificate && a.PFXFile == "" && !a.NewCertificate }
	ofKey := func(a *Answers) bool { return noPFX(a) && a.KeyFile != "" || a.Relayed() }
	defaultLife := func(a *Answers) string {
		if a.makesCertificate() {
			return defaultDays
		}
		return ""
	}
	return []question{
		{flag: "cloud", name: "Cloud", value: func(a *Answers) *string { return &a.Cloud }, form: cloudForm, needed: never, asked: never},
		{
			flag: "credential", name: "Kind of credential", value: func(a *Answers) *string { return &a.Type },
			form: typeForm, needed: never, asked: func(a *Answers) bool { return a.Type == "" },
			fallback: func(*Answers) string { return TypeCertificate },
			where: "empty for certificate, which is made here and is best; or secret, federated, managed-identity, " +
				"device-code",
		},
		{flag: "tenant", name: "Directory (tenant) ID", value: func(a *Answers) *string { return &a.Tenant }, form: tenantForm, needed: withApp, asked: withApp,
			where: "Entra admin center > App registrations > your app > Overview; or a domain of the tenant"},
		{flag: "client-id", name: "Application (client) ID", value: func(a *Answers) *string { return &a.ClientID }, form: clientForm, needed: withApp, asked: withApp,
			where: "on the same page; not the Object ID"},
		{flag: "client-secret-stdin", name: "Client secret (its Value)", secret: true, form: secretForm,
			needed: func(a *Answers) bool { return a.Type == TypeSecret && a.SecretFile == "" && !a.keepsSecret() },
			asked:  func(a *Answers) bool { return a.Type == TypeSecret && a.SecretFile == "" },
			where:  "Certificates & secrets > New client secret > the column Value, not Secret ID; it is not shown while you type"},
		{flag: "secret-expires", name: "The secret's last day", value: func(a *Answers) *string { return &a.SecretExpires }, form: dateForm, needed: never, asked: ofType(TypeSecret),
			where: "the column Expires, written as 2027-01-31; empty if you don't know: then nobody is warned"},
		{flag: "pfx-file", name: "PFX file", value: func(a *Answers) *string { return &a.PFXFile }, form: pathForm, needed: never, asked: never},
		{
			flag: "certificate-file", name: "Certificate (PEM file)",
			value: func(a *Answers) *string { return &a.CertFile }, form: certForm, needed: ofKey, asked: noPFX,
			where: "empty, or \"new\": a key and a certificate are made here",
		},
		{
			flag: "key-file", name: "Private key (PEM file)", value: func(a *Answers) *string { return &a.KeyFile },
			form: pathForm, needed: never,
			asked: func(a *Answers) bool { return a.Type == TypeCertificate && a.CertFile != "" },
			where: "empty if it is in the same file",
		},
		{
			flag: "certificate-days", name: "The new certificate's life in days",
			value: func(a *Answers) *string { return &a.CertDays }, form: daysForm, needed: never,
			asked: (*Answers).makesCertificate, fallback: defaultLife,
			where: "empty for " + defaultDays + "; a policy of the tenant may allow less",
		},
		{
			flag: "kind", name: "Kind of account", value: func(a *Answers) *string { return &a.Kind },
			form: kindForm, needed: never, asked: never,
		},
		{
			flag: "way", name: "How the application may send", value: func(a *Answers) *string { return &a.Way },
			form: wayForm, needed: never,
			asked: func(a *Answers) bool { return a.Type != TypeDevice && !a.hve() && !a.Relayed() },
			guess: guessWay,
			where: "scoped: the scoped role, Exchange's own for the mailboxes of one group; api: the API permission " +
				"SMTP.SendAsApp, with permissions on each mailbox; empty for scoped, which only the " +
				"worldwide cloud has",
		},
		{flag: "mailbox", name: "Mailbox that sends", value: func(a *Answers) *string { return &a.Mailbox }, form: mailboxForm, needed: always, asked: always,
			where: "a shared mailbox is best: it needs no licence; for an account of High Volume Email begin " +
				"again with " +
				"--kind hve"},
		{flag: "root-to", name: "Where root's mail goes", value: func(a *Answers) *string { return &a.RootTo }, form: addressForm, needed: never, asked: always,
			where: "a person's address; empty to refuse such mail"},
		{flag: "alert-to", name: "Who is told when mail stops", value: func(a *Answers) *string { return &a.AlertTo }, form: addressForm, needed: never, asked: always,
			where: "empty for the same address", fallback: func(a *Answers) string { return a.RootTo }},
	}
}

// CheckAll puts the answers that were given as flags into form. Its error names the flag.
func (a *Answers) CheckAll() error {
	for _, q := range questions() {
		if q.secret || *q.value(a) == "" {
			continue
		}
		v, err := q.form(a, strings.TrimSpace(*q.value(a)))
		if err != nil {
			return fmt.Errorf("--%s: %w", q.flag, err)
		}
		*q.value(a) = v
	}
	return nil
}

// Default gives the answers that are open their defaults, where nobody can be asked.
func (a *Answers) Default() {
	if a.Type == "" {
		a.Type = TypeSecret
	}
	for _, q := range questions() {
		if !q.secret && q.fallback != nil && *q.value(a) == "" {
			*q.value(a) = q.fallback(a)
		}
	}
}

// CheckSecret judges the form of a secret that was read from a file or a pipe.
func CheckSecret(text string) (xoauth.Secret, error) {
	s, err := secretForm(nil, strings.TrimSpace(text))
	return xoauth.NewSecret(s), err
}

// Missing lists the flags without which there is no configuration.
func (a *Answers) Missing() []string {
	var list []string
	for _, q := range questions() {
		if q.needed(a) && a.open(q) {
			list = append(list, "--"+q.flag)
		}
	}
	return list
}

func (a *Answers) open(q question) bool {
	if q.secret {
		return a.Secret.Empty()
	}
	return *q.value(a) == ""
}

// guessWay is the way that the cloud offers and that gives the application least.
func guessWay(a *Answers) string {
	if a.Cloud == "" || a.Cloud == "global" {
		return diagnose.WayScoped
	}
	return diagnose.WayAPI
}

// hve reports whether the account is one of High Volume Email.
func (a *Answers) hve() bool { return a.Kind == account.HVE }

// Relayed reports whether another host's agent is the relay, which has the account.
func (a *Answers) Relayed() bool { return a.Kind == account.Relay }

// Values are the answers as the administrator's commands need them.
func (a *Answers) Values() Values {
	return Values{Cloud: a.Cloud, Tenant: a.Tenant, ClientID: a.ClientID, Mailbox: a.Mailbox, CertFile: a.CertFile,
		Way: a.Way, HVE: a.hve()}
}

// changes are the keys to write; a nil value takes the key out. What the present configuration says
// already is left out.
func (a *Answers) changes() []Change {
	old := a.kept
	if old == nil {
		old = &Answers{}
	}
	var list []Change
	// text takes a key out that had a value; optional ones stay where nothing is said of them.
	text := func(key, v, was string) {
		switch {
		case a.kept != nil && v == was:
		case v == "":
			list = append(list, Change{Key: key})
		default:
			list = append(list, Change{Key: key, Value: tomlString(v)})
		}
	}
	text("tenant", a.Tenant, old.Tenant)
	text("client_id", a.ClientID, old.ClientID)
	list = append(list, a.secretChanges(old)...)
	text("mailbox", a.Mailbox, old.Mailbox)
	for _, o := range [...]struct{ key, v, was string }{
		{"kind", a.Kind, old.Kind}, {"way", a.Way, old.Way}, {"root_to", a.RootTo, old.RootTo},
		{"alert_to", a.AlertTo, old.AlertTo},
		{"cloud", a.Cloud, old.Cloud},
	} {
		if o.v != "" {
			text(o.key, o.v, o.was)
		}
	}
	text("credential.type", a.namedType(), old.namedType())
	text("credential.certificate_file", a.CertFile, old.CertFile)
	text("credential.key_file", a.KeyFile, old.KeyFile)
	text("credential.pfx_file", a.PFXFile, old.PFXFile)
	text("credential.passphrase_file", a.PassphraseFile, old.PassphraseFile)
	text("credential.token_file", a.TokenFile, old.TokenFile)
	text("credential.identity_client_id", a.IdentityID, old.IdentityID)
	return append(list, a.Set...)
}

// secretChanges are those of the client secret.
func (a *Answers) secretChanges(old *Answers) []Change {
	date := Change{Key: "secret_expires"}
	if a.SecretExpires != "" {
		date.Value = []byte(a.SecretExpires)
	}
	switch {
	case a.keepsSecret() && date.Value != nil:
		return []Change{date}
	case a.keepsSecret(), a.kept != nil && a.Type == old.Type && a.Type != TypeSecret:
		return nil
	}
	secret, file := Change{Key: "client_secret", Secret: true}, Change{Key: "client_secret_file"}
	if !a.Secret.Empty() {
		secret.Value = assemble.SecretText(a.Secret)
	}
	if a.SecretFile != "" {
		file.Value = tomlString(a.SecretFile)
	}
	list := []Change{file, secret, date}
	if a.kept == nil {
		return list
	}
	// What stood by for the old secret does not stand by for this one.
	return append(list, Change{Key: "client_secret_next", Secret: true}, Change{Key: "client_secret_next_file"})
}

// namedType is credential.type as it is written: a secret needs no word.
func (a *Answers) namedType() string {
	if a.Type == TypeSecret {
		return ""
	}
	return a.Type
}

func tomlString(s string) []byte {
	return []byte(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`)
}

// keep stores an answer that is in form.
func (q *question) keep(a *Answers, text string) {
	if q.secret {
		a.Secret = xoauth.NewSecret(text)
		return
	}
	*q.value(a) = text
}
