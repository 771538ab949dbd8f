package emulator

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
)

// The directory objects that every emulator starts with.
const (
	DefaultTenant   = "6f1e9d1c-5b0a-4c5e-9a53-0c1d7c7b3a10"
	DefaultDomain   = "contoso.test"
	DefaultClientID = "2c1a7c38-8d27-4b0e-b6a4-7f0a4d3f9e21"
	DefaultMailbox  = "noreply@contoso.test"
	DefaultRootTo   = "it@contoso.test"
	// DefaultObjectID is the enterprise application's object id, the right one for
	// New-ServicePrincipal; DefaultRegistrationID is the app registration's, the wrong one.
	DefaultObjectID       = "b7d3f1d2-0c5e-4b58-9f0c-51c7c0a4e6aa"
	DefaultRegistrationID = "f0c6a2e4-3b1d-4d0f-8a0b-6a5f2e9d1c77"
	DefaultSecretID       = "9d0f3e57-6a41-4f6d-b0f8-2f1f6c1b8d33"
	// DefaultIdentityID is the client id of the host's managed identity.
	DefaultIdentityID       = "51b0c3a9-77de-4b6c-8f6e-0f3b1f4d2a68"
	DefaultIdentityObjectID = "c4e8a5f3-2d9b-4e0a-a1f7-93d6b8e2f045"
	// DefaultUser signs in by device code; DefaultPublicClientID is the app for it.
	DefaultUser           = "ada@contoso.test"
	DefaultPublicClientID = "e3a9b7c5-1f60-4d82-9c3e-8b2a4f6d0e19"
	// PersonalTenant is the directory of outlook.com accounts, as Microsoft numbers it.
	PersonalTenant  = "9188040d-6c67-4c5b-b112-36a304b66dad"
	DefaultPersonal = "ada@outlook.test"

	roleSendAsApp = "SMTP.SendAsApp"
	scopeSend     = "SMTP.Send"
	resourceMail  = "https://outlook.office365.com"
	resourceGraph = "https://graph.microsoft.com"
	exchangeAppID = "00000002-0000-0ff1-ce00-000000000000"
)

// newSecretValue makes a client secret that looks like Entra's.
func newSecretValue() string {
	b := make([]byte, 27)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	s := strings.NewReplacer("+", ".", "/", "~").Replace(base64.StdEncoding.EncodeToString(b))
	return s[:3] + "8Q~" + s[3:]
}

// defaultState is a tenant in which everything is done right, both ways: the default
// application has consent and mailbox permissions, and the mailbox may use SMTP AUTH.
func defaultState(secret string, now time.Time) *State {
	on := false
	grant := func() *Grant { return &Grant{} }
	contoso := &Tenant{
		Name: "Contoso", Domains: []string{DefaultDomain, "contoso.onmicrosoft.com"},
		Apps: map[string]*App{
			DefaultClientID: {
				Name: "o365-sendmail", RegistrationID: DefaultRegistrationID, ObjectID: DefaultObjectID,
				Secrets: map[string]*Secret{DefaultSecretID: {Value: secret,
					Expires: now.AddDate(2, 0, 0).UTC().Truncate(time.Second)}},
				Roles: []string{roleSendAsApp},
			},
			DefaultIdentityID: {
				Name: "web1", ObjectID: DefaultIdentityObjectID,
				ManagedIdentity: "system", Roles: []string{roleSendAsApp},
			},
			DefaultPublicClientID: {
				Name: "o365-sendmail (device)", RegistrationID: newGUID(), ObjectID: newGUID(),
				Public: true, Scopes: []string{scopeSend},
			},
		},
		ServicePrincipals: map[string]*ServicePrincipal{
			DefaultClientID:   {ObjectID: DefaultObjectID},
			DefaultIdentityID: {ObjectID: DefaultIdentityObjectID},
		},
		RoleAssignments: map[string]*RoleAssignment{},
		Mailboxes: map[string]*Mailbox{
			DefaultMailbox: {
				Shared: true, SMTPAuthDisabled: &on, MaxSendSize: 35 << 20,
				FullAccess: map[string]*Grant{DefaultObjectID: grant(), DefaultIdentityObjectID: grant(),
					DefaultUser: grant()},
				SendAs: map[string]*Grant{DefaultObjectID: grant(), DefaultIdentityObjectID: grant()},
			},
			// Another mailbox in which the application may work; the default mailbox has
			// no SendAs on it.
			"alerts@contoso.test": {
				Shared: true, SMTPAuthDisabled: &on, MaxSendSize: 35 << 20,
				FullAccess: map[string]*Grant{DefaultObjectID: grant()},
				SendAs:     map[string]*Grant{DefaultObjectID: grant()},
			},
			DefaultRootTo: {MaxSendSize: 35 << 20},
			DefaultUser:   {SMTPAuthDisabled: &on, MaxSendSize: 35 << 20},
		},
		SMTPAuthDisabled: true, // the default of organisations made after January 2020
	}
	personal := &Tenant{
		Name: "Microsoft accounts", Domains: []string{"consumers", "outlook.test"}, Personal: true,
		Apps: map[string]*App{DefaultPublicClientID: {
			Name: "o365-sendmail (device)", ObjectID: newGUID(), Public: true, Scopes: []string{scopeSend},
		}},
		Mailboxes: map[string]*Mailbox{DefaultPersonal: {SMTPAuthDisabled: &on, MaxSendSize: 35 << 20}},
	}
	return &State{
		Tenants: map[string]*Tenant{DefaultTenant: contoso, PersonalTenant: personal},
		Resources: map[string]*Resource{
			resourceMail:                 {Audience: resourceMail, Exchange: true},
			"https://outlook.office.com": {Audience: "https://outlook.office.com", Exchange: true},
			exchangeAppID:                {Audience: exchangeAppID, Exchange: true},
			resourceGraph:                {Audience: resourceGraph},
		},
		Entra: Entra{ExpiresIn: 3599, TokenSize: 1600, DeviceExpires: 900, DeviceInterval: 5},
		Exchange: Exchange{
			Size: 157286400, IdleTimeout: Duration(10 * time.Minute), SessionAge: Duration(time.Hour), MaxErrors: 10,
			MinTLS: "1.2",
		},
		Limits: Limits{
			Connections: 3, ConnectionsAt: "data", RecipientsPerDay: 10000, Recipients: 500, HeaderSize: 256 << 10,
			Repeated: defaultRepeated(),
		},
		Strict: Strict{LineLength: true, EightBit: true, LineEnds: true, NUL: true, Sender: true, Syntax: true},
		Recipients: map[string]string{
			"reject-*":   "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
			"tempfail-*": "451 4.7.0 Temporary server error. Please try again later. PRX4",
		},
	}
}

// defaultRepeated throttles a mailbox for an hour after a hundred equal errors within an hour: assumed, as
// Microsoft tells no numbers.
func defaultRepeated() map[string]*Repeated {
	all := map[string]*Repeated{}
	for kind := range repeatedNumbers {
		all[kind] = &Repeated{After: 100, Within: Duration(time.Hour), For: Duration(time.Hour)}
	}
	return all
}
