package setup

import (
	"cmp"
	_ "embed"
	"strings"

	"o365-sendmail/internal/diagnose"
)

// tenantScript is the PowerShell for every way, with placeholders for the tenant's values.
//
//go:embed tenant.ps1
var tenantScript string

// What the script calls the clouds. Source: learn.microsoft.com, Connect-ExchangeOnline and Connect-MgGraph.
var environments = map[string]struct{ exchange, graph string }{
	"":         {"O365Default", "Global"},
	"global":   {"O365Default", "Global"},
	"gcc-high": {"O365USGovGCCHigh", "USGov"},
	"dod":      {"O365USGovDoD", "USGovDoD"},
	"china":    {"O365China", "China"},
}

// way is the one that is meant, or the better one of the cloud's.
func (v Values) way() string {
	switch {
	case v.HVE:
		return diagnose.WayHVE
	case v.Way != "":
		return v.Way
	}
	return guessWay(&Answers{Cloud: v.Cloud})
}

// Script is a PowerShell file for the tenant's administrator: it makes what is missing, or undoes it, and reports.
// Where a person signs in it is only the commands.
func Script(kind string, v Values) string {
	if kind == TypeDevice {
		return "# o365-sendmail: let a person's sign-in send by SMTP. For an Exchange administrator, in " +
			"PowerShell on any " +
			"machine.\n" + strings.Join(Commands(kind, v), "\n") + "\n"
	}
	env := environments[v.Cloud]
	return strings.NewReplacer(
		"'<tenant>'", literal(v.Tenant, "<tenant>"), "'<client id>'", literal(v.ClientID, "<client id>"),
		"'<mailbox>'", literal(v.Mailbox, "<mailbox>"), "'<object id>'", literal(v.ObjectID, ""),
		"<way>", v.way(), "<group>", groupName, "<scope>", scopeName, "<role>", sendRole, "<app>", appName,
		"<exchange environment>", env.exchange, "<graph environment>", env.graph,
	).Replace(tenantScript)
}

// IsScript reports whether a text is a script of ours, which a newer one may replace.
func IsScript(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# o365-sendmail: ") {
			return true
		}
		if !strings.HasPrefix(line, "#") {
			break
		}
	}
	return false
}

// Commands are the ones that the script runs where nothing is there yet, for a person to type.
func Commands(kind string, v Values) []string {
	list := []string{Connect(v)}
	if kind == TypeDevice {
		return append(list, enableSMTPAuth(v), "# Only if the mailbox is not that of the user who signs in:",
			"# Add-MailboxPermission -Identity "+v.mailbox()+" -User <person> -AccessRights FullAccess",
			"# Add-RecipientPermission -Identity "+v.mailbox()+" -Trustee <person> -AccessRights SendAs "+
				"-Confirm:$false")
	}
	if v.way() == diagnose.WayHVE {
		return append(list, GrantHVE(v), "Get-HVEAccountBillingPolicy -Identity "+v.mailbox()+
			" | fl BillingPolicyStatus")
	}
	list = append(list, NewServicePrincipal(v), enableSMTPAuth(v))
	if v.way() == diagnose.WayAPI {
		return append(list, addMailboxPermission(v), addRecipientPermission(v))
	}
	return append(list,
		`New-DistributionGroup -Name "`+groupName+`" -Type Security -Members `+v.mailbox(),
		`$dn = (Get-DistributionGroup "`+groupName+`").DistinguishedName`,
		`New-ManagementScope -Name "`+scopeName+`" -RecipientRestrictionFilter "MemberOfGroup -eq '$dn'"`,
		newRoleAssignment(v), strings.TrimSuffix(testScope(v), " must show InScope True")+
			" | ft RoleName,AllowedResourceScope,InScope")
}

// Steps are what is left to do in the portal, in order, with the tenant's values. What the token in our hand
// proves is done.
func Steps(kind string, v Values) []string {
	if kind == TypeIdentity {
		return append(identitySteps(v), wayStep(v)...)
	}
	var steps []string
	if !v.SignedIn {
		steps = append(steps, registerSteps(kind, v)...)
	}
	if kind == TypeDevice {
		return steps
	}
	steps = append(steps, wayStep(v)...)
	if v.ObjectID == "" {
		steps = append(steps, "Enterprise applications > "+cmp.Or(v.ClientID, "your app")+
			": note the Object ID there (not the "+
			"one under App registrations) for New-ServicePrincipal")
	}
	return steps
}

func identitySteps(v Values) []string {
	if v.SignedIn {
		return nil
	}
	return []string{
		"Azure portal > the virtual machine (or App Service) > Identity: Status On",
		"Microsoft does not document managed identities for SMTP: take it as an experiment",
	}
}

// registerSteps make the application and its credential.
func registerSteps(kind string, v Values) []string {
	app := cmp.Or(v.ClientID, "your app")
	secrets := "App registrations > " + app + " > Certificates & secrets > "
	steps := []string{"https://entra.microsoft.com > App registrations > New registration: " +
		"any name, \"Accounts in this " +
		"organizational directory only\", no redirect URI (" + app + ")"}
	switch kind {
	case TypeDevice:
		return append(steps, "App registrations > "+app+" > Authentication: Allow public client flows > Yes",
			DelegatedPermission())
	case TypeCertificate:
		return append(steps, secrets+"Certificates > Upload certificate: "+cmp.Or(v.CertFile, "the public part"))
	case TypeFederated:
		return append(steps, secrets+"Federated credentials > Add credential: issuer and subject of the "+
			"token, audience "+
			"api://AzureADTokenExchange")
	}
	return append(steps, secrets+"New client secret: copy the Value, note the day in Expires. Where a policy forbids "+
		"secrets, upload a certificate: o365-sendmail setup --new-certificate")
}

// wayStep says what the way needs in Entra.
func wayStep(v Values) []string {
	scoped := "The scoped role needs no API permission: the PowerShell below gives the application Exchange's role \"" +
		sendRole + "\" for the mailboxes of one group (worldwide cloud)"
	api := "The API permission: " + GrantConsent(v) + ". A permission on Microsoft Graph is not needed"
	switch {
	case v.HVE:
		return hveSteps(v)
	case v.Way == diagnose.WayScoped && v.Consented:
		return []string{"The token has the permission SMTP.SendAsApp, which the scoped role does without and " +
			"which brings " +
			"permissions on each mailbox back: Entra admin center > App registrations > " + cmp.Or(v.ClientID,
			"your app") +
			" > API permissions: remove it"}
	case v.Way == diagnose.WayScoped:
		return []string{scoped}
	case v.Consented:
		return nil
	case v.Way == diagnose.WayAPI:
		return []string{api}
	}
	return []string{scoped + ". Or:", api}
}

// hveSteps are those of an account of High Volume Email.
func hveSteps(v Values) []string {
	var steps []string
	if !v.Consented {
		steps = append(steps, "High Volume Email: "+GrantConsent(v))
	}
	return append(steps, "The account of High Volume Email needs a billing policy, which is connected in the "+
		"Microsoft 365 "+
		"admin center, and sends inside the organization only: "+BillHVE(v))
}

// literal is a PowerShell string.
func literal(s, placeholder string) string {
	if diagnose.Quote(s) == "" {
		s = placeholder
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
