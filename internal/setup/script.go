package setup

import "strings"

// Steps are the clicks in the portal, in order, with the tenant's values.
func Steps(kind string, v Values) []string {
	app := or(v.ClientID, "your app")
	if kind == TypeIdentity {
		return []string{
			"Azure portal > the virtual machine (or App Service) > Identity: Status On",
			"A managed identity gets the permission by PowerShell only: the script's way 'scoped' needs none. Microsoft does not document managed identities for SMTP: take it as an experiment",
		}
	}
	steps := []string{
		"https://entra.microsoft.com > App registrations > New registration: any name, \"Accounts in this organizational directory only\", no redirect URI (" + app + ")",
	}
	if kind == TypeDevice {
		return append(steps,
			"App registrations > "+app+" > Authentication: Allow public client flows > Yes",
			DelegatedPermission())
	}
	switch kind {
	case TypeCertificate:
		steps = append(steps, "App registrations > "+app+" > Certificates & secrets > Certificates > Upload "+
			"certificate: "+
			or(v.CertFile, "the public part"))
	case TypeFederated:
		steps = append(steps, "App registrations > "+app+" > Certificates & secrets > Federated credentials > Add credential: issuer and subject of the token, audience api://AzureADTokenExchange")
	default:
		steps = append(steps, "App registrations > "+app+" > Certificates & secrets > New client secret: copy the Value, note the day in Expires")
	}
	return append(steps,
		"Way A, the API permission: "+GrantConsent(v)+". A permission on Microsoft Graph that stands there is not needed",
		"Way B, least privilege: no API permission at all; the script gives the application Exchange's role \""+sendRole+"\" for the mailboxes of one group (worldwide cloud and GCC)",
		"Enterprise applications > "+app+": the Object ID there (not the one under App registrations) is "+or(v.ObjectID, "the $ObjectId of the script"))
}

// Script is the PowerShell for both ways, with the tenant's values. It may be run again.
func Script(kind string, v Values) string {
	if kind == TypeDevice {
		return deviceScript(v)
	}
	var b strings.Builder
	line := func(s ...string) { b.WriteString(strings.Join(s, "") + "\n") }
	line("# o365-sendmail: let an application send as a mailbox. For an Exchange administrator, in PowerShell on any machine.")
	line("$AppId    = ", literal(v.ClientID, "<Application (client) ID>"))
	line("$ObjectId = ", literal(v.ObjectID, "<Object ID of the enterprise application>"), "  # Enterprise applications, not App registrations")
	line("$Mailbox  = ", literal(v.Mailbox, "<mailbox>"))
	line("$Way      = 'api'     # 'api':    API permission SMTP.SendAsApp with admin consent, and permissions on the mailbox")
	line("                      # 'scoped': Exchange's role for the mailboxes of one group; no API permission, no permission on the mailbox")
	line("if ($ObjectId -notmatch '^[0-9a-fA-F-]{36}$') { throw 'put in the Object ID: Entra admin center > Enterprise applications > your app' }")
	line()
	line("if (-not (Get-Module -ListAvailable ExchangeOnlineManagement)) { Install-Module ExchangeOnlineManagement -Scope CurrentUser }")
	line("Import-Module ExchangeOnlineManagement")
	line(Connect(v))
	line()
	line("# The mailbox has to exist, and may use SMTP AUTH whatever the tenant's default is.")
	line("Get-EXOMailbox -Identity $Mailbox -ErrorAction Stop | Format-List PrimarySmtpAddress,RecipientTypeDetails")
	line("Set-CASMailbox -Identity $Mailbox -SmtpClientAuthenticationDisabled $false")
	line()
	line("# Exchange's own record of the application. One with another object ID is of no use.")
	line("$sp = Get-ServicePrincipal | Where-Object AppId -eq $AppId")
	line("if ($sp -and $sp.ObjectId -ne $ObjectId) { Remove-ServicePrincipal -Identity $sp.Identity -Confirm:$false; $sp = $null }")
	line("if (-not $sp) { New-ServicePrincipal -AppId $AppId -ObjectId $ObjectId -DisplayName '", appName, "' }")
	line()
	line("if ($Way -eq 'api') {")
	line("    Add-MailboxPermission -Identity $Mailbox -User $ObjectId -AccessRights FullAccess")
	line("    Add-RecipientPermission -Identity $Mailbox -Trustee $ObjectId -AccessRights SendAs -Confirm:$false")
	line("} else {")
	line("    if (-not (Get-DistributionGroup '", groupName, "' -ErrorAction SilentlyContinue)) { New-DistributionGroup -Name '", groupName, "' -Type Security }")
	line("    Add-DistributionGroupMember -Identity '", groupName, "' -Member $Mailbox -ErrorAction SilentlyContinue")
	line("    $dn = (Get-DistributionGroup '", groupName, "').DistinguishedName")
	line("    if (-not (Get-ManagementScope '", scopeName, "' -ErrorAction SilentlyContinue)) { New-ManagementScope -Name '", scopeName, "' -RecipientRestrictionFilter \"MemberOfGroup -eq '$dn'\" }")
	line("    if (-not (Get-ManagementRoleAssignment '", scopeName, "' -ErrorAction SilentlyContinue)) { New-ManagementRoleAssignment -Name '", scopeName, "' -Role '", sendRole, "' -App $AppId -CustomResourceScope '", scopeName, "' }")
	line("    Test-ServicePrincipalAuthorization -Identity $AppId -Resource $Mailbox | Format-Table RoleName,AllowedResourceScope,InScope")
	line("}")
	line("# Changes take up to 2 hours. Then, on the server: sudo o365-sendmail doctor --send-to you@your-domain")
	return b.String()
}

func deviceScript(v Values) string {
	return "# o365-sendmail: let a person's sign-in send by SMTP. For an Exchange administrator, in PowerShell on any machine.\n" +
		Connect(v) + "\n" + enableSMTPAuth(v) + "\n" +
		"# Only if the mailbox is not the one of who signs in:\n" +
		"# Add-MailboxPermission -Identity " + v.mailbox() + " -User <person> -AccessRights FullAccess\n" +
		"# Add-RecipientPermission -Identity " + v.mailbox() + " -Trustee <person> -AccessRights SendAs -Confirm:$false\n"
}

// literal is a PowerShell string.
func literal(s, placeholder string) string {
	if quote(s) == "" {
		s = placeholder
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
