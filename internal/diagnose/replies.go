package diagnose

// Remedies that several rows share.
const (
	enableSMTPAuth = "Set-CASMailbox -Identity <mailbox> -SmtpClientAuthenticationDisabled $false"
	testScope      = "Test-ServicePrincipalAuthorization -Identity <client id> -Resource <mailbox> must show " +
		"InScope True"
	checkConsent = "the permission SMTP.SendAsApp must have admin consent (Entra admin center > App " +
		"registrations > your " +
		"app > API permissions)"
	checkApp = "Get-ServicePrincipal | fl AppId,ObjectId must show the enterprise application's object id (else " +
		"New-ServicePrincipal -AppId <client id> -ObjectId <object id>), and <mailbox> must be a mailbox; " +
		"changes take up to 2 h"
	registerScoped = testScope + "; " + checkApp
	registerAPI    = checkConsent + "; " + checkApp
	registerApp    = "with the scoped role, " + testScope + "; with the API permission, " + checkConsent +
		"; " + checkApp
	grantAPI = "Add-MailboxPermission -Identity <mailbox> -User <object id of the enterprise application> " +
		"-AccessRights FullAccess (and Add-RecipientPermission -Identity <mailbox> -Trustee <object id> " +
		"-AccessRights " +
		"SendAs); changes take up to 2 h"
	removeConsent = "remove the permission SMTP.SendAsApp (Entra admin center > App registrations > your app > API " +
		"permissions): it asks for permissions on the mailbox that the scoped role does without; changes take up to 2 h"
	grantMailbox = "with the API permission, " + grantAPI + "; with the scoped role, " + removeConsent
	allowSender  = "send as <mailbox>, or Add-RecipientPermission -Identity <the From address> -Trustee <mailbox> " +
		"-AccessRights SendAs"
	useXOAUTH2 = "sign in with XOAUTH2: a password can't be used here"
	waitADay   = "wait up to 24 h; more volume needs more mailboxes or, inside the organization only, High Volume Email"
	waitTenant = "wait up to 24 h; Get-LimitsEnforcementStatus shows the tenant's limit"
	hveAccess  = "Add-HVEAppAccess -Identity <mailbox> -AppIds <object id of the enterprise application>"
	hveConsent = "Entra, API permissions: add Mail.Send of Office 365 Exchange Online as an application " +
		"permission, and " +
		"grant admin consent"
	billHVE = "Get-HVEAccountBillingPolicy -Identity <mailbox> must show BillingPolicyValid (else " +
		"Set-HVEAccountBillingPolicy -Identity <mailbox> -BillingPolicyId <id of the billing policy>)"
	registerHVE = hveConsent + "; " + hveAccess + "; " + billHVE
	hveAccount  = "check that mailbox (now <mailbox>) is the High Volume Email account, and that smtp.host is the " +
		"host of High Volume Email"
	emptyMailbox = "Set-Mailbox -Identity <mailbox> -MessageCopyForSMTPClientSubmissionEnabled $false, and " +
		"empty Sent Items"
	assignLicence = "Microsoft 365 admin center: give <mailbox> an Exchange Online licence, or Set-Mailbox -Identity " +
		"<mailbox> -Type Shared"
	unblock = "Microsoft Defender portal, Email & collaboration, Restricted entities: unblock <mailbox>; " +
		"else open a ticket with Microsoft support"
)

// What an agent says as the relay of other hosts (agent.remote_auth).
const (
	certificateRefused = "the relay does not take this host's certificate"
	renewCertificate   = "put a certificate for clients of the authority that the relay trusts at " +
		"credential.certificate_file and its key at key_file; o365-sendmail doctor shows when it expires"
	renewList = "the relay's administrator renews the file of agent.client_crl_file"
)

// sendAsWords are the words of a refused sender, as alternatives.
const sendAsWords = "sendasdenied|not allowed to send as|permissions to send as this sender"

// replies holds every reply of Exchange Online that is known to mean something, the
// more exact rows first. It is plain data that the linker lays out: nothing runs at start.
//
// Sources: Microsoft's pages "How to authenticate an IMAP, POP or SMTP application by
// using OAuth", "Fix issues with printers, scanners, and LOB applications", "Improvements
// in SMTP client submission", "Non-delivery reports in Exchange Online"; public logs.
var replies = [...]row{
	{code: 421, enhanced: "4.7.0", text: "can't be looked up: ", means: Diagnosis{Class: Configuration,
		Key: "revocation-list", Cause: "the relay can't tell whether this host's certificate is revoked",
		Remedy: renewList}},
	{code: 421, enhanced: "4.7.0", text: "client certificate ", means: Diagnosis{Class: Configuration,
		Key: KeyClientCertificate, Cause: certificateRefused, Remedy: renewCertificate}},
	// Sign-in. The words count more than the command: a client that goes on after a
	// failed AUTH gets them inside a 530, too.
	{text: "smtpclientauthentication is disabled for the tenant", means: Diagnosis{Class: Configuration,
		Key:   "smtp-auth-disabled-tenant",
		Cause: "SMTP AUTH is switched off for the tenant and not switched on for the mailbox", Remedy: enableSMTPAuth}},
	{text: "smtpclientauthentication is disabled for the mailbox", means: Diagnosis{Class: Configuration,
		Key:   "smtp-auth-disabled-mailbox",
		Cause: "SMTP AUTH is switched off for the mailbox", Remedy: enableSMTPAuth}},
	{text: "security defaults policy", means: Diagnosis{Class: Configuration, Key: "security-defaults",
		Cause: "the tenant's security defaults forbid SMTP AUTH",
		Remedy: "let the application sign in (a certificate or a client secret), not a person; " +
			"if it does, Entra's sign-in logs name the policy; " +
			"security defaults need not be disabled for an application"}},
	{text: "did not meet the criteria", means: Diagnosis{Class: Configuration, Key: "access-policy", RefreshToken: true,
		Cause: "a Conditional Access or authentication policy forbids this sign-in",
		Remedy: "Entra admin center, Conditional Access, policies for workload identities: exclude this application " +
			"or add this machine's address to the named location; " +
			"and check Exchange's Get-AuthenticationPolicy"}},
	{text: "organization configuration doesn't allow", means: Diagnosis{Class: Configuration,
		Key:    "organization-policy",
		Cause:  "the organization's configuration forbids this sign-in",
		Remedy: "check the organization's authentication policies; for High Volume Email, " + hveAccess}},
	{text: "basic authentication is disabled|user credentials were incorrect|federated sts ",
		means: Diagnosis{Class: Configuration, Key: "basic-auth",
			Cause: "the server took the sign-in for a password login", Remedy: useXOAUTH2}},
	{enhanced: "5.7.30", means: Diagnosis{Class: Configuration, Key: "basic-auth-retired",
		Cause: "basic authentication is no longer supported", Remedy: useXOAUTH2}},
	{text: "basic authentication is not supported for client submission", means: Diagnosis{Class: Configuration,
		Key:   "basic-auth-retired",
		Cause: "basic authentication is no longer supported", Remedy: useXOAUTH2}},
	{enhanced: "5.5.124", means: userNotValid},
	{text: "address provided is not valid", means: userNotValid},
	{enhanced: "5.5.121 5.5.122 5.5.123 5.5.125 5.5.126", means: Diagnosis{Class: Configuration, Key: "xoauth2-form",
		Cause: "the server can't read the sign-in", Remedy: hveAccount}},
	{code: 535, enhanced: "5.7.142 5.7.143", means: tokenExpired},
	{enhanced: "5.7.143", means: tokenExpired},
	{enhanced: "5.7.144", means: Diagnosis{Class: Configuration, Key: "hve-permission", RefreshToken: true,
		Cause: "the token has no permission for High Volume Email", Remedy: hveConsent}},
	{enhanced: "5.7.240", means: Diagnosis{Class: Configuration, Key: "hve-app-access",
		Cause: "the application is not allowed to use this High Volume Email account", Remedy: hveAccess}},
	{enhanced: "5.2.240", means: Diagnosis{Class: Configuration, Key: "hve-not-an-account",
		Cause: "the mailbox is no High Volume Email account", Remedy: hveAccount}},
	{enhanced: "5.5.127", means: Diagnosis{Class: Configuration, Key: "token-refused", RefreshToken: true,
		Cause: "the server does not accept the access token", Remedy: registerApp}},
	{code: 535, enhanced: "5.7.139", means: Diagnosis{Class: Configuration, Key: "sign-in-forbidden",
		RefreshToken: true,
		Cause:        "a policy forbids this sign-in",
		Remedy:       enableSMTPAuth + "; and check the tenant's authentication policies"}},
	{code: 535, enhanced: "5.7.3", means: Diagnosis{Class: Configuration, Key: "sign-in-refused", RefreshToken: true,
		Cause: "the token is not accepted for this mailbox: permission or consent missing, application not " +
			"registered in Exchange, or not a mailbox", Remedy: registerApp}},
	{phase: phaseAuth, code: 504, means: mechanismRefused},
	{enhanced: "5.7.4", text: "unrecognized authentication type", means: mechanismRefused},
	{enhanced: "5.7.57", means: notAuthenticated},
	{text: "not authenticated to send", means: notAuthenticated},

	// The way there.
	{enhanced: "4.7.66", means: oldTLS},
	{text: "tls 1.0 and 1.1 are not supported", means: oldTLS},
	{text: "invalid domain name", means: Diagnosis{Class: Configuration, Key: "ehlo-name",
		Cause:  "the server does not take the name by which this machine greets it",
		Remedy: "set smtp.ehlo_name to a full host name, as web1.contoso.com"}},
	{text: "starttls is required", means: Diagnosis{Class: Configuration, Key: "starttls-required",
		Cause:  "the server saw no STARTTLS",
		Remedy: "look for a firewall that inspects SMTP and allow port 587 unmodified"}},
	{code: 421, text: "submission rate for this client", means: Diagnosis{Class: AccountTemporary, Key: KeyMessageRate,
		Cause: "the mailbox has sent its messages of this minute",
		Remedy: "give each host a mailbox of its own, or lower delivery.messages_per_minute on the hosts that send " +
			"as <mailbox>"}},
	{code: 421, means: Diagnosis{Class: Temporary, Key: "service-closing", Cause: "the server ends the session"}},

	// The account: pauses every message of the mailbox.
	{code: 432, means: Diagnosis{Class: AccountTemporary, Key: "too-many-connections",
		Cause:  "more than 3 connections send as this mailbox at once",
		Remedy: "give each host a mailbox of its own, or lower delivery.connections"}},
	{text: "submissionquotaexceeded|submission quota was exceeded", means: Diagnosis{Class: AccountTemporary,
		Key:   "submission-quota",
		Cause: "the mailbox has used up its 10,000 recipients of 24 h", Remedy: waitADay}},
	{enhanced: "5.1.90", means: Diagnosis{Class: AccountTemporary, Key: "recipient-quota",
		Cause: "the mailbox has used up its daily recipient limit", Remedy: waitADay}},
	{enhanced: "5.7.232 5.7.233", means: Diagnosis{Class: AccountTemporary, Key: "tenant-external-quota",
		Cause: "the tenant has used up its daily limit of external recipients", Remedy: waitTenant}},
	{code: 5, enhanced: "5.7.236", means: Diagnosis{Class: AccountTemporary, Key: KeyOutsideQuota,
		Cause: "mail from addresses below onmicrosoft.com goes to 100 recipients outside the organization in 24 h, " +
			"for all of its mailboxes together",
		Remedy: "give <mailbox> an address in a domain of your own (Microsoft 365 admin center, Settings, Domains)"}},
	{code: 5, enhanced: "5.1.8", means: Diagnosis{Class: AccountTemporary, Key: "sender-restricted",
		Cause: "the mailbox is barred from sending because of suspected spam", Remedy: unblock}},
	{enhanced: "5.7.501 5.7.502 5.7.503", means: Diagnosis{Class: AccountTemporary, Key: "sender-banned",
		Cause: "Microsoft blocks the sender because of suspected spam", Remedy: unblock}},
	{enhanced: "5.7.705", means: Diagnosis{Class: AccountTemporary, Key: "tenant-blocked",
		Cause: "the tenant has sent too much suspected spam and is blocked", Remedy: unblock}},
	{enhanced: "5.7.708", means: Diagnosis{Class: AccountTemporary, Key: "address-blocked",
		Cause:  "mail from this machine's address is not accepted, as for new and trial tenants",
		Remedy: "open a ticket with Microsoft support; a trial tenant needs a paid licence"}},
	{enhanced: "5.7.750", means: Diagnosis{Class: Configuration, Key: "domain-not-registered",
		Cause:  "the sender's domain is not registered in the tenant",
		Remedy: "Microsoft 365 admin center, Settings, Domains: add the domain of <mailbox>"}},

	// The mailbox and the sender. Most are only found out at the end of the data.
	{text: "mailbox logon failure|mapiexceptionlogonfailed", means: Diagnosis{Class: Configuration,
		Key:   "mailbox-permission",
		Cause: "the application has signed in but has no permission on the mailbox", Remedy: grantMailbox}},
	{text: sendAsWords, means: sendAsDenied},
	{enhanced: "5.2.252 5.7.60", means: sendAsDenied},
	{enhanced: "5.7.62", means: Diagnosis{Class: Configuration, Key: KeyHVEMailFrom,
		Cause:  "a High Volume Email account sends under its own address only, and MAIL FROM is another",
		Remedy: "send as <mailbox>"}},
	{enhanced: "5.6.241", means: Diagnosis{Class: Configuration, Key: KeyHVEFrom,
		Cause:  "a High Volume Email account sends under its own address only, and the From field has another",
		Remedy: "send as <mailbox>"}},
	{text: "invalid license|invalidlicense|invalid licence|license is not valid|no valid license|not licensed",
		means: Diagnosis{Class: Configuration, Key: KeyLicence,
			Cause: "the mailbox has no valid licence", Remedy: assignLicence}},
	{text: "mapiexceptionshutoffquotaexceeded|storedrv.submission.exception:quotaexceeded", means: mailboxFull},
	{code: 554, enhanced: "5.2.2", text: "mailbox full", means: mailboxFull},
	{enhanced: "5.5.105", means: Diagnosis{Class: Configuration, Key: "hve-internal-only",
		Cause:  "a High Volume Email account can only send inside the organization",
		Remedy: "send external mail through smtp.office365.com or Azure Communication Services"}},

	// The message.
	{text: "mapiexceptionmaxsubmissionexceeded|messagesubmissionexceeded",
		means: Diagnosis{Class: Permanent, Key: "message-over-mailbox-limit",
			Cause:  "the message is larger than the mailbox may send",
			Remedy: "Set-Mailbox -Identity <mailbox> -MaxSendSize 150MB"}},
	{enhanced: "5.6.211", means: fieldTooLong},
	{text: "single text value size", means: fieldTooLong},
	{enhanced: "5.3.4", text: "header size", means: Diagnosis{Class: Permanent, Key: "header-too-large",
		Cause: "the header is larger than the server takes"}},
	{text: "message size exceeds|maximum message size|message too large", code: 5, means: tooLarge},
	{code: 5, enhanced: "5.3.4", means: tooLarge},
	{enhanced: "5.1.20", means: Diagnosis{Class: Permanent, Key: "from-without-sender",
		Cause: "the message has several From addresses and no Sender"}},
	{enhanced: "5.7.512", means: Diagnosis{Class: Permanent, Key: "from-missing",
		Cause: "the message has no valid From header"}},
	{enhanced: "5.6.11", means: Diagnosis{Class: Permanent, Key: "bare-lf",
		Cause: "a server on the way does not take bare line feeds"}},

	{code: 5, text: "hop count exceeded|too many hops|mail loop|routing loop",
		means: Diagnosis{Class: Permanent, Key: "mail-loop",
			Cause: "the message runs in a circle"}},

	// Recipients.
	{enhanced: "5.2.121 5.2.122", means: Diagnosis{Class: Temporary, Key: "recipient-rate",
		Cause: "the recipient gets more mail an hour than allowed"}},
	{phase: phaseRcpt, code: 452, means: tooManyRecipients},
	// RFC 5321 4.5.3.1.10: a 552 to RCPT is to be read as 452, unless it says otherwise.
	{phase: phaseRcpt, code: 552, enhanced: "4.5.3 5.5.3", means: tooManyRecipients},
	{phase: phaseRcpt, code: 552, text: "too many recipients", means: tooManyRecipients},

	// Known to pass.
	{phase: phaseAuth, code: 4, means: Diagnosis{Class: Temporary, Key: "sign-in-unavailable",
		Cause: "the server can't check sign-ins now"}},
}

// Meanings that several rows share.
var (
	mechanismRefused = Diagnosis{Class: Configuration, Key: "mechanism-refused",
		Cause:  "the server does not take this kind of sign-in",
		Remedy: "check smtp.host: Exchange Online offers XOAUTH2"}
	notAuthenticated = Diagnosis{Class: Configuration, Key: "not-authenticated",
		Cause: "the session is not signed in", Remedy: "check smtp.host and that AUTH succeeds"}
	oldTLS = Diagnosis{Class: Configuration, Key: "tls-too-old",
		Cause:  "the server takes TLS 1.2 or newer only",
		Remedy: "look for a proxy or a local policy that holds TLS below 1.2"}
	userNotValid = Diagnosis{Class: Configuration, Key: "user-not-valid",
		Cause:  "the server does not know the address that signs in",
		Remedy: "correct mailbox (now <mailbox>) in the configuration"}
	tokenExpired = Diagnosis{Class: Temporary, Key: KeyTokenExpired, RefreshToken: true,
		Cause: "the access token has expired or is about to", Remedy: "check this machine's clock"}
	fieldTooLong = Diagnosis{Class: Permanent, Key: "header-field-too-long",
		Cause: "a header field is longer than the server takes (32,768 bytes)"}
	tooLarge = Diagnosis{Class: Permanent, Key: "message-too-large",
		Cause: "the message is larger than the server takes"}
	sendAsDenied = Diagnosis{Class: Configuration, Key: KeySendAsDenied,
		Cause: "the signed-in mailbox may not send as the message's From address", Remedy: allowSender}
	mailboxFull = Diagnosis{Class: Configuration, Key: KeyMailboxFull,
		Cause: "the sending mailbox is full, most likely of sent items", Remedy: emptyMailbox}
	tooManyRecipients = Diagnosis{Class: Temporary, Key: "too-many-recipients",
		Cause: "the server takes no more recipients with this message"}
)
