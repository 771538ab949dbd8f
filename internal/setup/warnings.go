package setup

import "strings"

// What is to be said of a sender below onmicrosoft.com (5.7.236; Microsoft 365 message center, 2025-08).
const (
	OnMicrosoftLimit = "mail from addresses below onmicrosoft.com goes to 100 recipients outside the organization " +
		"in 24 h, for all of its mailboxes together"
	OnMicrosoftRemedy = "give the mailbox an address in a domain of your own: Microsoft 365 admin center, " +
		"Settings, Domains"
)

// BelowOnMicrosoft reports whether an address is in a domain that Microsoft gives to new tenants.
func BelowOnMicrosoft(address string) bool {
	return strings.HasSuffix(strings.TrimSuffix(strings.ToLower(address), "."), ".onmicrosoft.com")
}

// Warnings are lines about answers that work, but not as one might think.
func Warnings(a *Answers) []string {
	if a.hve() { // nothing of it goes outside
		return outsiders(a)
	}
	if BelowOnMicrosoft(a.Mailbox) {
		return []string{a.Mailbox + ": " + OnMicrosoftLimit + "; " + OnMicrosoftRemedy}
	}
	return nil
}

// outsiders are the addresses for which an account of High Volume Email is perhaps no way.
func outsiders(a *Answers) []string {
	_, own, _ := strings.Cut(a.Mailbox, "@")
	var list []string
	for _, o := range [...]struct{ key, address string }{{"root_to", a.RootTo}, {"alert_to", a.AlertTo}} {
		if _, domain, ok := strings.Cut(o.address, "@"); ok && !strings.EqualFold(domain, own) {
			list = append(list, o.key+" = "+o.address+": High Volume Email sends inside the organization only; "+
				"the domain "+
				"must be one of the organization's")
		}
	}
	return list
}
