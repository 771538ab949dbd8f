package cli

import (
	"fmt"
	"strings"
	"testing"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// Every error of Entra and of Exchange Online that is known, with the exit code and the
// words that a caller must see: the cause and what to do. Where a row's text is Microsoft's
// own, it is as their servers send it.

// entra is one refusal of the token endpoint.
type entra struct {
	status int
	code   string // "error"
	aadsts int
	text   string
	exit   int
	line   string // what names cause or remedy
}

var entraErrors = []entra{
	{401, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is " +
		"the client secret value, not the client secret ID, for a secret added to app 'x'.", sysexits.Config,
		"give its Value"},
	{401, "invalid_client", 7000222, "The provided client secret keys for app 'x' are expired.", sysexits.Config,
		"has expired"},
	{400, "unauthorized_client", 700016, "Application with identifier 'x' was not found in the directory 'y'.",
		sysexits.Config, "client ID"},
	{401, "invalid_client", 7000229, "The client application x is missing service principal in the tenant y.",
		sysexits.Config, "az ad sp create --id"},
	{400, "unauthorized_client", 7000112, "Application 'x'(n) is disabled.", sysexits.Config, "accountEnabled=true"},
	{400, "invalid_request", 90002, "Tenant 'x' not found. Check to make sure you have the correct tenant ID and are " +
		"signing into the correct cloud.", sysexits.Config, "Directory (tenant) ID"},
	{400, "invalid_request", 900023, "Specified tenant identifier 'x' is neither a valid DNS name, nor a valid " +
		"external domain.", sysexits.Config, "Directory (tenant) ID"},
	{400, "invalid_request", 9001023, "The grant type is not supported over the /common or /consumers endpoints.",
		sysexits.Config, "tenant"},
	{400, "invalid_scope", 1002012, "The provided value for scope x is not valid.", sysexits.Config, "/.default"},
	{400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid.", sysexits.Config,
		"/.default"},
	{400, "invalid_resource", 500011, "The resource principal named x was not found in the tenant named y.",
		sysexits.Config, "Exchange Online"},
	{400, "invalid_resource", 500014, "The service principal for resource 'x' is disabled.", sysexits.Config,
		"Exchange Online"},
	{401, "invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not " +
		"registered on application.", sysexits.Config, "upload the public certificate"},
	{401, "invalid_client", 700024, "Client assertion is not within its valid time range.", sysexits.Config,
		"timedatectl"},
	{401, "invalid_client", 50027, "JWT token is invalid or malformed.", sysexits.Config, "malformed"},
	{401, "invalid_client", 70021, "No matching federated identity record found for presented assertion.",
		sysexits.Config, "Federated credentials"},
	{401, "invalid_client", 700211, "No matching federated identity record found for presented assertion issuer 'x'.",
		sysexits.Config, "issuer"},
	{401, "invalid_client", 700212, "No matching federated identity record found for presented assertion audience 'x'.",
		sysexits.Config, "audience"},
	{401, "invalid_client", 700213, "No matching federated identity record found for presented assertion subject 'x'.",
		sysexits.Config, "subject"},
	{401, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or " +
		"'client_secret'.", sysexits.Config, "no credential"},
	{401, "invalid_client", 700025, "Client is public so neither 'client_assertion' nor 'client_secret' should " +
		"be presented.", sysexits.Config, "public client"},
	{400, "invalid_request", 900144, "The request body must contain the following parameter: 'x'.", sysexits.Config,
		"report it"},
	{400, "invalid_request", 90014, "The required field 'x' is missing.", sysexits.Config, "report it"},
	{400, "invalid_grant", 53003, "Access has been blocked by Conditional Access policies.", sysexits.Config,
		"Conditional Access"},
	{400, "invalid_grant", 530035, "Access has been blocked by security defaults.", sysexits.Config,
		"ecurity defaults"},
	{400, "invalid_grant", 65001, "The user or administrator has not consented to use the application.",
		sysexits.Config, "consent"},
	{400, "invalid_grant", 50034, "The user account does not exist.", sysexits.Config, "Users"},
	{400, "invalid_grant", 50053, "The account is locked.", sysexits.Config, "Users"},
	{400, "invalid_request", 90038, "Tenant x request is being redirected to the National Cloud y.", sysexits.Config,
		"cloud"},
	{400, "invalid_request", 900382, "Confidential Client is not supported in Cross Cloud request.", sysexits.Config,
		"cloud"},
	{400, "invalid_request", 900432, "Confidential Client is not supported in Cross Cloud request.", sysexits.Config,
		"cloud"},
	{400, "invalid_request", 50196, "The server terminated an operation because it encountered a client request loop.",
		sysexits.TempFail, "AADSTS50196"},
	{400, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again.", sysexits.TempFail,
		"AADSTS90033"},
	{503, "temporarily_unavailable", 90024, "RequestBudgetExceededError.", sysexits.TempFail, "AADSTS90024"},
}

func TestEntraErrors(t *testing.T) {
	t.Parallel()
	for _, c := range entraErrors {
		t.Run(fmt.Sprint(c.aadsts), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			body := fmt.Sprintf(`{"error":%q,"error_description":"AADSTS%d: %s\r\nTrace ID: 00000000-1111-2222-3333-444444444444\r\nCorrelation ID: c\r\nTimestamp: 2026-11-23 20:30:00Z","error_codes":[%d],"trace_id":"00000000-1111-2222-3333-444444444444"}`, c.code, c.aadsts, c.text, c.aadsts)
			s.check(t, emulator.Rule{Stage: "token", Status: c.status, Body: body,
				Header: map[string]string{"Content-Type": "application/json"}}, c.exit, c.line)
		})
	}
}

// check sends one message with a rule in force and holds exit code and line against the row.
func (s *site) check(t *testing.T, rule emulator.Rule, exit int, line string) {
	t.Helper()
	if err := s.Script(rule); err != nil {
		t.Fatal(err)
	}
	r := s.run("Subject: x\n\nx\n", "-i", "someone@example.org")
	if r.code != exit || !strings.Contains(r.stderr, line) {
		t.Errorf("exit code %d, want %d; want %q in:\n%s", r.code, exit, line, r.stderr)
	}
	if strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("not one line:\n%s", r.stderr)
	}
	if strings.Contains(r.stderr, s.ClientSecret) {
		t.Error("the secret is shown")
	}
	if n := len(s.Messages()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

// exchangeErrors are Exchange Online's replies by stage.
var exchangeErrors = []struct {
	stage, reply string
	exit         int
	line         string
}{
	{"connect", "421 4.3.2 Service not active [TYAPR01CA0229.jpnprd01.prod.outlook.com]", sysexits.TempFail, "421"},
	{"auth", "535 5.7.3 Authentication unsuccessful [AM0PR02CA0134.eurprd02.prod.outlook.com " +
		"2024-07-11T11:46:49.042Z 08DCA18218166FB4]", sysexits.Config, "New-ServicePrincipal"},
	{"auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit " +
		"https://aka.ms/smtp_auth_disabled for more information. [MN2PR05CA0004.namprd05.prod.outlook.com " +
		"2023-09-12T20:59:57.214Z 08DBB276B7E699C4]", sysexits.Config, "Set-CASMailbox"},
	{"auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit " +
		"https://aka.ms/smtp_auth_disabled for more information.", sysexits.Config, "Set-CASMailbox"},
	{"auth", "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults " +
		"policy. Contact your administrator.", sysexits.Config, "ecurity defaults"},
	{"auth", "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated " +
		"successfully. Contact your administrator.", sysexits.Config, "olicy"},
	{"auth", "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't allow this " +
		"authentication request.", sysexits.Config, "organi"},
	{"auth", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", sysexits.Config, "asic"},
	{"auth", "550 5.7.30 Basic authentication is not supported for Client Submission.", sysexits.Config, "asic"},
	{"auth", "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.", sysexits.Config, "mailbox"},
	{"auth", "501 5.5.127 Token will expire soon.", sysexits.Config, "5.5.127"},
	{"auth", "504 5.7.4 Unrecognized authentication type [ME2PR01CA0084 2025-10-09T08:34:00.456Z 08DE05E7CF894786]",
		sysexits.Config, "5.7.4"},
	{"auth", "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2. " +
		"Visit https://aka.ms/smtp_auth_tls.", sysexits.Config, "TLS"},
	{"auth", "451 4.7.0 Temporary server error. Please try again later. PRX4", sysexits.TempFail, "451 4.7.0"},
	{"mail", "451 5.7.3 STARTTLS is required to send mail [SG2PR02CA0073.apcprd02.prod.outlook.com " +
		"2024-07-24T03:43:18.298Z 08DCAB6EB788477A]", sysexits.Config, "firewall"},
	{"mail", "530 5.7.57 Client not authenticated to send mail. [X]", sysexits.Config, "5.7.57"},
	{"mail", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", sysexits.Config,
		"Add-RecipientPermission"},
	{"mail", "552 5.3.4 Message size exceeds fixed maximum message size", sysexits.DataErr, "5.3.4"},
	{"rcpt", "550 5.1.1 Recipient unknown", sysexits.NoUser, "someone@example.org"},
	{"rcpt", "452 4.5.3 Too many recipients", sysexits.TempFail, "4.5.3"},
	{"dot", "430 4.2.0 STOREDRV; mailbox logon failure; " +
		"STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed; Failed to " +
		"process message due to a transient exception with message [BeginDiagnosticData]Cannot open mailbox.",
		sysexits.Config, "Add-MailboxPermission"},
	{"dot", "554 5.2.252 SendAsDenied; a@x not allowed to send as b@y; " +
		"STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message " +
		"due to a permanent exception", sysexits.Config, "Add-RecipientPermission"},
	{"dot", "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to " +
		"process message", sysexits.Config, "Add-RecipientPermission"},
	{"dot", "550 5.1.20 Multiple From addresses are not allowed without Sender address", sysexits.Unavailable,
		"5.1.20"},
	{"dot", "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more " +
		"information. [Hostname=OS0PR01MB6099.jpnprd01.prod.outlook.com]", sysexits.TempFail, "connections"},
	{"dot", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded [Hostname=x]", sysexits.TempFail,
		"connections"},
	{"dot", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", sysexits.TempFail,
		"10,000 recipients"},
	{"dot", "554 5.2.2 mailbox full; " +
		"STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded", sysexits.Config,
		"Sent Items"},
	{"dot", "554 5.2.0 MapiExceptionMaxSubmissionExceeded; Message size exceeds maximum size limit.; " +
		"STOREDRV.Submission.Exception:MessageSubmissionExceededException.MapiExceptionMaxSubmissionExceeded",
		sysexits.DataErr, "-MaxSendSize"},
	{"dot", "552 5.3.4 Header size exceeds fixed maximum size", sysexits.DataErr, "5.3.4"},
	{"dot", "451 4.3.111 Temporary server error. Please try again later MRH1 [Hostname=x]", sysexits.TempFail,
		"4.3.111"},
	{"dot", "421 4.4.1 Connection timed out. Total session duration: 00:20:55", sysexits.TempFail, "4.4.1"},
	{"dot", "550 5.1.8 Access denied, bad outbound sender", sysexits.TempFail, "Restricted entities"},
	{"dot", "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
		sysexits.TempFail, "5.1.90"},
	{"dot", "550 5.7.501 Access denied, spam abuse detected", sysexits.TempFail, "5.7.501"},
	{"dot", "550 5.7.705 Access denied, tenant has exceeded threshold", sysexits.TempFail, "5.7.705"},
	{"dot", "550 5.7.708 Access denied, traffic not accepted from this IP", sysexits.TempFail, "5.7.708"},
	{"dot", "550 5.7.233 - Your message can't be sent because your tenant has exceeded its daily limit for sending " +
		"email to external recipients (tenant external recipient rate limit)", sysexits.TempFail, "5.7.233"},
	{"dot", "550 5.7.750 Client blocked from sending from unregistered domains", sysexits.Config, "5.7.750"},
	{"dot", "550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant and include a valid " +
		"From address", sysexits.Unavailable, "5.7.512"},
	{"dot", "550 5.6.11 BareLinefeedsAreIllegal", sysexits.DataErr, "5.6.11"},
	{"dot", "550 5.5.105 External sending is not supported for High Volume Email accounts", sysexits.Config, "5.5.105"},
}

func TestExchangeErrors(t *testing.T) {
	t.Parallel()
	for _, c := range exchangeErrors {
		t.Run(c.stage+" "+c.reply[:min(len(c.reply), 40)], func(t *testing.T) {
			t.Parallel()
			newSite(t).check(t, emulator.Rule{Stage: c.stage, Reply: c.reply}, c.exit, c.line)
		})
	}
}
