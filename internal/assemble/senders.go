package assemble

import (
	"slices"
	"strings"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/intake"
)

// named are the sender addresses and patterns that the configuration names.
func named(c *config.Config) []string {
	all := append([]string{c.Mailbox}, c.From.SendAs...)
	for _, m := range c.From.Map {
		all = append(all, m.To)
	}
	return all
}

// senders says which senders the administrator chose.
func senders(c *config.Config) deliver.Senders {
	all := named(c)
	return deliver.Senders{Keep: c.From.Policy == intake.PolicyKeep, Match: func(addr string) (listed, exact bool) {
		for _, p := range all {
			if strings.EqualFold(p, addr) {
				return true, true
			}
			listed = listed || intake.Match(p, addr)
		}
		return listed, false
	}}
}

// domains are the organization's, as far as the configuration tells: those of every address that it sends as or
// signs in as. A pattern counts when its domain is whole.
func domains(c *config.Config) (all []string) {
	addrs := named(c)
	for _, mailbox := range c.From.SignAs {
		addrs = append(addrs, mailbox)
	}
	for _, a := range addrs {
		_, domain, _ := strings.Cut(strings.ToLower(a), "@")
		if domain != "" && !strings.Contains(domain, "*") && !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	return all
}
