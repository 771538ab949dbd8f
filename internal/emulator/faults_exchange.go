package emulator

import (
	"strings"
	"time"
)

func signInFaults() []Fault {
	off := true
	return []Fault{
		{Name: "consent-missing", Stage: "auth", Shows: replyAuthFailed,
			Summary: "SMTP.SendAsApp has no admin consent, or was never added",
			change:  on(func(p parts) { p.app.Roles = nil })},
		{Name: "sp-missing", Stage: "auth", Shows: replyAuthFailed, Summary: "New-ServicePrincipal was not run",
			change: on(func(p parts) { delete(p.tenant.ServicePrincipals, p.e.ClientID) })},
		{Name: "sp-wrong-object-id", Stage: "auth", Shows: replyAuthFailed,
			Summary: "New-ServicePrincipal was run with the app registration's object id",
			change: on(func(p parts) {
				p.tenant.ServicePrincipals[p.e.ClientID] = &ServicePrincipal{ObjectID: p.app.RegistrationID}
			})},
		{Name: "sp-propagating", Stage: "auth", Shows: replyAuthFailed,
			Summary: "New-ServicePrincipal was run a minute ago",
			change: on(func(p parts) {
				p.tenant.Propagation = Duration(2 * time.Hour)
				p.tenant.ServicePrincipals[p.e.ClientID] = &ServicePrincipal{ObjectID: p.app.ObjectID,
					Since: p.e.now().Add(-time.Minute)}
			})},
		{Name: "sp-flapping", Stage: "auth", Shows: replyAuthFailed,
			Summary: "the service principal is there at every other sign-in (the first fails)",
			change: on(func(p parts) {
				p.tenant.Propagation, p.tenant.Flapping = Duration(2*time.Hour), true
				p.tenant.ServicePrincipals[p.e.ClientID] = &ServicePrincipal{ObjectID: p.app.ObjectID,
					Since: p.e.now().Add(-time.Minute)}
			})},
		{Name: "mailbox-missing", Stage: "auth", Shows: replyAuthFailed, Summary: "there is no such mailbox",
			change: on(func(p parts) { delete(p.tenant.Mailboxes, strings.ToLower(p.e.Mailbox)) })},
		{Name: "mailbox-unlicensed", Stage: "auth", Shows: replyAuthFailed,
			Summary: "the user has no Exchange Online licence, so no mailbox",
			change:  on(func(p parts) { p.box.Shared, p.box.Unlicensed = false, true })},
		{Name: "rbac-out-of-scope", Stage: "auth", Shows: replyAuthFailed,
			Summary: "App RBAC: the mailbox is not in the management scope",
			change: on(func(p parts) {
				p.app.Roles = nil
				p.box.FullAccess = nil
				p.tenant.RoleAssignments[p.e.ClientID] = &RoleAssignment{Mailboxes: []string{"alerts@contoso.test"}}
			})},
		{Name: "rbac-propagating", Stage: "auth", Shows: replyAuthFailed,
			Summary: "App RBAC: the role was assigned a minute ago",
			change: on(func(p parts) {
				p.app.Roles = nil
				p.tenant.Propagation = Duration(2 * time.Hour)
				p.tenant.RoleAssignments[p.e.ClientID] = &RoleAssignment{All: true, Since: p.e.now().Add(-time.Minute)}
			})},
		{Name: "smtp-auth-tenant", Stage: "auth", Shows: replyAuthTenantOff,
			Summary: "SMTP AUTH is off for the tenant and the mailbox inherits it",
			change:  on(func(p parts) { p.tenant.SMTPAuthDisabled, p.box.SMTPAuthDisabled = true, nil })},
		{Name: "smtp-auth-mailbox", Stage: "auth", Shows: replyAuthBoxOff, Summary: "SMTP AUTH is off for the mailbox",
			change: on(func(p parts) { p.tenant.SMTPAuthDisabled, p.box.SMTPAuthDisabled = false, &off })},
		{Name: "security-defaults", Unconfirmed: "seen with passwords only", Stage: "auth", Shows: replyAuthDefaults,
			Summary: "security defaults are on",
			change:  on(func(p parts) { p.tenant.SecurityDefaults = true })},
		{Name: "auth-policy", Unconfirmed: "seen with passwords only", Stage: "auth", Shows: replyAuthCriteria,
			Summary: "Conditional Access or an authentication policy forbids the sign-in",
			change:  on(func(p parts) { p.tenant.AuthBlock = "criteria" })},
		{Name: "auth-organization", Stage: "auth", Shows: replyAuthOrg,
			Summary: "the organisation's configuration forbids the sign-in",
			change:  on(func(p parts) { p.tenant.AuthBlock = "organization" })},
		{Name: "auth-retired", Stage: "auth", Shows: "550 5.7.30 Basic authentication is not supported for Client " +
			"Submission.", Summary: "Basic authentication has been retired",
			rules: []Rule{{Stage: "auth", Reply: "550 5.7.30 Basic authentication is not supported for Client " +
				"Submission."}}},
		{Name: "auth-hve", Stage: "auth", Shows: "501 5.5.124 Invalid XOAUTH2 auth data",
			Summary: "High Volume Email: user= is no HVE account",
			rules: []Rule{{Stage: "auth", Reply: "501 5.5.124 Invalid XOAUTH2 auth data - User address provided " +
				"is not valid."}}},
		{Name: "auth-tls-old", Stage: "auth", Shows: "421 4.7.66 TLS 1.0 and 1.1 are not supported.",
			Summary: "TLS 1.2 is taken for too old",
			rules: []Rule{{Stage: "auth", Reply: "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please " +
				"upgrade/update your client to support TLS 1.2. Visit https://aka.ms/smtp_auth_tls. " +
				"[AM0PR00CA0001.eurprd00.prod.outlook.com]"}}},
		{Name: "auth-not-active", Stage: "auth", Shows: "421 4.3.2 Service not active",
			Summary: "the server is being drained",
			rules: []Rule{{Stage: "auth", Reply: "421 4.3.2 Service not active " +
				"[AM0PR00CA0001.eurprd00.prod.outlook.com]"}}},
		{Name: "auth-proxy", Stage: "auth", Shows: "451 4.7.0 Temporary server error. Please try again later. PRX4",
			Summary: "the front end can't reach its back end",
			rules: []Rule{{Stage: "auth", Reply: "451 4.7.0 Temporary server error. Please try again later. PRX4 " +
				"[AM0PR00CA0001.eurprd00.prod.outlook.com]"}}},
		{Name: "auth-challenge", Stage: "auth", Shows: "334 eyJ",
			Summary: "the same as consent-missing, but the failure comes as a challenge first, as Gmail does it",
			change:  on(func(p parts) { p.app.Roles, p.s.Exchange.ChallengeErrors = nil, true })},
		{Name: "auth-not-offered", Stage: "auth", Shows: "504 5.7.4 Unrecognized authentication type",
			Summary: "the server offers no AUTH",
			change:  setting(func(s *State) { s.Exchange.Without = append(s.Exchange.Without, "AUTH") })},
	}
}

func submissionFaults() []Fault {
	dot := func(name, reply, summary string) Fault { return refusal(name, "dot", reply, summary, "") }
	block := func(name, reply, summary string) Fault {
		return Fault{Name: name, Stage: "dot", Shows: reply, Summary: summary,
			Unconfirmed: "seen in reports, after 250",
			change:      on(func(p parts) { p.tenant.OutboundBlock = reply })}
	}
	return []Fault{
		{Name: "size-small", Unconfirmed: "the text is of Exchange Server", Stage: "mail", Shows: replySize,
			Summary: "the server takes 1 MB only (for a message that is larger)",
			change:  setting(func(s *State) { s.Exchange.Size = 1000000 })},
		{Name: "connections-used", Stage: "dot", Shows: "432 4.3.2 Concurrent connections limit exceeded.",
			Summary: "others use up the mailbox's connections",
			rules: []Rule{{Stage: "dot", Reply: "432 4.3.2 Concurrent connections limit exceeded. Visit " +
				"https://aka.ms/concurrent_sending for more information. " +
				"[Hostname=AM0PR00MB0001.eurprd00.prod.outlook.com]"}}},
		{Name: "connections-used-auth", Stage: "auth", Shows: "432 4.3.2 Concurrent connections limit exceeded.",
			Summary: "others use up the mailbox's connections, and it shows at once",
			rules: []Rule{{Stage: "auth", Reply: "432 4.3.2 Concurrent connections limit exceeded. Visit " +
				"https://aka.ms/concurrent_sending for more information. " +
				"[Hostname=AM0PR00MB0001.eurprd00.prod.outlook.com]"}}},
		dot("connections-used-old", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
			"the same in the words of before 2021"),
		{Name: "rate-exceeded", Unconfirmed: "the text is of Exchange Server", Stage: "dot", Shows: replyPerMinute,
			Summary: "30 messages within the minute are sent already",
			rules:   []Rule{{Stage: "dot", Reply: replyPerMinute}}},
		{Name: "recipients-few", Unconfirmed: "the text is assumed", Stage: "rcpt",
			Shows: "452 4.5.3 Too many recipients", Summary: "one recipient per message (for a message with more)",
			change: setting(func(s *State) { s.Limits.Recipients = 1 })},
		{Name: "quota-exceeded", Stage: "dot",
			Shows:   "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
			Summary: "10 000 recipients within the day",
			rules:   []Rule{{Stage: "dot", Reply: replyQuota + " [Hostname=AM0PR00MB0001.eurprd00.prod.outlook.com]"}}},
		{Name: "full-access-missing", Stage: "dot", Shows: replyNoLogon, Summary: "Add-MailboxPermission was not run",
			change: on(func(p parts) { p.box.FullAccess = nil })},
		{Name: "full-access-wrong-id", Stage: "dot", Shows: replyNoLogon,
			Summary: "Add-MailboxPermission was run for the app registration's object id",
			change:  on(func(p parts) { p.box.FullAccess = map[string]*Grant{p.app.RegistrationID: {}} })},
		{Name: "full-access-propagating", Stage: "dot", Shows: replyNoLogon,
			Summary: "Add-MailboxPermission was run a minute ago",
			change: on(func(p parts) {
				p.tenant.Propagation = Duration(2 * time.Hour)
				p.box.FullAccess = map[string]*Grant{p.app.ObjectID: {Since: p.e.now().Add(-time.Minute)}}
			})},
		{Name: "rbac-with-consent", Stage: "dot", Shows: replyNoLogon,
			Summary: "App RBAC, but the Entra permission is still there and brings the mailbox check back",
			change: on(func(p parts) {
				p.tenant.RoleAssignments[p.e.ClientID] = &RoleAssignment{All: true}
				p.box.FullAccess = nil
			})},
		{Name: "send-as-denied", Stage: "dot", Shows: "554 5.2.252 SendAsDenied;",
			Summary: "the sender's address is another mailbox's (it belongs to nobody in this tenant)",
			rules: []Rule{{Stage: "dot", Reply: "554 5.2.252 SendAsDenied; {mailbox} not allowed to send as " +
				"root@web1.contoso.test; " +
				"STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process " +
				"message due to a permanent exception with message [BeginDiagnosticData]Cannot submit message. " +
				"[EndDiagnosticData] [Hostname=AM0PR00MB0001.eurprd00.prod.outlook.com]"}}},
		dot("send-as-denied-old",
			"554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to "+
				"process message due to a permanent exception with message [BeginDiagnosticData]Cannot submit "+
				"message. [EndDiagnosticData]", "the same in the older words"),
		{Name: "send-as-mail-from", Unconfirmed: "logs are of Exchange Server", Stage: "mail",
			Shows:   "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
			Summary: "the same at MAIL",
			rules: []Rule{{Stage: "mail",
				Reply: "550 5.7.60 SMTP; Client does not have permissions to send as this sender"}}},
		{Name: "mailbox-full", Stage: "dot", Shows: "554 5.2.2 mailbox full;",
			Summary: "Sent Items has filled the mailbox",
			change:  on(func(p parts) { p.box.Full = true })},
		{Name: "send-size", Unconfirmed: "the code before the text is assumed", Stage: "dot", Shows: replySendSize,
			Summary: "the mailbox may send 100 octets only",
			change:  on(func(p parts) { p.box.MaxSendSize = 100 })},
		{Name: "header-size", Stage: "dot", Shows: replyHeaderSize, Summary: "headers may have 50 octets only",
			change: setting(func(s *State) { s.Limits.HeaderSize = 50 })},
		{Name: "sender-restricted", Unconfirmed: "seen in reports, after 250", Stage: "dot", Shows: replyRestricted,
			Summary: "the mailbox is blocked from sending",
			change:  on(func(p parts) { p.box.Restricted = true })},
		block("recipient-limit", "550 5.1.90 Your message can't be sent because you've reached your daily limit for "+
			"message recipients", "the day's recipients are used up, in the words of an NDR"),
		block("tenant-spam", "550 5.7.501 Access denied, spam abuse detected", "the sender is banned for spam"),
		block("tenant-banned", "550 5.7.502 Access denied, banned sender", "the sender is banned"),
		block("tenant-banned-again", "550 5.7.503 Access denied, banned sender",
			"the sender is banned, with the other number"),
		block("tenant-trial", "550 5.7.232 - Your message can't be sent because your trial tenant has exceeded its "+
			"daily limit for sending email to external recipients", "a trial tenant's limit of external recipients"),
		block("tenant-threshold", "550 5.7.705 Access denied, tenant has exceeded threshold",
			"the tenant has sent too much"),
		block("tenant-traffic", "550 5.7.708 Access denied, traffic not accepted from this IP",
			"a new or trial tenant"),
		block("tenant-external", "550 5.7.233 - Your message can't be sent because your tenant has exceeded its "+
			"daily limit for sending email to external recipients (tenant external recipient rate limit)",
			"the tenant's limit of external recipients"),
		block("tenant-domain", "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains",
			"the From domain is not registered in the tenant"),
		dot("dot-temporary", "451 4.3.111 Temporary server error. Please try again later MRH1",
			"a hiccup at the end of the data"),
		{Name: "dot-lost", Stage: "dot", Summary: "the message is taken, and the connection breaks before the " +
			"reply (once)",
			rules: []Rule{{Stage: "dot", Then: Close, Keep: true, First: 1}}},
		{Name: "dot-broken", Stage: "dot", Summary: "the connection breaks at the end of the message, which is " +
			"lost (once)",
			rules: []Rule{{Stage: "dot", Then: Reset, First: 1}}},
		{Name: "recipient-unknown", Unconfirmed: "no refusal at RCPT is on record; the text is that of a report",
			Stage: "rcpt", Shows: "550 5.1.10 RESOLVER.ADR.RecipientNotFound;", Summary: "no recipient exists",
			rules: []Rule{{Stage: "rcpt", Reply: "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by " +
				"SMTP address lookup"}}},
		{Name: "session-lost", Unconfirmed: "seen on the MX host", Stage: "mail",
			Shows: "421 4.4.1 Connection timed out.", Summary: "the server ends an old session at the next MAIL (once)",
			rules: []Rule{{Stage: "mail", Reply: "421 4.4.1 Connection timed out. Total session duration: 00:20:55",
				First: 1}}},
	}
}
