package deliver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/submit"
	"o365-sendmail/internal/sysexits"
)

// meaning is what the program makes of one of Exchange Online's replies.
type meaning struct {
	class  diagnose.Class
	key    string
	exit   int
	remedy string // part of the advice; "" when only waiting helps
}

// meanings has a row for each text that Exchange Online is known to answer with, by the emulator's fault.
func meanings() map[string]meaning {
	const conf, account, temporary, permanent = diagnose.Configuration, diagnose.AccountTemporary, diagnose.Temporary,
		diagnose.Permanent
	held := func(key, remedy string) meaning { return meaning{conf, key, sysexits.Config, remedy} }
	paused := func(key, remedy string) meaning { return meaning{account, key, sysexits.TempFail, remedy} }
	later := func(key string) meaning { return meaning{temporary, key, sysexits.TempFail, ""} }
	registered := held("sign-in-refused", "New-ServicePrincipal")
	unblocked := "Restricted entities"
	hve := "High Volume Email account"
	return map[string]meaning{
		"ehlo-name":                 held("ehlo-name", "smtp.ehlo_name"),
		"smtp-busy":                 later("service-closing"),
		"starttls-stripped":         held("starttls-not-offered", "unmodified"),
		"consent-missing":           registered,
		"sp-missing":                registered,
		"sp-wrong-object-id":        registered,
		"sp-propagating":            registered,
		"sp-flapping":               registered,
		"mailbox-missing":           registered,
		"mailbox-unlicensed":        registered,
		"rbac-out-of-scope":         registered,
		"rbac-propagating":          registered,
		"token-wrong-audience":      registered,
		"auth-challenge":            registered,
		"smtp-auth-tenant":          held("smtp-auth-disabled-tenant", "Set-CASMailbox"),
		"smtp-auth-mailbox":         held("smtp-auth-disabled-mailbox", "Set-CASMailbox"),
		"auth-personal":             held("smtp-auth-disabled-mailbox", "Set-CASMailbox"),
		"security-defaults":         held("security-defaults", "security defaults"),
		"auth-policy":               held("access-policy", "Conditional Access"),
		"auth-organization":         held("organization-policy", "Add-HVEAppAccess"),
		"auth-retired":              held("basic-auth-retired", "XOAUTH2"),
		"auth-basic-off":            held("basic-auth", "XOAUTH2"),
		"auth-basic-wrong":          held("basic-auth", "XOAUTH2"),
		"auth-sts-down":             held("basic-auth", "XOAUTH2"),
		"auth-sts-plain":            held("basic-auth", "XOAUTH2"),
		"auth-hve":                  held("user-not-valid", "correct mailbox"),
		"hve-form-121":              held("xoauth2-form", hve),
		"hve-form-122":              held("xoauth2-form", hve),
		"hve-form-123":              held("xoauth2-form", hve),
		"hve-form-125":              held("xoauth2-form", hve),
		"hve-form-126":              held("xoauth2-form", hve),
		"hve-token-expiring":        {temporary, "token-expired", sysexits.TempFail, "clock"},
		"hve-token-expired":         {temporary, "token-expired", sysexits.TempFail, "clock"},
		"session-token-expired":     {temporary, "token-expired", sysexits.TempFail, "clock"},
		"hve-permission":            held("hve-permission", "Mail.Send"),
		"hve-app-access":            held("hve-app-access", "Add-HVEAppAccess"),
		"hve-no-account":            held("hve-not-an-account", hve),
		"auth-tls-old":              held("tls-too-old", "TLS"),
		"auth-not-active":           later("service-closing"),
		"auth-proxy":                later("sign-in-unavailable"),
		"auth-not-offered":          held("xoauth2-not-offered", "smtp.host"),
		"connections-used-auth":     paused("too-many-connections", "delivery.connections"),
		"mail-starttls":             held("starttls-required", "firewall"),
		"mail-not-signed-in":        held("not-authenticated", "AUTH"),
		"send-as-mail-from":         held("send-as-denied", "Add-RecipientPermission"),
		"hve-mail-from":             held("hve-mail-from", "send as"),
		"session-lost":              later("service-closing"),
		"recipient-unknown":         {permanent, "recipient-refused", sysexits.NoUser, ""},
		"recipients-few":            later("too-many-recipients"),
		"recipient-rate":            later("recipient-rate"),
		"recipient-busy":            later("recipient-rate"),
		"hve-outside":               held("hve-internal-only", "smtp.office365.com"),
		"connections-used":          paused("too-many-connections", "delivery.connections"),
		"connections-used-old":      paused("too-many-connections", "delivery.connections"),
		"rate-exceeded":             paused("message-rate", "delivery.messages_per_minute"),
		"quota-exceeded":            paused("submission-quota", "24 h"),
		"full-access-missing":       held("mailbox-permission", "Add-MailboxPermission"),
		"full-access-wrong-id":      held("mailbox-permission", "Add-MailboxPermission"),
		"full-access-propagating":   held("mailbox-permission", "2 h"),
		"rbac-with-consent":         held("mailbox-permission", "remove the permission SMTP.SendAsApp"),
		"send-as-denied":            held("send-as-denied", "Add-RecipientPermission"),
		"send-as-denied-old":        held("send-as-denied", "Add-RecipientPermission"),
		"hve-from":                  held("hve-from", "send as"),
		"mailbox-full":              held("mailbox-full", "Sent Items"),
		"licence-invalid":           held("licence-invalid", "licence"),
		"send-size":                 {permanent, "message-over-mailbox-limit", sysexits.DataErr, "-MaxSendSize"},
		"size-small":                {permanent, "message-too-large", sysexits.DataErr, ""},
		"header-size":               {permanent, "header-too-large", sysexits.DataErr, ""},
		"header-field-size":         {permanent, "header-field-too-long", sysexits.DataErr, ""},
		"from-several":              {permanent, "from-without-sender", sysexits.Unavailable, ""},
		"from-none":                 {permanent, "from-missing", sysexits.Unavailable, ""},
		"bare-lf":                   {permanent, "bare-lf", sysexits.DataErr, ""},
		"sender-restricted":         paused("sender-restricted", unblocked),
		"recipient-limit":           paused("recipient-quota", "24 h"),
		"tenant-spam":               paused("sender-banned", unblocked),
		"tenant-banned":             paused("sender-banned", unblocked),
		"tenant-banned-again":       paused("sender-banned", unblocked),
		"tenant-threshold":          paused("tenant-blocked", unblocked),
		"tenant-traffic":            paused("address-blocked", "Microsoft support"),
		"tenant-external":           paused("tenant-external-quota", "24 h"),
		"tenant-trial":              paused("tenant-external-quota", "24 h"),
		"tenant-domain":             held("domain-not-registered", "Domains"),
		"throttled-mailbox-full":    paused("mailbox-throttled", "Sent Items"),
		"throttled-send-as":         paused("mailbox-throttled", "Add-RecipientPermission"),
		"throttled-licence":         paused("mailbox-throttled", "licence"),
		"throttled-many-recipients": paused("mailbox-throttled", "delivery.max_recipients"),
		"throttled-recipients":      paused("mailbox-throttled", "lists and aliases"),
		"throttled-recipients-seen": paused("mailbox-throttled", "lists and aliases"),
		"outside-quota":             paused("outside-recipient-quota", "domain of your own"),
		"limit-unknown":             paused("unknown-limit", "Get-LimitsEnforcementStatus"),
		"bdat-500":                  held("chunking-refused", "smtp.chunking"),
		"bdat-502":                  held("chunking-refused", "smtp.chunking"),
		"bdat-503":                  held("chunking-refused", "smtp.chunking"),
		"bdat-552":                  {permanent, "header-too-large", sysexits.DataErr, ""},
		"dot-temporary":             later("other-temporary"),
	}
}

// TestEveryReplyHasItsMeaning sends a message against each reply and holds what comes back against the table.
func TestEveryReplyHasItsMeaning(t *testing.T) {
	t.Parallel()
	table := meanings()
	for _, f := range emulator.Faults() {
		if f.Shows == "" || f.Stage == "token" || f.Stage == "claims" || f.Name == "smtp-foreign" {
			continue // no reply of Exchange's
		}
		want, ok := table[f.Name]
		if !ok {
			t.Errorf("%s (%s) has no row", f.Name, f.Shows)
			continue
		}
		delete(table, f.Name)
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			em := emulator.New(t)
			a := testAccount(em, t.TempDir(), time.Now)
			if err := em.SetFault(f.Name); err != nil {
				t.Fatal(err)
			}
			if f.Stage == "bdat" {
				a.Submit.Chunking = submit.ChunkingOn // else the message goes by DATA
			}
			text := testMessage(em.Mailbox, "reply")
			if f.Name == "size-small" {
				text = testMessage(em.Mailbox, strings.Repeat("long ", 250000))
			}
			e := outcome(a.Deliver(context.Background(), testEnvelope(em.Mailbox, "user@example.com",
				"other@example.com"), text))
			if e == nil {
				t.Fatal("the message went")
			}
			if e.Class != want.class || e.Diagnosis.Key != want.key || ExitCode(e) != want.exit {
				t.Errorf("%v %s, exit code %d, want %v %s, %d: %v", e.Class, e.Diagnosis.Key, ExitCode(e), want.class,
					want.key, want.exit, e)
			}
			if !strings.Contains(e.Advice(), want.remedy) || (e.Advice() == "") != (want.remedy == "") {
				t.Errorf("advice %q, want %q in it", e.Advice(), want.remedy)
			}
		})
	}
	for name := range table {
		t.Errorf("no fault of the emulator is named %s", name)
	}
}

// outcome is the error of the message, or of the first recipient that has one.
func outcome(res *submit.Result, err error) *submit.Error {
	var e *submit.Error
	if err == nil && res != nil {
		if i := slices.IndexFunc(res.Recipients, func(r submit.RecipientResult) bool { return r.Err != nil }); i >= 0 {
			return res.Recipients[i].Err
		}
	}
	errors.As(err, &e)
	return e
}
