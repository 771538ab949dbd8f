package setup

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"o365-sendmail/internal/diagnose"
)

const someObject = "b7d3f1d2-0c5e-4b58-9f0c-51c7c0a4e6aa"

func someValues() Values {
	return Values{Tenant: someTenant, ClientID: someClient, ObjectID: someObject, Mailbox: "o'brien@contoso.com"}
}

// TestScript looks for the tenant's values, and for text that would leave its quotes.
func TestScript(t *testing.T) {
	t.Parallel()
	v := someValues()
	for _, want := range []string{
		"$Tenant = '" + someTenant + "'", "$ClientId = '" + someClient + "'", "$ObjectId = '" + someObject + "'",
		"$Mailbox = 'o''brien@contoso.com'", "$Way = 'scoped'", "-Environment Global ",
		"-ExchangeEnvironmentName O365Default ",
	} {
		if s := Script(TypeSecret, v); !strings.Contains(s, want) {
			t.Errorf("%q is not in\n%s", want, s)
		}
	}
	v.Cloud, v.Way, v.ObjectID = "gcc-high", diagnose.WayAPI, ""
	for _, want := range []string{"$Way = 'api'", "$ObjectId = ''", "-Environment USGov ", "O365USGovGCCHigh "} {
		if s := Script(TypeSecret, v); !strings.Contains(s, want) {
			t.Errorf("%q is not in\n%s", want, s)
		}
	}
	if v.HVE = true; !strings.Contains(Script(TypeSecret, v), "$Way = 'hve'") {
		t.Error("an account of High Volume Email has another way")
	}
	for _, want := range []string{"Mail.Send", "Get-HVEAccountBillingPolicy -Identity 'o''brien@contoso.com'",
		"inside the organization"} {
		if s := strings.Join(Steps(TypeSecret, v), "\n"); !strings.Contains(s, want) ||
			strings.Contains(s, "SendAsApp") {
			t.Errorf("%q is not in, or SendAsApp is in\n%s", want, s)
		}
	}
	for _, bad := range []string{"a’; Remove-Mailbox x#@contoso.com", "a\n; Remove-Mailbox x", "a\x00b"} {
		if s := Script(TypeSecret, Values{Mailbox: bad}); strings.Contains(s, "Remove-Mailbox x") ||
			!strings.Contains(s, "$Mailbox = '<mailbox>'") {
			t.Errorf("%q is in the script", bad)
		}
	}
}

// A psToken is a piece of PowerShell: a bracket, a string, a line end, or a word.
type psToken struct {
	text string
	line int
}

// psTokens takes PowerShell apart as far as strings, comments and brackets need. It is no parser: the interop tests
// have a whole grammar.
func psTokens(t *testing.T, src string) (tokens []psToken) {
	t.Helper()
	line := 1
	for i := 0; i < len(src); {
		begin, c := i, src[i]
		switch {
		case c > '~' || c < ' ' && c != '\n':
			t.Fatalf("line %d: character %q", line, c)
		case c == '#' && (i == 0 || strings.IndexByte(" \n(", src[i-1]) >= 0):
			i += strings.IndexByte(src[i:], '\n')
			continue
		case c == '\'' || c == '"':
			for i++; ; i++ {
				switch {
				case i >= len(src) || src[i] == '\n':
					t.Fatalf("line %d: the string does not end: %s", line, src[begin:i])
				case src[i] == '`' && c == '"':
					i++
					continue
				case src[i] != c:
					continue
				case i+1 < len(src) && src[i+1] == c: // a quote in the string
					i++
					continue
				}
				i++
				break
			}
		case strings.IndexByte("(){}[]|;,\n", c) >= 0:
			i++
		case c == ' ':
			i++
			continue
		default:
			for i < len(src) && strings.IndexByte(" \n(){}[]|;,'\"", src[i]) < 0 {
				i++
			}
		}
		if tokens = append(tokens, psToken{src[begin:i], line}); c == '\n' {
			line++
		}
	}
	return tokens
}

// changing are the commands that change something in a tenant.
var changing = regexp.MustCompile(`^(New|Set|Add|Remove|Enable|Disable|Update|Grant|Revoke)-[A-Z]\w+$`)

// TestScriptForm checks what can be checked without PowerShell: brackets and strings close, every function is used
// and every one that is used is there, no placeholder is left, and each command that changes something stands in
// the block of an Invoke-Change, which -WhatIf stops.
func TestScriptForm(t *testing.T) {
	t.Parallel()
	src := Script(TypeSecret, someValues())
	if left := regexp.MustCompile(`<[a-z][a-z ]*>`).FindString(src); left != "" {
		t.Errorf("the placeholder %s is left", left)
	}
	closes := map[string]string{"(": ")", "{": "}", "[": "]"}
	type open struct {
		psToken
		change bool // the block of an Invoke-Change
	}
	var stack []open
	defined, used := map[string]bool{}, map[string]int{}
	tokens, start := psTokens(t, src), 0 // of the statement
	for i, tok := range tokens {
		switch text := tok.text; {
		case closes[text] != "":
			change := text == "{" && tokens[start].text == "Invoke-Change"
			stack = append(stack, open{tok, change})
			start = i + 1
		case text == ")" || text == "}" || text == "]":
			if len(stack) == 0 || closes[stack[len(stack)-1].text] != text {
				t.Fatalf("line %d: %s closes nothing", tok.line, text)
			}
			stack = stack[:len(stack)-1]
		case text == "\n" || text == ";" || text == "|":
			start = i + 1
		case i > 0 && tokens[i-1].text == "function":
			defined[text] = true
		case changing.MatchString(text) && text != "New-Object":
			inChange := slices.ContainsFunc(stack, func(o open) bool { return o.change })
			if used[text]++; !inChange && !strings.Contains(src, "function "+text+" {") {
				t.Errorf("line %d: %s is not in the block of an Invoke-Change", tok.line, text)
			}
		case regexp.MustCompile(`^[A-Z][a-z]+-[A-Z]\w+$`).MatchString(text):
			used[text]++
		case text == "POST", text == "DELETE", text == "PATCH", text == "PUT":
			if !slices.ContainsFunc(stack, func(o open) bool { return o.change }) {
				t.Errorf("line %d: %s is not in the block of an Invoke-Change", tok.line, text)
			}
		}
	}
	if len(stack) > 0 {
		t.Errorf("line %d: %s is not closed", stack[0].line, stack[0].text)
	}
	for name := range defined {
		if used[name] == 0 {
			t.Errorf("%s is not used", name)
		}
	}
	// What PowerShell and the two modules bring. A name that is neither here nor defined is a slip.
	const known = ` Add-DistributionGroupMember Add-HVEAppAccess Add-MailboxPermission Add-RecipientPermission
		Connect-ExchangeOnline Connect-MgGraph ConvertTo-Json ForEach-Object Get-CASMailbox Get-DistributionGroup
		Get-DistributionGroupMember Get-HVEAccountSettings Get-MailUser Get-Mailbox Get-MailboxPermission
		Get-ManagementRoleAssignment Get-ManagementScope Get-MgContext Get-Module Get-RecipientPermission
		Get-ServicePrincipal Get-TransportConfig Get-User Import-Module Invoke-MgGraphRequest New-DistributionGroup
		New-ManagementRoleAssignment New-ManagementScope New-Object New-ServicePrincipal Out-Null
		Remove-DistributionGroup Remove-HVEAppAccess Remove-MailboxPermission Remove-ManagementRoleAssignment
		Remove-ManagementScope Remove-RecipientPermission Remove-ServicePrincipal Select-Object Set-CASMailbox
		Test-ServicePrincipalAuthorization Where-Object Write-Output Write-Warning `
	for name := range used {
		if !defined[name] && !slices.Contains(strings.Fields(known), name) {
			t.Errorf("%s is not known", name)
		}
	}
}

// TestCommands: both ways have their own, and none of the other's.
func TestCommands(t *testing.T) {
	t.Parallel()
	v := someValues()
	for way, words := range map[string][2]string{
		diagnose.WayScoped: {"New-ManagementRoleAssignment", "Add-MailboxPermission"},
		diagnose.WayAPI:    {"Add-MailboxPermission", "New-ManagementRoleAssignment"},
	} {
		v.Way = way
		all := strings.Join(Commands(TypeSecret, v), "\n")
		if !strings.Contains(all, words[0]) || strings.Contains(all, words[1]) ||
			!strings.Contains(all, "-ObjectId "+someObject) || !strings.Contains(all, "Set-CASMailbox") {
			t.Errorf("%s:\n%s", way, all)
		}
	}
	v.HVE = true
	if all := strings.Join(Commands(TypeSecret, v), "\n"); !strings.Contains(all, "-AppIds "+someObject) {
		t.Errorf("%s", all)
	}
	if s := Connect(Values{Cloud: "gcc-high", Tenant: "contoso.us"}); s !=
		"Connect-ExchangeOnline -Organization contoso.us -ExchangeEnvironmentName O365USGovGCCHigh" {
		t.Errorf("%q", s)
	}
	for _, kind := range []string{TypeSecret, TypeCertificate, TypeFederated, TypeIdentity, TypeDevice} {
		if len(Steps(kind, someValues())) < 2 || len(Commands(kind, v)) == 0 || Script(kind, v) == "" {
			t.Errorf("%s has no steps", kind)
		}
	}
}

// TestStepsLeaveOutWhatIsDone: what a token proves is not listed.
func TestStepsLeaveOutWhatIsDone(t *testing.T) {
	t.Parallel()
	v := Values{Tenant: someTenant, ClientID: someClient, Mailbox: "a@contoso.com", Way: diagnose.WayAPI}
	count := func() int { return len(Steps(TypeSecret, v)) }
	all := count()
	v.SignedIn, v.ObjectID = true, someObject
	signedIn := count()
	v.Consented = true
	if all != 4 || signedIn != 1 || count() != 0 {
		t.Errorf("%d, %d, %d steps", all, signedIn, count())
	}
	if v.Way = diagnose.WayScoped; !strings.Contains(strings.Join(Steps(TypeSecret, v), "\n"), "remove it") {
		t.Errorf("%q", Steps(TypeSecret, v))
	}
}

// TestTenantPageHasTheCommands: what docs/tenant.md says to type is what setup prints and the script runs.
func TestTenantPageHasTheCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/tenant.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := strings.ReplaceAll(string(text), "<object id>", "<object id of the enterprise application>")
	for _, way := range []string{diagnose.WayScoped, diagnose.WayAPI} {
		v := Values{Tenant: "contoso.onmicrosoft.com", Mailbox: "noreply@contoso.com", Way: way}
		for _, c := range Commands(TypeSecret, v) {
			if !strings.Contains(readme, c+"\n") {
				t.Errorf("docs/tenant.md does not have: %s", c)
			}
		}
	}
}
