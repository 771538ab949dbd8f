package xoauth

import "strings"

// Cloud names the public hosts of one Microsoft cloud.
type Cloud struct {
	// Name is the word used in configuration: global, gcc-high, dod, china.
	Name string
	// LoginHost is the host of the token endpoint.
	LoginHost string
	// Scope is what an application asks for to send mail (client credentials).
	Scope string
	// SMTPHost and SMTPPort take client submission; STARTTLS only.
	SMTPHost string
	SMTPPort int
}

// LookupCloud finds a cloud by its name, in any case. The names "" and "gcc"
// mean the worldwide cloud, which serves GCC too.
//
// Login hosts: learn.microsoft.com/entra/identity-platform/authentication-national-cloud.
// The DoD row has no page of Microsoft behind it, so callers let users override each host.
func LookupCloud(name string) (Cloud, bool) {
	switch strings.ToLower(name) {
	case "", "global", "gcc":
		return Cloud{"global", "login.microsoftonline.com", "https://outlook.office365.com/.default",
			"smtp.office365.com", 587}, true
	case "gcc-high":
		return Cloud{"gcc-high", "login.microsoftonline.us", "https://outlook.office365.us/.default",
			"smtp.office365.us", 587}, true
	case "dod":
		return Cloud{"dod", "login.microsoftonline.us", "https://outlook-dod.office365.us/.default",
			"outlook-dod.office365.us", 587}, true
	case "china":
		return Cloud{"china", "login.partner.microsoftonline.cn", "https://partner.outlook.cn/.default",
			"smtp.partner.outlook.cn", 587}, true
	}
	return Cloud{}, false
}

// CloudNames lists the names that LookupCloud knows, without synonyms.
func CloudNames() []string { return []string{"global", "gcc-high", "dod", "china"} }

// DelegatedScope is what a person's sign-in asks for (device code): permission to
// send as that person, and a refresh token.
// Source: learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth.
func (c Cloud) DelegatedScope() string {
	if c.Name == "global" {
		return "https://outlook.office.com/SMTP.Send offline_access"
	}
	return strings.TrimSuffix(c.Scope, ".default") + "SMTP.Send offline_access"
}
