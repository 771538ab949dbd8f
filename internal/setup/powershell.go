package setup

import (
	"cmp"
	"strings"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/diagnose"
	"o365-sendmail/xoauth"
)

// Values fill the administrator's commands. What is empty stays a placeholder.
type Values struct {
	Cloud    string // "", "global", "gcc-high", "dod" or "china"
	Tenant   string // Directory (tenant) ID or domain
	ClientID string // Application (client) ID
	// ObjectID is the enterprise application's, as the token's claim oid tells it.
	ObjectID string
	Mailbox  string
	CertFile string // the certificate's, to be uploaded
	// Way is how the application may send (diagnose.WayScoped, diagnose.WayAPI), "" when nobody has told.
	Way string
	// HVE is set for an account of High Volume Email.
	HVE bool
	// SignedIn is set when the application has got a token, Consented when that has the role of the API permission.
	SignedIn, Consented bool
}

// Names of what the scripts make in the tenant.
const (
	appName   = "o365-sendmail"
	groupName = "o365-sendmail mailboxes"
	scopeName = "o365-sendmail"
	sendRole  = "Application SMTP.SendAsApp"
)

func (v Values) tenant() string   { return cmp.Or(diagnose.Quote(v.Tenant), "<tenant id>") }
func (v Values) clientID() string { return cmp.Or(diagnose.Quote(v.ClientID), "<client id>") }
func (v Values) objectID() string {
	return cmp.Or(diagnose.Quote(v.ObjectID), "<object id of the enterprise application>")
}
func (v Values) mailbox() string { return cmp.Or(diagnose.Quote(v.Mailbox), "<mailbox>") }

// Fill puts the known values into a text that has their placeholders.
func (v Values) Fill(text string) string {
	return strings.NewReplacer(
		"<client id>", v.clientID(),
		"<object id of the enterprise application>", v.objectID(),
		"<object id>", cmp.Or(diagnose.Quote(v.ObjectID), "<object id>"),
		"<mailbox>", v.mailbox(),
	).Replace(text)
}

const spread = " (changes take up to 2 h)"

// Connect opens the session that the other commands need.
func Connect(v Values) string {
	env := map[string]string{"gcc-high": "O365USGovGCCHigh", "dod": "O365USGovDoD", "china": "O365China"}[v.Cloud]
	if env != "" {
		env = " -ExchangeEnvironmentName " + env
	}
	return "Connect-ExchangeOnline -Organization " + v.tenant() + env
}

// GrantConsent is the click path of the API permission that the kind of account needs.
func GrantConsent(v Values) string {
	app := cmp.Or(v.ClientID, "your app")
	return "Entra admin center > App registrations > " + app + " > API permissions: Add a permission > APIs my " +
		"organization uses > Office 365 Exchange Online > Application permissions > " + v.Role() +
		", then Grant admin consent"
}

// Role is the application permission that a token for the account has.
func (v Values) Role() string {
	if v.HVE {
		return account.Of(account.HVE).Role
	}
	return account.Of(account.Mailbox).Role
}

// BillHVE shows and sets what a High Volume Email account is billed by; without it no mail goes. Source:
// learn.microsoft.com, Get-HVEAccountBillingPolicy and Set-HVEAccountBillingPolicy.
func BillHVE(v Values) string {
	return "Get-HVEAccountBillingPolicy -Identity " + v.mailbox() + " must show BillingPolicyValid: else " +
		"Set-HVEAccountBillingPolicy -Identity " + v.mailbox() + " -BillingPolicyId <id of the billing policy>"
}

// DelegatedPermission is the click path for a person's sign-in.
func DelegatedPermission() string {
	return "Entra admin center > App registrations > your app > API permissions: Add a permission > Microsoft Graph > Delegated permissions > SMTP.Send; then sign in again: o365-sendmail setup --device-code"
}

// Delegate gives a person the use of a mailbox.
func Delegate(v Values, person string) string {
	who := cmp.Or(diagnose.Quote(person), "<person>")
	return "set mailbox to the address of the user who signed in, or: Add-MailboxPermission -Identity " + v.mailbox() +
		" -User " + who + " -AccessRights FullAccess" + spread
}

// RegisterApp makes Exchange know the application. alsoMailbox adds the other cause that
// looks the same.
func RegisterApp(v Values, alsoMailbox bool) string {
	s := NewServicePrincipal(v) + spread + "; if Get-ServicePrincipal | fl AppId,ObjectId shows another ObjectId for " +
		"it, first: Remove-ServicePrincipal -Identity " + v.clientID()
	if alsoMailbox {
		s += "; if it shows this one already, " + CheckMailbox(v)
	}
	return s
}

// NewServicePrincipal makes Exchange's record of the application.
func NewServicePrincipal(v Values) string {
	return "New-ServicePrincipal -AppId " + v.clientID() + " -ObjectId " + v.objectID() + ` -DisplayName "` + appName + `"`
}

// CheckMailbox looks whether the address is a mailbox.
func CheckMailbox(v Values) string {
	return "Get-EXOMailbox -Identity " + v.mailbox() + " must show a mailbox: else correct mailbox in the configuration, make a shared mailbox (New-Mailbox -Shared -Name o365-sendmail -PrimarySmtpAddress " + v.mailbox() + ") or give the user a licence"
}

// GrantMailbox gives the application the mailbox, as the API permission needs it.
func GrantMailbox(v Values) string {
	return addMailboxPermission(v) + "; " + addRecipientPermission(v) + spread
}

// GrantSendAs lets the mailbox, or the application itself, send as from.
func GrantSendAs(v Values, from string) string {
	if strings.EqualFold(from, v.Mailbox) {
		return addRecipientPermission(v) + spread + "; and let messages have the From address " + v.Mailbox + " (from.policy = \"rewrite\")"
	}
	return "Add-RecipientPermission -Identity " + cmp.Or(diagnose.Quote(from), "<the From address>") + " -Trustee " +
		v.mailbox() + " -AccessRights SendAs -Confirm:$false" + spread + "; or take the address out of from.send_as"
}

func addMailboxPermission(v Values) string {
	return "Add-MailboxPermission -Identity " + v.mailbox() + " -User " + v.objectID() + " -AccessRights FullAccess"
}

func addRecipientPermission(v Values) string {
	return "Add-RecipientPermission -Identity " + v.mailbox() + " -Trustee " + v.objectID() + " -AccessRights SendAs -Confirm:$false"
}

func enableSMTPAuth(v Values) string {
	return "Set-CASMailbox -Identity " + v.mailbox() + " -SmtpClientAuthenticationDisabled $false"
}

// GrantHVE lets the application use an account of High Volume Email. The list takes the object ID of the enterprise
// application. Source: learn.microsoft.com, Add-HVEAppAccess.
func GrantHVE(v Values) string {
	return "Add-HVEAppAccess -Identity " + v.mailbox() + " -AppIds " + v.objectID()
}

// AssignRole gives the application Exchange's own role within a scope.
func AssignRole(v Values) string {
	return newRoleAssignment(v) + " after New-ServicePrincipal and New-ManagementScope; " + testScope(v) + spread
}

// JoinScope puts the mailbox among those that the role covers.
func JoinScope(v Values) string {
	return `Add-DistributionGroupMember -Identity "` + groupName + `" -Member ` + v.mailbox() +
		"; " + testScope(v) + spread
}

// newRoleAssignment has a name of its own for each application: several may share group and scope.
func newRoleAssignment(v Values) string {
	name := appName + "-<client id>"
	if xoauth.IsGUID(v.ClientID) {
		name = appName + "-" + v.ClientID
	}
	return `New-ManagementRoleAssignment -Name "` + name + `" -Role "` + sendRole + `" -App ` + v.clientID() +
		` -CustomResourceScope "` + scopeName + `"`
}

func testScope(v Values) string {
	return "Test-ServicePrincipalAuthorization -Identity " + v.clientID() + " -Resource " + v.mailbox() +
		" must show InScope True"
}

// Renewal says how a credential of that type is renewed.
func Renewal(kind string, v Values) string {
	app := cmp.Or(v.ClientID, "your app")
	if kind == TypeCertificate {
		return "sudo o365-sendmail credential new-certificate makes a key and a certificate; upload the certificate: " +
			"Entra admin center > App registrations > " + app + " > Certificates & secrets > Certificates > Upload " +
			"certificate; then sudo o365-sendmail credential promote switches to it"
	}
	return "make a new secret: Entra admin center > App registrations > " + app +
		" > Certificates & secrets > New client " +
		"secret; give its Value to: sudo o365-sendmail credential set-secret --expires DAY"
}
