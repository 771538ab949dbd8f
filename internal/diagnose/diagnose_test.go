package diagnose

import (
	"strings"
	"testing"
)

// TestReply quotes replies as they were found in public logs and on Microsoft's pages.
func TestReply(t *testing.T) {
	t.Parallel()
	const tag = " [MN2PR05CA0004.namprd05.prod.outlook.com 2023-09-12T20:59:57.214Z 08DBB276B7E699C4]"
	tests := []struct {
		phase    string
		code     int
		enhanced string
		text     string
		class    Class
		key      string
		refresh  bool
		remedy   string // must be part of Advice
	}{
		{"auth", 535, "5.7.3",
			"Authentication unsuccessful [AM0PR02CA0134.eurprd02.prod.outlook.com 2024-07-11T11:46:49.042Z " +
				"08DCA18218166FB4]", Configuration, "sign-in-refused", true, "New-ServicePrincipal"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. " +
			"Visit https://aka.ms/smtp_auth_disabled for more information." + tag, Configuration,
			"smtp-auth-disabled-tenant", false,
			"Set-CASMailbox -Identity noreply@contoso.com -SmtpClientAuthenticationDisabled $false"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. " +
			"Visit https://aka.ms/smtp_auth_disabled for more information." + tag, Configuration,
			"smtp-auth-disabled-mailbox", false, "Set-CASMailbox -Identity noreply@contoso.com"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, user is locked by your organization's security " +
			"defaults policy. Contact your administrator." + tag, Configuration, "security-defaults", false,
			"security defaults"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, the request did not meet the criteria to be " +
			"authenticated successfully. Contact your administrator." + tag, Configuration, "access-policy", true,
			"Conditional Access"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, the organization configuration doesn't allow this " +
			"authentication request." + tag, Configuration, "organization-policy", false, "Add-HVEAppAccess"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, basic authentication is disabled. " +
			"[MW4PR04CA0237 2024-10-04T15:33:06.965Z 08DCE442F5AF553A]", Configuration, "basic-auth", false, "XOAUTH2"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, the user credentials were incorrect." + tag,
			Configuration, "basic-auth", false, "XOAUTH2"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, federated STS service was unreachable.", Configuration,
			"basic-auth", false, "XOAUTH2"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, the federated STS URL does not support HTTPS.",
			Configuration, "basic-auth", false, "XOAUTH2"},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, something new.", Configuration, "sign-in-forbidden",
			true, "Set-CASMailbox"},
		{"auth", 535, "5.7.8", "Error: authentication failed", Configuration, "session-refused", true, ""},
		{"auth", 550, "5.7.30", "Basic authentication is not supported for Client Submission.", Configuration,
			"basic-auth-retired", false, "XOAUTH2"},
		{"auth", 550, "", "Basic authentication is not supported for Client Submission.", Configuration,
			"basic-auth-retired", false, "XOAUTH2"},
		{"auth", 501, "5.5.124", "Invalid XOAUTH2 auth data - User address provided is not valid.", Configuration,
			"user-not-valid", false, "noreply@contoso.com"},
		{"auth", 501, "5.5.127", "Invalid XOAUTH2 auth data - token is not valid.", Configuration,
			"token-refused", true, ""},
		{"auth", 504, "5.7.4", "Unrecognized authentication type [ME2PR01CA0084 2025-10-09T08:34:00.456Z " +
			"08DE05E7CF894786]", Configuration, "mechanism-refused", false, "smtp.host"},
		{"auth", 421, "4.3.2", "Service not active [TYAPR01CA0229.jpnprd01.prod.outlook.com]", Temporary,
			"service-closing", false, ""},
		{"auth", 421, "4.7.66", "TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS " +
			"1.2. Visit https://aka.ms/smtp_auth_tls. [...]", Configuration, "tls-too-old", false, "TLS"},
		{"auth", 451, "4.7.0", "Temporary server error. Please try again later. PRX4 [...]", Temporary,
			"sign-in-unavailable", false, ""},
		{"auth", 454, "4.7.0", "Temporary authentication failure", Temporary, "sign-in-unavailable", false, ""},
		{"auth", 500, "5.5.2", "what?", Configuration, "session-refused", false, ""},
		{"greeting", 554, "5.7.1", "not you", Configuration, "session-refused", false, "smtp.host"},
		{"starttls", 454, "4.7.0", "TLS not available due to temporary reason", Temporary,
			"other-temporary", false, ""},
		{"mail", 451, "5.7.3", "STARTTLS is required to send mail [SG2PR02CA0073.apcprd02.prod.outlook.com " +
			"2024-07-24T03:43:18.298Z 08DCAB6EB788477A]", Configuration, "starttls-required", false, "firewall"},
		{"mail", 530, "5.7.57", "Client not authenticated to send mail. [...]", Configuration,
			"not-authenticated", false, ""},
		{"mail", 530, "", "5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
			Configuration, "not-authenticated", false, ""},
		{"mail", 530, "5.7.57", "Client not authenticated to send mail. Error: 535 5.7.139 Authentication " +
			"unsuccessful, SmtpClientAuthentication is disabled for the Tenant.", Configuration,
			"smtp-auth-disabled-tenant", false, "Set-CASMailbox"},
		{"body", 430, "4.2.0",
			"STOREDRV; mailbox logon failure; " +
				"STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed; " +
				"Failed to process message due to a transient exception with message [BeginDiagnosticData]Cannot " +
				"open mailbox. Server = X", Configuration, "mailbox-permission", false,
			"Add-MailboxPermission -Identity noreply@contoso.com"},
		{"body", 554, "5.2.252",
			"SendAsDenied; a@x not allowed to send as b@y; " +
				"STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; " +
				"Failed to process message due to a permanent exception with message [BeginDiagnosticData]Cannot " +
				"submit message.", Configuration, "send-as-denied", false, "Add-RecipientPermission"},
		{"body", 554, "5.2.0", "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed",
			Configuration, "send-as-denied", false, "-Trustee noreply@contoso.com"},
		{"mail", 550, "5.7.60", "SMTP; Client does not have permissions to send as this sender", Configuration,
			"send-as-denied", false, ""},
		{"body", 550, "5.1.20", "Multiple From addresses are not allowed without Sender address", Permanent,
			"from-without-sender", false, ""},
		{"body", 432, "4.3.2", "Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for " +
			"more information. [Hostname=OS0PR01MB6099.jpnprd01.prod.outlook.com]", AccountTemporary,
			"too-many-connections", false, "delivery.connections"},
		{"body", 432, "4.3.2", "STOREDRV.ClientSubmit; sender thread limit exceeded [Hostname=X]", AccountTemporary,
			"too-many-connections", false, ""},
		{"auth", 432, "4.3.2", "Concurrent connections limit exceeded.", AccountTemporary,
			"too-many-connections", false, ""},
		{"body", 554, "5.2.0", "STOREDRV.Submission.Exception:SubmissionQuotaExceededException; " +
			"The message can't be submitted because the sender's submission quota was exceeded", AccountTemporary,
			"submission-quota", false, "24 h"},
		{"body", 554, "5.2.2",
			"mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
			Configuration, "mailbox-full", false,
			"Set-Mailbox -Identity noreply@contoso.com -MessageCopyForSMTPClientSubmissionEnabled $false"},
		{"body", 554, "5.2.2",
			"mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionQuotaExceeded",
			Configuration, "mailbox-full", false, ""},
		{"body", 554, "", "MapiExceptionMaxSubmissionExceeded; Message size exceeds maximum size limit.; " +
			"STOREDRV.Submission.Exception:MessageSubmissionExceededException.MapiExceptionMaxSubmissionExceeded",
			Permanent, "message-over-mailbox-limit", false, "-MaxSendSize"},
		{"body", 552, "5.3.4", "Header size exceeds fixed maximum size", Permanent, "header-too-large", false, ""},
		{"mail", 552, "5.3.4", "Message size exceeds fixed maximum message size", Permanent,
			"message-too-large", false, ""},
		{"body", 451, "4.3.111", "Temporary server error. Please try again later MRH1 [Hostname=X]", Temporary,
			"other-temporary", false, ""},
		{"mail", 421, "4.4.1", "Connection timed out. Total session duration: 00:20:55", Temporary,
			"service-closing", false, ""},
		{"body", 421, "4.4.2", "Message submission rate for this client has exceeded the configured limit",
			AccountTemporary, "message-rate", false, "delivery.messages_per_minute"},
		{"mail", 421, "4.4.2", "Connection dropped due to TimedOut", Temporary, "service-closing", false, ""},
		{"mail", 550, "5.1.8", "Access denied, bad outbound sender", AccountTemporary, "sender-restricted", false,
			"Restricted entities"},
		{"body", 550, "5.1.90", "Your message can't be sent because you've reached your daily limit for message " +
			"recipients", AccountTemporary, "recipient-quota", false, ""},
		{"body", 550, "5.7.501", "Access denied, spam abuse detected", AccountTemporary, "sender-banned", false, ""},
		{"body", 550, "5.7.502", "Access denied, banned sender", AccountTemporary, "sender-banned", false, ""},
		{"body", 550, "5.7.503", "Access denied, banned sender", AccountTemporary, "sender-banned", false, ""},
		{"body", 550, "5.7.705", "Access denied, tenant has exceeded threshold", AccountTemporary,
			"tenant-blocked", false, ""},
		{"mail", 550, "5.7.708", "Access denied, traffic not accepted from this IP", AccountTemporary,
			"address-blocked", false, "support"},
		{"body", 550, "5.7.232", "- Your message can't be sent because your trial tenant has exceeded its daily limit",
			AccountTemporary, "tenant-external-quota", false, ""},
		{"body", 550, "5.7.233", "- Your message can't be sent because your tenant has exceeded its daily limit for " +
			"sending email to external recipients (tenant external recipient rate limit)", AccountTemporary,
			"tenant-external-quota", false, ""},
		{"body", 550, "5.7.750", "Service unavailable. Client blocked from sending from unregistered domains",
			Configuration, "domain-not-registered", false, ""},
		{"body", 550, "5.7.512", "Access denied, message must be RFC 5322 section 3.6.2 compliant", Permanent,
			"from-missing", false, ""},
		{"body", 550, "5.6.11", "SMTPSEND.BareLinefeedsAreIllegal", Permanent, "bare-lf", false, ""},
		{"rcpt", 550, "5.2.121", "The recipient's hourly message receive limit exceeded", Temporary,
			"recipient-rate", false, ""},
		{"rcpt", 550, "5.2.122", "The recipient has exceeded their limit for the number of messages they can receive " +
			"per hour", Temporary, "recipient-rate", false, ""},
		{"rcpt", 550, "5.5.105", "External sending is not supported for High Volume Email accounts", Configuration,
			"hve-internal-only", false, ""},
		{"rcpt", 550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; Recipient x@y not found", Permanent,
			"recipient-refused", false, ""},
		{"rcpt", 501, "5.1.3", "Invalid address", Permanent, "recipient-refused", false, ""},
		{"rcpt", 452, "4.5.3", "Too many recipients", Temporary, "too-many-recipients", false, ""},
		{"rcpt", 552, "", "Too many recipients", Temporary, "too-many-recipients", false, ""},
		{"rcpt", 552, "5.5.3", "no more", Temporary, "too-many-recipients", false, ""},
		{"rcpt", 552, "5.2.2", "mailbox full", Permanent, "recipient-refused", false, ""},
		{"rcpt", 451, "4.7.0", "Temporary server error. Please try again later.", Temporary,
			"other-temporary", false, ""},
		// High Volume Email.
		{"auth", 501, "5.5.121", "Invalid XOAUTH2 auth data", Configuration, "xoauth2-form", false, "smtp.host"},
		{"auth", 501, "5.5.126", "Invalid XOAUTH2 auth data", Configuration, "xoauth2-form", false,
			"noreply@contoso.com"},
		{"auth", 501, "5.5.122", "Invalid XOAUTH2 auth data - User address provided is not valid.", Configuration,
			"user-not-valid", false, "noreply@contoso.com"},
		{"auth", 535, "5.7.142", "Authentication unsuccessful, token will expire soon", Temporary, "token-expired",
			true, "clock"},
		{"auth", 535, "5.7.143", "Authentication unsuccessful, expired token", Temporary, "token-expired",
			true, "clock"},
		{"mail", 535, "5.7.143", "Authentication unsuccessful, expired token", Temporary, "token-expired",
			true, "clock"},
		{"auth", 535, "5.7.144", "Authentication unsuccessful, Invalid API permissions", Configuration,
			"hve-permission", true, "Mail.Send"},
		{"auth", 550, "5.7.240", "The application is not allowed for use with this High Volume Email account",
			Configuration, "hve-app-access", false,
			"Add-HVEAppAccess -Identity noreply@contoso.com -AppIds <object id of the enterprise application>"},
		{"mail", 550, "5.7.62", "other MAIL FROM", Configuration, "hve-mail-from", false,
			"send as noreply@contoso.com"},
		{"body", 550, "5.6.241", "other From", Configuration, "hve-from", false, "send as noreply@contoso.com"},
		{"auth", 550, "5.2.240", "not an account", Configuration, "hve-not-an-account", false, "smtp.host"},
		// The account's, not the message's.
		{"body", 550, "5.2.251", "Sender throttled due to continuous mailbox full errors.", AccountTemporary,
			"mailbox-throttled", false, "empty Sent Items"},
		{"body", 550, "5.2.252", "Sender throttled due to continuous send as denied errors.", AccountTemporary,
			"mailbox-throttled", false, "Add-RecipientPermission"},
		{"body", 554, "5.2.252", "Sender throttled due to continuous send as denied errors.", AccountTemporary,
			"mailbox-throttled", false, ""},
		{"body", 550, "5.2.252", "SendAsDenied; a@x not allowed to send as b@y", Configuration,
			"send-as-denied", false, ""},
		{"body", 550, "5.2.252", "", AccountTemporary, "mailbox-throttled", false, ""},
		{"body", 554, "5.2.252", "", Configuration, "send-as-denied", false, ""},
		{"body", 550, "5.2.253", "Sender throttled due to continuous invalid license errors.", AccountTemporary,
			"mailbox-throttled", false, "licence"},
		{"body", 550, "5.2.254", "Sender throttled due to continuous too many recipients errors.", AccountTemporary,
			"mailbox-throttled", false, "delivery.max_recipients"},
		{"body", 550, "5.2.254", "Sender throttled due to continuous invalid recipients errors.", AccountTemporary,
			"mailbox-throttled", false, "lists and aliases"},
		{"rcpt", 550, "5.2.255", "SENDER  THROTTLED due to continuous invalid recipients errors.", AccountTemporary,
			"mailbox-throttled", false, "lists and aliases"},
		{"mail", 450, "4.2.299", "Sender throttled due to continuous odd errors.", AccountTemporary,
			"mailbox-throttled", false, "log"},
		{"body", 550, "5.7.236", "whatever it says", AccountTemporary, "outside-recipient-quota", false,
			"domain of your own"},
		{"body", 554, "5.2.0", "STOREDRV.Submission.Exception:InvalidLicenseException; x", Configuration,
			"licence-invalid", false, "noreply@contoso.com"},
		{"body", 554, "5.6.211", "Single text value size (33061) exceeded allowed maximum (32768) for the " +
			"'References' header", Permanent, "header-field-too-long", false, ""},
		{"ehlo", 501, "5.5.4", "Invalid domain name [AM0PR00CA0001 2026-01-10T08:34:00.456Z X]", Configuration,
			"ehlo-name", false, "smtp.ehlo_name"},
		{"mail", 550, "", "5.5.4 Invalid domain name", Configuration, "ehlo-name", false, "smtp.ehlo_name"},
		// What nobody has written down yet.
		{"body", 550, "5.7.999", "Access denied, a sending limit has been reached", AccountTemporary, "unknown-limit",
			false, "noreply@contoso.com"},
		{"body", 550, "5.7.1", "Exchange Online limit exceeded", AccountTemporary, "unknown-limit", false, ""},
		{"bdat", 554, "5.7.1", "unusual sending rate detected", AccountTemporary, "unknown-limit", false, ""},
		{"bdat", 554, "5.7.1", "Allowance used up for today", AccountTemporary, "unknown-limit", false, ""},
		{"auth", 554, "5.7.1", "Service unavailable right now, try sending later", AccountTemporary,
			"unknown-limit", false, ""},
		{"body", 554, "5.7.1", "please resend in the next 60 seconds", AccountTemporary, "unknown-limit", false, ""},
		{"mail", 554, "5.7.1", "Flood protection active", AccountTemporary, "unknown-limit", false, ""},
		{"bdat", 554, "5.2.0", "Sie haben zu viele Nachrichten gesendet", AccountTemporary, "unknown-limit", false, ""},
		{"auth", 550, "", "BITTE SPAETER ERNEUT VERSUCHEN", AccountTemporary, "unknown-limit", false, ""},
		{"body", 550, "5.7.0", "Grenzwert \u00fcberschritten", AccountTemporary, "unknown-limit", false, ""},
		{"body", 552, "5.3.4", "Die zul\u00e4ssige Gr\u00f6\u00dfe wurde \u00fcberschritten", Permanent,
			"message-too-large", false, ""},
		{"body", 550, "5.7.0", "Trop de messages, r\u00e9essayez plus tard", AccountTemporary,
			"unknown-limit", false, ""},
		{"body", 550, "5.7.0", "Demasiados mensajes. Int\u00e9ntelo m\u00e1s tarde", AccountTemporary,
			"unknown-limit", false, ""},
		{"body", 550, "5.7.1", "message is spam, do not resend", Permanent, "other-permanent", false, ""},
		{"mail", 552, "5.3.4", "throttled", AccountTemporary, "unknown-limit", false, ""},
		{"auth", 535, "5.7.139", "Authentication unsuccessful, too many attempts, try again later", AccountTemporary,
			"unknown-limit", false, ""},
		{"greeting", 554, "", "too many connections from your address", AccountTemporary, "unknown-limit", false, ""},
		{"rcpt", 552, "5.2.2", "over quota", Temporary, "recipient-limit", false, ""},
		{"rcpt", 550, "5.7.999", "daily limit reached", AccountTemporary, "unknown-limit", false, ""},
		// Words that only look like it: a caller's address, a link, a limit of the message's own.
		{"rcpt", 550, "5.1.10", "<throttled-quota@limit.example> Recipient not found", Permanent,
			"recipient-refused", false, ""},
		{"body", 550, "5.7.1", "rejected, see https://example.org/sending-limits/try-again", Permanent,
			"other-permanent", false, ""},
		{"body", 552, "5.3.4", "Message size exceeds the limit of 25 MB", Permanent, "message-too-large", false, ""},
		{"body", 554, "5.4.14", "Hop count exceeded - possible mail loop", Permanent, "mail-loop", false, ""},
		{"body", 550, "5.7.1", "rejected, do not retry", Permanent, "other-permanent", false, ""},
		{"ehlo", 500, "5.3.3", "Unrecognized command 'unknown' [xx.PROD.OUTLOOK.COM 2024-03-03T19:15:06.603Z xx]",
			Configuration, "session-refused", false, ""},
		{"mail", 503, "5.5.2", "Send hello first", Permanent, "other-permanent", false, ""},
		{"body", 450, "4.2.0", "STOREDRV; something transient", Temporary, "other-temporary", false, ""},
		{"body", 599, "", "", Permanent, "other-permanent", false, ""},
		{"body", 499, "", "", Temporary, "other-temporary", false, ""},
	}
	for _, tt := range tests {
		d := Reply(tt.phase, tt.code, tt.enhanced, tt.text)
		if d.Class != tt.class || d.Key != tt.key || d.RefreshToken != tt.refresh {
			t.Errorf("Reply(%s, %d %s %.60s) = %v %s refresh=%v, want %v %s refresh=%v", tt.phase, tt.code,
				tt.enhanced, tt.text,
				d.Class, d.Key, d.RefreshToken, tt.class, tt.key, tt.refresh)
		}
		if advice := d.Advice("noreply@contoso.com", ""); !strings.Contains(advice, tt.remedy) ||
			strings.Contains(advice, "<mailbox>") {
			t.Errorf("%s: advice %q, want %q in it and no placeholder", tt.key, advice, tt.remedy)
		}
	}
	for _, r := range replies {
		if r.means.Cause == "" || r.means.Key == "" {
			t.Errorf("row without cause or key: %+v", r)
		}
		if r.means.Class == Configuration && r.means.Remedy == "" {
			t.Errorf("%s: nothing for the administrator to do", r.means.Key)
		}
		if strings.ToLower(r.text) != r.text {
			t.Errorf("%s: words must be in lower case: %q", r.means.Key, r.text)
		}
	}
}

// TestThrottlingNeverBounces: whatever the number, the command and the lines, a reply that speaks of
// throttling, limits, quotas or trying again refuses no message for good.
func TestThrottlingNeverBounces(t *testing.T) {
	t.Parallel()
	phrases := []string{
		"Sender throttled due to continuous %s errors.", "The sender is throttled", "Message throttled by policy",
		"THROTTLED", "Request was throttled; %s",
		"You have reached your sending limit", "Sending limit exceeded for %s", "Rate limit exceeded", "ratelimited",
		"Your daily quota is used up",
		"Quota exceeded", "STOREDRV.Submission.Exception:NewQuotaExceededException; %s", "Too many messages",
		"too many recipients today: %s",
		"Please try again later", "try later", "Please retry in 10 minutes", "Temporarily rejected", "Server busy",
		"slow down: %s",
		"exceeded the maximum number of messages per hour", "tenant has exceeded threshold",
		"you can no longer send, the limit is exceeded",
	}
	fillers := []string{"", "mailbox full", "a@b.example", "Exchange Online", "this header", "invalid recipients",
		"no such user, user unknown"}
	codes := []int{501, 550, 552, 554}
	numbers := []string{"", "5.0.0", "5.1.10", "5.1.20", "5.2.2", "5.2.251", "5.2.252", "5.3.4", "5.6.11", "5.7.1",
		"5.7.3", "5.7.139", "5.7.512"}
	for _, phrase := range phrases {
		for _, filler := range fillers {
			text := strings.ReplaceAll(phrase, "%s", filler)
			for _, text := range []string{text, strings.ToUpper(text), "Access denied.\n" + text,
				strings.ReplaceAll(text, " ", "  "), text + " [Hostname=X.eurprd00.prod.outlook.com]"} {
				for _, phase := range []string{"greeting", "auth", "mail", "rcpt", "body"} {
					for _, code := range codes {
						for _, number := range numbers {
							if d := Reply(phase, code, number, text); d.Class == Permanent {
								t.Fatalf("%s: %d %s %q is taken for %s, for good", phase, code, number, text, d.Key)
							}
						}
					}
				}
			}
		}
	}
}

// TestRepeatedErrorIsNamed: the error for which a mailbox is throttled is known and in the cause.
func TestRepeatedErrorIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Sender throttled due to continuous mailbox full errors.":          "mailbox full",
		"Sender throttled due to\r\ncontinuous Invalid Recipients errors.": "invalid recipients",
		"Sender throttled due to continuous <b>x@y.example</b> errors":     "",
		"Sender throttled.": "",
		"Sender throttled due to continuous something new errors [Hostname]": "something new",
	} {
		d := Reply("body", 550, "5.2.299", text)
		if d.Key != KeyThrottled || d.Repeated != want || !strings.HasSuffix(d.Cause, want) {
			t.Errorf("%q: %+v, want %q", text, d, want)
		}
	}
}

func TestPersonalMailbox(t *testing.T) {
	t.Parallel()
	d := Reply("auth", 535, "5.7.139",
		"Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.")
	for address, want := range map[string]bool{"a@outlook.com": true, "a@HOTMAIL.co.uk": true, "a@live.nl": true,
		"a@outlook.com.br":   true,
		"a@live.contoso.com": false, "a@contoso.com": false, "a@outlook": false, "": false} {
		if got := strings.Contains(d.Advice(address, ""), "personal"); got != want {
			t.Errorf("%s: %q", address, d.Advice(address, ""))
		}
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for f := FaultResolve; f <= FaultMessage; f++ {
		d := Failure(f)
		if d.Cause == "" || seen[d.Key] || d.Class == Configuration && d.Remedy == "" {
			t.Errorf("fault %d: %+v", f, d)
		}
		seen[d.Key] = true
	}
	if !strings.Contains(Failure(FaultNoStartTLS).Cause, "an SMTP-inspecting firewall strips it") {
		t.Error("the stripped STARTTLS is not explained")
	}
}

func TestAdviceQuotes(t *testing.T) {
	t.Parallel()
	d := Diagnosis{Remedy: "Get-Mailbox <mailbox>"}
	for in, want := range map[string]string{
		"a@b.c":          "Get-Mailbox a@b.c",
		"o'neil@b.c":     "Get-Mailbox 'o''neil@b.c'",
		"a;Remove $x@b":  "Get-Mailbox 'a;Remove $x@b'",
		"-Force@b":       "Get-Mailbox '-Force@b'",
		"":               "Get-Mailbox <mailbox>",
		"a’b@b.c":        "Get-Mailbox <mailbox>",
		"a\nRemove-It@b": "Get-Mailbox <mailbox>",
	} {
		if got := d.Advice(in, ""); got != want {
			t.Errorf("Advice(%q) = %q, want %q", in, got, want)
		}
	}
	if Class(9).String() != "unknown" || AccountTemporary.String() != "account" || Permanent.String() != "permanent" ||
		Configuration.String() != "configuration" || Temporary.String() != "temporary" {
		t.Error("class names")
	}
}

// TestAdviceForHVE: what is set on mailboxes does not touch an account of High Volume Email.
func TestAdviceForHVE(t *testing.T) {
	t.Parallel()
	for i := range replies {
		d := replies[i].means
		advice := d.Advice("bulk@contoso.com", WayHVE)
		for _, foreign := range []string{"SMTP.SendAsApp", "Set-CASMailbox", "Add-MailboxPermission", "SendAs ",
			"Application ", "<mailbox>"} {
			if strings.Contains(advice, foreign) {
				t.Errorf("%s: %q is in the advice %q", d.Key, foreign, advice)
			}
		}
		if (advice == "") != (d.Advice("bulk@contoso.com", "") == "") {
			t.Errorf("%s: advice %q", d.Key, advice)
		}
	}
	if d := Reply("auth", 535, "5.7.3",
		"Authentication unsuccessful"); !strings.Contains(d.Advice("bulk@contoso.com", WayHVE),
		"Add-HVEAppAccess -Identity bulk@contoso.com") {
		t.Error(d.Advice("bulk@contoso.com", WayHVE))
	}
}
