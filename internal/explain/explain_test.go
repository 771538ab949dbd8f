package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/xoauth"
)

// has reports whether one of the meanings is a diagnosis, with a cause and something to do.
func has(found []Meaning, d diagnose.Diagnosis) bool {
	return slices.ContainsFunc(found, func(m Meaning) bool {
		return m.Key == d.Key && (d.Cause == "" || m.Cause == d.Cause) && m.Cause != "" && m.Effect != "" &&
			len(m.Do) > 0
	})
}

// TestEveryReply: each row is found by its key, by its codes, by its words, and by a whole reply.
func TestEveryReply(t *testing.T) {
	t.Parallel()
	for _, k := range diagnose.AllKnown() {
		if !has(Explain(k.Key), k.Diagnosis) {
			t.Errorf("%s: not found by its key: %+v", k.Key, Explain(k.Key))
		}
		if k.Cause != "" && !has(Explain("held: "+k.Cause+"; do something"), k.Diagnosis) {
			t.Errorf("%s: not found by its cause %q", k.Key, k.Cause)
		}
		for _, e := range strings.Fields(k.Enhanced) {
			text := e
			if k.Code >= 100 {
				text = fmt.Sprintf("%d %s", k.Code, e)
			}
			if !has(Explain(text), k.Diagnosis) {
				t.Errorf("%s: not found by %s: %+v", k.Key, text, Explain(text))
			}
		}
		if k.Code >= 100 && k.Text == "" && k.Enhanced == "" && !has(Explain(fmt.Sprint(k.Code)), k.Diagnosis) {
			t.Errorf("%s: not found by %d", k.Key, k.Code)
		}
		for words := range strings.SplitSeq(k.Text, "|") {
			if words != "" && k.Enhanced == "" && k.Key != diagnose.KeyThrottled &&
				!has(Explain("The server said: "+strings.ToUpper(words)+" [x]"), k.Diagnosis) {
				t.Errorf("%s: not found by the words %q: %+v", k.Key, words, Explain(words))
			}
		}
	}
}

func TestEveryEntraCode(t *testing.T) {
	t.Parallel()
	for _, code := range xoauth.Codes() {
		cause, advice, _ := xoauth.Explain(code, "")
		for _, text := range []string{code, strings.TrimPrefix(code, "AADSTS"), strings.ToLower(code)} {
			if len(text) < 5 {
				continue
			}
			found := Explain(text)
			if len(found) != 1 || found[0].Cause != cause || advice != "" && len(found[0].Do) == 0 {
				t.Errorf("%s: %+v", text, found)
			}
		}
	}
}

// TestTexts: what people paste.
func TestTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"535": "sign-in-refused", "535 5.7.3 Authentication unsuccessful [AM0PR00CA0001]": "sign-in-refused",
		"5.7.139": "smtp-auth-disabled-tenant", "535 5.7.139": "smtp-auth-disabled-mailbox",
		"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. " +
			"Visit https://aka.ms/smtp_auth_disabled": "smtp-auth-disabled-tenant",
		"status=bounced (550 5.1.10 RESOLVER.ADR.RecipientNotFound; " +
			"Recipient not found)": diagnose.KeyRecipientRefused,
		"550-5.1.10 Recipient not found":  diagnose.KeyRecipientRefused,
		"432 4.3.2":                       "too-many-connections",
		"\x1b[31m432 4.3.2\x1b[0m\a busy": "too-many-connections",
		"432\a 4.3.2\x1b[1;31mbusy":       "too-many-connections",
		"554 5.2.0":                       diagnose.KeySendAsDenied,
		"550 5.2.253":                     diagnose.KeyThrottled,
		"5.2.253":                         diagnose.KeyThrottled,
		`{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired"}`: "AADSTS7000222",
		"aadsts50196":                       "AADSTS50196",
		"AADSTS999999":                      "AADSTS999999",
		"78":                                "exit code 78",
		"exit code 75":                      "exit code 75",
		"x@y: 550 5.1.1 no":                 diagnose.KeyRecipientRefused,
		"answered MAIL with 451 4.3.2 busy": "other-temporary",
		"550":                               "other-permanent",
		"451":                               "other-temporary",
	} {
		found := Explain(text)
		if !slices.ContainsFunc(found, func(m Meaning) bool { return m.Key == want }) {
			t.Errorf("%q: %+v, want %s", text, found, want)
		}
		for _, m := range found {
			if m.Cause == "" || len(m.Do) == 0 {
				t.Errorf("%q: nothing to read: %+v", text, m)
			}
		}
	}
	for _, text := range []string{"", "hello", "12", "the server listens on port 587", "sent 450 messages", "999",
		"1.2.3", "\x00\xff"} {
		if found := Explain(text); len(found) > 0 {
			t.Errorf("%q: %+v", text, found)
		}
	}
}

// TestSteps: each command stands on a line of its own.
func TestSteps(t *testing.T) {
	t.Parallel()
	for advice, want := range map[string][]string{
		"": nil,
		"Set-CASMailbox -Identity <mailbox> -SmtpClientAuthenticationDisabled $false": {
			"Set-CASMailbox -Identity <mailbox> -SmtpClientAuthenticationDisabled $false"},
		"check that Get-ServicePrincipal | fl AppId,ObjectId shows the id (else New-ServicePrincipal -AppId " +
			"<client id>)": {
			"check that Get-ServicePrincipal | fl AppId,ObjectId shows the id (else New-ServicePrincipal -AppId " +
				"<client id>)",
			"Get-ServicePrincipal | fl AppId,ObjectId", "New-ServicePrincipal -AppId <client id>"},
		"wait; see who asks": {"wait", "see who asks"},
		"set the clock: timedatectl set-ntp true": {"set the clock: timedatectl set-ntp true",
			"timedatectl set-ntp true"},
	} {
		if got := Steps(advice); !slices.Equal(got, want) {
			t.Errorf("%q:\n%q\nwant\n%q", advice, got, want)
		}
	}
}

func FuzzExplain(f *testing.F) {
	for _, s := range []string{"535 5.7.139", "AADSTS7000215", "550-5.1.10 (x)", "Get-X", "5.2.253",
		strings.Repeat("535 ", 4000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range Explain(s) {
			if m.Cause == "" || len(m.Do) == 0 {
				t.Errorf("nothing to read: %+v", m)
			}
		}
	})
}
