package emulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is one thing that is wrong, alone: a step of the set-up left undone, a limit
// reached, a service in trouble. Faults are set on top of State, so that ending one
// brings back exactly what was there.
type Fault struct {
	Name string `json:"name"`
	// Summary says what is wrong, in an administrator's words.
	Summary string `json:"summary"`
	// Stage is where it shows: connect, token, claims, ehlo, starttls, tls, auth, mail, rcpt,
	// bdat, dot, kept (in the message that arrives).
	Stage string `json:"stage"`
	// Shows is how the reply begins: an SMTP reply, "AADSTS..." or an HTTP status. ""
	// means that it is not a reply (a closed port, a certificate, a claim).
	Shows string `json:"shows,omitempty"`
	// Unconfirmed says what of the reply no public record shows for this service; "" when the
	// text is in a log or on a page of Microsoft's.
	Unconfirmed string `json:"unconfirmed,omitempty"`

	change func(*Emulator, *State)
	rules  []Rule
}

// Faults lists all faults in the order of a delivery. SetFault puts one in force.
func Faults() []Fault {
	return slices.Concat(networkFaults(), entraFaults(), signInFaults(), passwordFaults(), volumeSignInFaults(),
		submissionFaults(),
		accountFaults(), messageFaults(), chunkFaults(), volumeFaults())
}

// findFault returns the zero Fault for a name that is none.
func findFault(name string) Fault {
	for _, f := range Faults() {
		if f.Name == name {
			return f
		}
	}
	return Fault{}
}

// SetFault puts a fault in force, in addition to those that are. Setting it twice is
// the same as once.
func (e *Emulator) SetFault(name string) error {
	f := findFault(name)
	if f.Name == "" {
		return fmt.Errorf("emulator: no fault is named %q", name)
	}
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	if slices.Contains(e.active, name) {
		return nil
	}
	e.active = append(e.active, name)
	e.mu.Lock()
	for _, r := range f.rules {
		r.fault = name
		r.Reply = strings.ReplaceAll(r.Reply, "{mailbox}", e.Mailbox)
		e.rules = append(e.rules, &r)
	}
	e.mu.Unlock()
	return e.applyLocked()
}

// ClearFault ends a fault; one that is not set is not an error.
func (e *Emulator) ClearFault(name string) error {
	return e.clearFaults(func(active string) bool { return active == name })
}

// ClearFaults ends all faults.
func (e *Emulator) ClearFaults() error { return e.clearFaults(func(string) bool { return true }) }

func (e *Emulator) clearFaults(which func(string) bool) error {
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	e.active = slices.DeleteFunc(e.active, which)
	e.mu.Lock()
	e.rules = slices.DeleteFunc(e.rules, func(r *Rule) bool { return r.fault != "" && which(r.fault) })
	e.mu.Unlock()
	return e.applyLocked()
}

// ActiveFaults names the faults in force.
func (e *Emulator) ActiveFaults() []string {
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	return slices.Clone(e.active)
}

// parts are what most faults change.
type parts struct {
	e      *Emulator
	s      *State
	tenant *Tenant
	app    *App
	box    *Mailbox
}

// on makes a change from one that wants the default tenant, app and mailbox. What an
// earlier change has removed is not changed any more.
func on(change func(p parts)) func(*Emulator, *State) {
	return func(e *Emulator, s *State) {
		t := s.Tenant(e.Tenant)
		if t == nil {
			return
		}
		p := parts{e, s, t, t.Apps[e.ClientID], t.Mailboxes[strings.ToLower(e.Mailbox)]}
		if p.app != nil && p.box != nil {
			change(p)
		}
	}
}

// setting makes a change of the state alone.
func setting(change func(*State)) func(*Emulator, *State) {
	return func(_ *Emulator, s *State) { change(s) }
}

func networkFaults() []Fault {
	return []Fault{
		{Name: "token-closed", Stage: "token", Summary: "nothing listens at the login host",
			change: setting(func(s *State) { s.Network.TokenClosed = true })},
		{Name: "token-untrusted", Stage: "token", Summary: "the login host's certificate is of an unknown authority " +
			"(a proxy that opens TLS)",
			change: setting(func(s *State) { s.Network.TokenCert = "untrusted" })},
		{Name: "token-hang", Stage: "token", Summary: "the login host takes the request and says nothing",
			rules: []Rule{{Stage: "token", Then: Stall}}},
		{Name: "token-reset", Stage: "token", Summary: "the login host's connection breaks",
			rules: []Rule{{Stage: "token", Then: Reset}}},
		{Name: "token-500", Stage: "token", Shows: "500", Summary: "the login host answers 500 with an HTML page",
			rules: []Rule{{Stage: "token", Status: 500, Header: map[string]string{"Content-Type": "text/html"},
				Body: "<html><head><title>Service error</title></head><body>We are working on it.</body></html>"}}},
		{Name: "token-503", Stage: "token", Shows: "503", Summary: "the login host is unavailable",
			rules: []Rule{{Stage: "token", Status: 503,
				Header: map[string]string{"Content-Type": "text/html; charset=us-ascii", "Retry-After": "10"},
				Body: "<!DOCTYPE HTML><HTML><HEAD><TITLE>Service Unavailable</TITLE></HEAD><BODY><h2>Service " +
					"Unavailable</h2></BODY></HTML>"}}},
		{Name: "token-429", Stage: "token", Shows: "429", Summary: "too many token requests",
			rules: []Rule{{Stage: "token", Status: 429,
				Header: map[string]string{"Content-Type": "text/plain", "Retry-After": "60"},
				Body:   "Too Many Requests"}}},
		{Name: "token-not-json", Stage: "token", Shows: "200",
			Summary: "a captive portal answers in place of the login host",
			rules: []Rule{{Stage: "token", Status: 200, Header: map[string]string{"Content-Type": "text/html"},
				Body: "<html>Please accept the terms</html>"}}},
		{Name: "token-truncated", Stage: "token", Summary: "the login host's answer ends in the middle",
			rules: []Rule{{Stage: "token", Status: 200, Then: Close,
				Header: map[string]string{"Content-Type": "application/json"},
				Body:   `{"token_type":"Bearer","expires_in":3599,"access_tok`}}},
		{Name: "smtp-closed", Stage: "connect", Summary: "nothing listens at port 587",
			change: setting(func(s *State) { s.Network.SMTPClosed = true })},
		{Name: "smtp-silent", Stage: "connect", Summary: "port 587 connects and says nothing (a firewall)",
			rules: []Rule{{Stage: "connect", Then: Stall}}},
		{Name: "smtp-reset", Stage: "connect", Summary: "port 587 resets connections",
			rules: []Rule{{Stage: "connect", Then: Reset}}},
		{Name: "smtp-busy", Stage: "connect", Shows: "421 4.3.2 Service not active",
			Summary: "the front end is being drained",
			rules: []Rule{{Stage: "connect", Reply: "421 4.3.2 Service not active " +
				"[AM0PR00CA0001.eurprd00.prod.outlook.com]"}}},
		{Name: "smtp-foreign", Stage: "connect", Shows: "220 mail.example.test ESMTP Postfix",
			Summary: "another mail server answers at port 587",
			change:  setting(func(s *State) { s.Exchange.ForeignBanner = true })},
		{Name: "starttls-stripped", Stage: "starttls", Shows: "500 5.3.3 Unrecognized command 'STARTTLS'",
			Summary: "a firewall takes STARTTLS out of the dialogue",
			change:  setting(func(s *State) { s.Exchange.Without = append(s.Exchange.Without, "STARTTLS") })},
		{Name: "tls-untrusted", Stage: "tls", Summary: "the mail host's certificate is of an unknown authority",
			change: setting(func(s *State) { s.Network.SMTPCert = "untrusted" })},
		{Name: "tls-expired", Stage: "tls", Summary: "the mail host's certificate has expired",
			change: setting(func(s *State) { s.Network.SMTPCert = "expired" })},
		{Name: "tls-wrong-name", Stage: "tls", Summary: "the mail host's certificate is for another name",
			change: setting(func(s *State) { s.Network.SMTPCert = "wrong-name" })},
		{Name: "tls-old", Stage: "tls", Summary: "the mail host speaks TLS 1.0 and 1.1 only",
			change: setting(func(s *State) { s.Network.OldTLS = true })},
		{Name: "tls-broken", Stage: "tls", Summary: "the connection breaks in the TLS handshake",
			rules: []Rule{{Stage: "tls", Then: Reset}}},
	}
}

func entraFaults() []Fault {
	return []Fault{
		{Name: "tenant-unknown", Stage: "token", Shows: "AADSTS90002", Summary: "no such tenant",
			change: func(e *Emulator, s *State) {
				if id, t := s.tenant(e.Tenant); t != nil {
					t.Domains = nil
					rename(s.Tenants, id, "00000000-0000-4000-8000-000000000001")
				}
			}},
		{Name: "app-unknown", Stage: "token", Shows: "AADSTS700016", Summary: "no such application in the tenant",
			change: on(func(p parts) { delete(p.tenant.Apps, p.e.ClientID) })},
		{Name: "app-no-service-principal", Stage: "token", Shows: "AADSTS7000229",
			Summary: "the application has no enterprise application",
			change:  on(func(p parts) { p.app.NoServicePrincipal = true })},
		{Name: "app-disabled", Stage: "token", Shows: "AADSTS7000112",
			Summary: "the enterprise application is disabled",
			change:  on(func(p parts) { p.app.Disabled = true })},
		{Name: "secret-wrong", Stage: "token", Shows: "AADSTS7000215", Summary: "the client secret is another one",
			change: on(func(p parts) {
				for _, s := range p.app.Secrets {
					s.Value += "x"
				}
			})},
		{Name: "secret-expired", Stage: "token", Shows: "AADSTS7000222", Summary: "the client secret has expired",
			change: on(func(p parts) {
				for _, s := range p.app.Secrets {
					s.Expires = p.e.now().Add(-time.Hour)
				}
			})},
		{Name: "certificate-unknown", Stage: "token", Shows: "AADSTS700027",
			Summary: "the certificate is not uploaded (for a client that signs in by certificate)",
			change:  on(func(p parts) { p.app.Certificates = nil })},
		{Name: "federation-issuer", Stage: "token", Shows: "AADSTS700211",
			Summary: "the federated credential is for another issuer (for a client that signs in by federation)",
			change:  federation(func(f *Federation) { f.Issuer += "/" })},
		{Name: "federation-audience", Stage: "token", Shows: "AADSTS700212",
			Summary: "the federated credential is for another audience",
			change:  federation(func(f *Federation) { f.Audience += "/" })},
		{Name: "federation-subject", Stage: "token", Shows: "AADSTS700213",
			Summary: "the federated credential is for another subject",
			change:  federation(func(f *Federation) { f.Subject += "-2" })},
		{Name: "resource-missing", Stage: "token", Shows: "AADSTS500011", Summary: "the tenant has no Exchange Online",
			change: setting(func(s *State) { delete(s.Resources, resourceMail) })},
		{Name: "resource-disabled", Stage: "token", Shows: "AADSTS500014",
			Summary: "Exchange Online is disabled in the tenant (licences lapsed)",
			change: setting(func(s *State) {
				s.Resources[resourceMail] = &Resource{Audience: resourceMail, Exchange: true, Disabled: true}
			})},
		{Name: "conditional-access", Stage: "token", Shows: "AADSTS53003",
			Summary: "Conditional Access blocks this address",
			change:  on(func(p parts) { p.app.Blocked = true })},
		{Name: "token-loop", Stage: "token", Shows: "AADSTS50196",
			Summary: "the client asks in a loop (from the second request within 5 minutes)",
			change:  setting(func(s *State) { s.Entra.LoopLimit = 1 })},
		{Name: "clock-ahead", Stage: "claims", Summary: "the host's clock is an hour behind Microsoft's",
			change: setting(func(s *State) { s.Entra.ClockSkew = Duration(time.Hour) })},
		{Name: "clock-behind", Stage: "claims", Summary: "the host's clock is an hour ahead of Microsoft's",
			change: setting(func(s *State) { s.Entra.ClockSkew = Duration(-time.Hour) })},
		{Name: "token-wrong-audience", Stage: "auth", Shows: replyAuthFailed,
			Summary: "the token is for Microsoft Graph",
			change:  setting(func(s *State) { s.Entra.WrongAudience = true })},
		{Name: "token-short", Stage: "claims", Summary: "tokens live for 10 minutes",
			change: setting(func(s *State) { s.Entra.ExpiresIn = 600 })},
		{Name: "token-large", Stage: "claims", Summary: "tokens have 8 kB",
			change: setting(func(s *State) { s.Entra.TokenSize = 8 << 10 })},
		{Name: "identity-missing", Stage: "token", Shows: "400", Summary: "the host has no managed identity",
			change: func(_ *Emulator, s *State) {
				for _, t := range s.Tenants {
					for _, a := range t.Apps {
						a.ManagedIdentity = ""
					}
				}
			}},
	}
}

func federation(change func(*Federation)) func(*Emulator, *State) {
	return on(func(p parts) {
		for _, f := range p.app.Federated {
			change(f)
		}
	})
}
