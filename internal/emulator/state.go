package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Duration is a time.Duration that JSON shows as "1.5s".
type Duration time.Duration

// MarshalText returns the form that UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the form of time.ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// State is what Microsoft's side looks like. Maps are keyed by the name that an
// administrator would use, so that a JSON merge patch can reach every value.
type State struct {
	// Tenants is keyed by Directory (tenant) ID.
	Tenants map[string]*Tenant `json:"tenants"`
	// Resources are the APIs that a scope can name, keyed by their URI or app id.
	Resources map[string]*Resource `json:"resources"`
	// Issuers holds the JSON Web Key Set of each outside token issuer (workload
	// identity federation), keyed by issuer URL.
	Issuers  map[string]json.RawMessage `json:"issuers,omitempty"`
	Entra    Entra                      `json:"entra"`
	Exchange Exchange                   `json:"exchange"`
	Limits   Limits                     `json:"limits"`
	Strict   Strict                     `json:"strict"`
	Network  Network                    `json:"network"`
	// Recipients gives the reply to RCPT for addresses that match a pattern: a
	// local part with a "*" at the end of it, or a whole address.
	Recipients map[string]string `json:"recipients"`
}

// Tenant is an Entra directory with its Exchange Online organisation.
type Tenant struct {
	Name    string   `json:"name"`
	Domains []string `json:"domains"`
	// Personal marks the directory of outlook.com accounts: no client credentials.
	Personal bool            `json:"personal,omitempty"`
	Apps     map[string]*App `json:"apps"` // by Application (client) ID

	// ServicePrincipals are those of New-ServicePrincipal, by AppId.
	ServicePrincipals map[string]*ServicePrincipal `json:"service_principals"`
	// RoleAssignments are New-ManagementRoleAssignment's of the role
	// "Application SMTP.SendAsApp", by AppId.
	RoleAssignments map[string]*RoleAssignment `json:"role_assignments"`
	Mailboxes       map[string]*Mailbox        `json:"mailboxes"` // by primary address, lower case
	// SMTPAuthDisabled is Set-TransportConfig -SmtpClientAuthenticationDisabled.
	SMTPAuthDisabled bool `json:"smtp_auth_disabled"`
	SecurityDefaults bool `json:"security_defaults"`
	// AuthBlock refuses every sign-in: "criteria" (Conditional Access, authentication
	// policy) or "organization" (organisation configuration).
	AuthBlock string `json:"auth_block,omitempty"`
	// Propagation is how long a change in Exchange needs to work, from its Since.
	Propagation Duration `json:"propagation,omitempty"`
	// Flapping lets every other look at a change succeed while it propagates.
	Flapping bool `json:"flapping,omitempty"`
	// OutboundBlock is the reply to every message at the end of its data, "" for none:
	// tenant and reputation blocks.
	OutboundBlock string `json:"outbound_block,omitempty"`
}

// App is an app registration with its enterprise application (service principal).
type App struct {
	Name           string `json:"name"`
	RegistrationID string `json:"registration_id"` // object id of the app registration: the wrong one for Exchange
	ObjectID       string `json:"object_id"`       // object id of the enterprise application, claim oid
	Disabled       bool   `json:"disabled,omitempty"`
	// NoServicePrincipal: registered, but without an enterprise application.
	NoServicePrincipal bool `json:"no_service_principal,omitempty"`
	// Public allows public client flows (device code).
	Public       bool                   `json:"public,omitempty"`
	Secrets      map[string]*Secret     `json:"secrets,omitempty"`      // by Secret ID
	Certificates map[string]string      `json:"certificates,omitempty"` // name -> PEM
	Federated    map[string]*Federation `json:"federated,omitempty"`    // by name
	// Roles are the application permissions on Exchange Online that have consent.
	Roles []string `json:"roles"`
	// Scopes are the delegated permissions on Exchange Online that have consent.
	Scopes []string `json:"scopes,omitempty"`
	// ManagedIdentity is "", "system" or "user": the identity of this host.
	ManagedIdentity string `json:"managed_identity,omitempty"`
	// Blocked is Conditional Access for workload identities.
	Blocked bool `json:"blocked,omitempty"`
}

// Secret is a client secret.
type Secret struct {
	Value   string    `json:"value"`
	Expires time.Time `json:"expires"` // zero: never
}

// Federation is a federated identity credential.
type Federation struct {
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	Audience string `json:"audience"`
}

// Resource is an API that tokens are issued for.
type Resource struct {
	Audience string `json:"audience"` // claim aud
	Disabled bool   `json:"disabled,omitempty"`
	Exchange bool   `json:"exchange,omitempty"` // roles and scopes of App apply
}

// ServicePrincipal is Exchange Online's own record of an application.
type ServicePrincipal struct {
	ObjectID string    `json:"object_id"`
	Since    time.Time `json:"since,omitzero"`
}

// RoleAssignment is App RBAC: the application may send as the mailboxes in scope.
type RoleAssignment struct {
	All       bool      `json:"all,omitempty"`
	Mailboxes []string  `json:"mailboxes,omitempty"` // addresses in the management scope
	Since     time.Time `json:"since,omitzero"`
}

// Grant is a permission; the zero Since is long ago.
type Grant struct {
	Since time.Time `json:"since,omitzero"`
}

// Mailbox is a mailbox and what is allowed on it.
type Mailbox struct {
	Aliases []string `json:"aliases,omitempty"`
	// Shared mailboxes need no licence.
	Shared     bool `json:"shared,omitempty"`
	Unlicensed bool `json:"unlicensed,omitempty"`
	// SMTPAuthDisabled is Set-CASMailbox -SmtpClientAuthenticationDisabled; nil inherits
	// the tenant's.
	SMTPAuthDisabled *bool `json:"smtp_auth_disabled"`
	// Password lets clients that know no better sign in by AUTH LOGIN, as was allowed once;
	// without one, the default, basic authentication is disabled.
	Password string `json:"password,omitempty"`
	// Volume is set for an account of High Volume Email, which is not a mailbox.
	Volume *VolumeAccount `json:"volume,omitempty"`
	// FullAccess is Add-MailboxPermission: object ids of applications or mailbox addresses.
	FullAccess map[string]*Grant `json:"full_access"`
	// SendAs is Add-RecipientPermission: who may send as this mailbox.
	SendAs map[string]*Grant `json:"send_as"`
	// MaxSendSize is in octets; 0 is no limit.
	MaxSendSize int64 `json:"max_send_size"`
	Full        bool  `json:"full,omitempty"`
	// Restricted: blocked for sending spam.
	Restricted bool `json:"restricted,omitempty"`
}

// Entra are the token endpoint's settings.
type Entra struct {
	ExpiresIn int `json:"expires_in"`           // seconds
	RefreshIn int `json:"refresh_in,omitempty"` // seconds; 0: not sent
	TokenSize int `json:"token_size"`           // octets that an access token has at least, about
	// ClockSkew is how far Microsoft's clock is ahead of ours.
	ClockSkew Duration `json:"clock_skew,omitempty"`
	// OneLine separates the parts of error_description by spaces, as newer servers do.
	OneLine bool `json:"one_line,omitempty"`
	// LoopLimit is how many requests one client may make in 5 minutes before
	// AADSTS50196; 0: no limit.
	LoopLimit int `json:"loop_limit,omitempty"`
	// WrongAudience issues tokens for Microsoft Graph whatever the scope.
	WrongAudience bool `json:"wrong_audience,omitempty"`
	// DeviceUser approves every device code at once, "" waits for ApproveDevice.
	DeviceUser     string `json:"device_user,omitempty"`
	DeviceExpires  int    `json:"device_expires"`  // seconds
	DeviceInterval int    `json:"device_interval"` // seconds
	// KeepRefreshToken sends no new refresh token with a refresh.
	KeepRefreshToken bool `json:"keep_refresh_token,omitempty"`
	// Federation2022 answers every federated mismatch with AADSTS70021 and 400.
	Federation2022 bool `json:"federation_2022,omitempty"`
	// ManagedIdentityDown answers IMDS requests with 410 (being updated).
	ManagedIdentityDown bool `json:"managed_identity_down,omitempty"`
}

// Exchange are the SMTP front end's settings.
type Exchange struct {
	Size int64 `json:"size"` // of the SIZE extension, octets
	// Without removes extensions from the EHLO reply, by keyword.
	Without []string `json:"without,omitempty"`
	// Tarpit delays the reply to a failed AUTH and to an unknown command; 5 s at Microsoft.
	Tarpit Duration `json:"tarpit,omitempty"`
	// IdleTimeout and SessionAge end a session.
	IdleTimeout Duration `json:"idle_timeout"`
	SessionAge  Duration `json:"session_age"`
	// MaxErrors is how many protocol errors (500, 501, 503, 504, 535) end a session; 0: any.
	MaxErrors int `json:"max_errors"`
	// MinTLS is "1.2" or "1.3"; an older handshake works and AUTH then gets 421 4.7.66.
	MinTLS string `json:"min_tls"`
	// HighVolume is the front end of High Volume Email, which takes only its own accounts.
	HighVolume bool `json:"high_volume,omitempty"`
	// ForeignBanner greets as some other mail server.
	ForeignBanner bool `json:"foreign_banner,omitempty"`
	// ChallengeErrors sends a 334 with JSON before the 535 of a failed XOAUTH2, as Gmail
	// does; Exchange Online does not.
	ChallengeErrors bool `json:"challenge_errors,omitempty"`
	// BDAT, a reply, refuses every chunk; "silent" takes chunks and answers none.
	BDAT string `json:"bdat,omitempty"`
	// BDATUnread leaves the chunks of a refused BDAT where they are, and takes them for commands.
	BDATUnread bool `json:"bdat_unread,omitempty"`
	// Mangle8Bit damages 8-bit text parts of a multipart that came from an application (MailKit 1999).
	Mangle8Bit bool `json:"mangle_8bit,omitempty"`
	// ShortSendAsDenied uses the older text without addresses.
	ShortSendAsDenied bool `json:"short_send_as_denied,omitempty"`
}

// Limits are Exchange Online's limits of sending; 0 is no limit.
type Limits struct {
	Connections int `json:"connections"` // at once, per mailbox
	// ConnectionsAt is where one too many shows: "auth", "mail" or "data" (end of data).
	ConnectionsAt string `json:"connections_at"`
	// OldConnectionText uses the wording of before 2021.
	OldConnectionText bool `json:"old_connection_text,omitempty"`
	PerMinute         int  `json:"per_minute"` // messages, per mailbox; Microsoft's is 30
	// DelayPerMinute holds the reply back for messages above PerMinute instead of a refusal.
	DelayPerMinute   bool  `json:"delay_per_minute,omitempty"`
	RecipientsPerDay int   `json:"recipients_per_day"`
	Recipients       int   `json:"recipients"` // per message
	HeaderSize       int64 `json:"header_size"`
	// Repeated is continuous-error throttling, by the kind of error in Microsoft's words:
	// "mailbox full", "send as denied", "invalid license", "too many recipients", "invalid
	// recipients". A kind that is not there throttles nobody.
	Repeated map[string]*Repeated `json:"repeated,omitempty"`
}

// Repeated says when equal errors throttle a mailbox: the After-th within Within has every
// message refused for For, right ones included. Microsoft tells neither of the three.
type Repeated struct {
	After  int      `json:"after"`
	Within Duration `json:"within"`
	For    Duration `json:"for"`
}

// Strict are the refusals of what Exchange Online is not known to refuse itself, but
// some server behind it does.
type Strict struct {
	LineLength bool `json:"line_length"` // lines over 998 octets
	EightBit   bool `json:"eight_bit"`   // octets over 127 without BODY=8BITMIME or SMTPUTF8
	LineEnds   bool `json:"line_ends"`   // bare CR or LF, in the message and after commands
	NUL        bool `json:"nul"`
	Sender     bool `json:"sender"` // MAIL FROM must be an address that the mailbox may use, or empty
	Syntax     bool `json:"syntax"` // space after "FROM:" and "TO:", unknown parameters
}

// Network are the faults below SMTP and HTTP.
type Network struct {
	SMTPClosed  bool `json:"smtp_closed,omitempty"`  // connection refused
	TokenClosed bool `json:"token_closed,omitempty"` // connection refused
	// SMTPCert and TokenCert: "" good, "untrusted", "expired", "wrong-name".
	SMTPCert  string `json:"smtp_cert,omitempty"`
	TokenCert string `json:"token_cert,omitempty"`
	// OldTLS offers TLS 1.0 and 1.1 only.
	OldTLS bool `json:"old_tls,omitempty"`
}

// clone copies a state by way of JSON, which it has to survive anyway.
func (s *State) clone() *State {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("emulator: state does not encode: %v", err))
	}
	c := new(State)
	if err := json.Unmarshal(b, c); err != nil {
		panic(fmt.Sprintf("emulator: state does not decode: %v", err))
	}
	return c
}

// Tenant finds a tenant by id or domain; nil if there is none.
func (s *State) Tenant(name string) *Tenant {
	_, t := s.tenant(name)
	return t
}

func (s *State) tenant(name string) (id string, t *Tenant) {
	for id, t := range s.Tenants {
		if strings.EqualFold(id, name) {
			return id, t
		}
		for _, d := range t.Domains {
			if strings.EqualFold(d, name) {
				return id, t
			}
		}
	}
	return "", nil
}

// App finds an application by client id in any tenant; nil if there is none.
func (s *State) App(clientID string) *App {
	for _, t := range s.Tenants {
		if a := t.Apps[strings.ToLower(clientID)]; a != nil {
			return a
		}
	}
	return nil
}

// Mailbox finds a mailbox by primary address in any tenant; nil if there is none.
func (s *State) Mailbox(address string) *Mailbox {
	for _, t := range s.Tenants {
		if m := t.Mailboxes[strings.ToLower(address)]; m != nil {
			return m
		}
	}
	return nil
}

// mailbox finds a mailbox by primary address or alias.
func (t *Tenant) mailbox(address string) (primary string, m *Mailbox) {
	address = strings.ToLower(address)
	if m := t.Mailboxes[address]; m != nil {
		return address, m
	}
	for primary, m := range t.Mailboxes {
		for _, a := range m.Aliases {
			if strings.EqualFold(a, address) {
				return primary, m
			}
		}
	}
	return "", nil
}

// exists reports whether there is a mailbox behind the directory entry.
func (m *Mailbox) exists() bool { return m != nil && (m.Shared || !m.Unlicensed) }
