// Package account holds what is fixed for each kind of account that can send by SMTP: its hosts, its limits
// and what it asks of the application. It is a table and has no state.
package account

import "strings"

// The kinds of account, as the key kind names them.
const (
	Mailbox = "mailbox" // a mailbox of Exchange Online
	HVE     = "hve"     // an account of High Volume Email
	Relay   = "relay"   // no account: another host's agent, which knows this one by its certificate
)

// SendAsApp is the application permission for a mailbox of Exchange Online, and part of the scoped role's name.
const SendAsApp = "SMTP.SendAsApp"

// Kind is one row of the table. A limit of 0 is none.
type Kind struct {
	Name string // Mailbox, HVE or Relay
	// Host is the relay's, "" where the cloud has it; Hosts are all names of it that are known, in lower case.
	Host  string
	Hosts []string
	// Connections at once, messages in a minute, recipients in 24 hours, recipients and bytes of one message.
	Connections, MessagesPerMinute, RecipientsPerDay, MaxRecipients int
	MaxSize                                                         int64
	// Role is the application permission of Office 365 Exchange Online that lets a token in.
	Role string
	// OwnAddressOnly is set where MAIL FROM and From must be the account's; else SendAs allows others.
	OwnAddressOnly bool
	// InsideOnly is set where recipients must be in the organization.
	InsideOnly bool
	// TokenEndsSession is set where a session must not outlast the token that it signed in with (535 5.7.143).
	TokenEndsSession bool
}

// kinds is the table. Sources: learn.microsoft.com, "Exchange Online limits" (sending limits), "Fix issues with
// printers, scanners, and LOB applications" (3 connections, 30 messages a minute), "High Volume Email for
// Microsoft 365" and "OAuth authentication for High Volume Email". No page names a number of connections for High
// Volume Email, so it has the mailbox's.
var kinds = [...]Kind{
	{
		Name: Mailbox, Hosts: []string{"smtp.office365.com", "smtp.office365.us", "outlook-dod.office365.us",
			"smtp.partner.outlook.cn"},
		Connections: 3, MessagesPerMinute: 30, RecipientsPerDay: 10000, MaxRecipients: 500, MaxSize: 150 << 20,
		Role: SendAsApp,
	},
	{
		Name: HVE, Host: "smtp.hve.mx.microsoft", Hosts: []string{"smtp.hve.mx.microsoft", "smtp-hve.office365.com"},
		Connections: 3, MaxRecipients: 50, MaxSize: 10 << 20,
		Role: "Mail.Send", OwnAddressOnly: true, InsideOnly: true, TokenEndsSession: true,
	},
	// The relay keeps to the mailbox's rates, for all its hosts.
	{Name: Relay, Connections: 3, MaxRecipients: 500, MaxSize: 150 << 20},
}

// Of returns the kind of that name; any other name is Mailbox.
func Of(name string) *Kind {
	for i := range kinds {
		if kinds[i].Name == name {
			return &kinds[i]
		}
	}
	return &kinds[0]
}

// Way is how the application was allowed to send: the one way of the kind, or what was told (the key way).
func (k *Kind) Way(told string) string {
	if k.Name == HVE || k.Name == Relay {
		return k.Name
	}
	return told
}

// At names the kind that a relay serves, "" when the host is none that is known.
func At(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for i := range kinds {
		for _, h := range kinds[i].Hosts {
			if h == host {
				return kinds[i].Name
			}
		}
	}
	return ""
}
