#Requires -Version 5.1
# o365-sendmail: let an application send as a mailbox of Microsoft 365.
#
# For a colleague who administers Entra ID and Exchange Online, in PowerShell on any machine. With FILE for its name:
#
#   .\FILE -WhatIf   shows what it would change, and reports what is there
#   .\FILE           changes what is missing; what is there already is left as it is, so it may be run again
#   .\FILE -Undo     takes back what it has made for this application
#
# Where Windows forbids scripts: powershell -ExecutionPolicy Bypass -File .\FILE
#
# Its last lines are a report without secrets. Give them to whoever runs the server, who reads them with:
#   o365-sendmail doctor --tenant-report FILE
#
# Who may run it: for the scoped role, a member of the role group Organization Management in Exchange; for the API
# permission, also a Privileged Role Administrator or Global Administrator in Entra.
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string] $Tenant = '<tenant>',
    # The Application (client) ID.
    [string] $ClientId = '<client id>',
    [string] $Mailbox = '<mailbox>',
    # scoped: the scoped role, Exchange's own for the mailboxes of one group. api: the API permission SMTP.SendAsApp
    # with permissions on the mailbox. hve: an account of High Volume Email.
    [ValidateSet('scoped', 'api', 'hve')]
    [string] $Way = '<way>',
    # The Object ID under Enterprise applications. It is looked up; one that is given is compared.
    [string] $ObjectId = '<object id>',
    # Do without Microsoft Graph: the Object ID must be given, and the API permission is granted in the portal.
    [switch] $NoGraph,
    [switch] $Undo
)
$ErrorActionPreference = 'Stop'
$GroupName = '<group>'
$ScopeName = '<scope>'
$RoleName = '<role>'
$AssignmentName = "<app>-$ClientId"
$ExchangeAppId = '00000002-0000-0ff1-ce00-000000000000'
$Permission = 'SMTP.SendAsApp'
if ($Way -eq 'hve') { $Permission = 'Mail.Send' }
$Caller = $PSCmdlet
$Changes = New-Object System.Collections.ArrayList
$Report = [ordered]@{
    report = '1'
    made = [DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ')
    mode = 'done'
    tenant = $Tenant
    client_id = $ClientId
    way = $Way
    mailbox = $Mailbox
}

# Makes one change. With -WhatIf it only says what it would do.
function Invoke-Change {
    param([string] $Target, [string] $Action, [scriptblock] $Do)
    if ($Caller.ShouldProcess($Target, $Action)) {
        & $Do | Out-Null
        [void] $Changes.Add("$Action ($Target)")
    }
}

# Returns nothing where a lookup finds nothing.
function Find-Quietly {
    param([scriptblock] $Do)
    try { & $Do } catch { $null }
}

function Test-Guid {
    param([string] $Text)
    return $Text -match '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
}

function Format-Answer {
    param([bool] $Answer)
    if ($Answer) { return 'yes' }
    return 'no'
}

# Asks Entra for the application's object ID, and what it may do.
function Find-Application {
    $Script:App = Find-Quietly {
        Invoke-MgGraphRequest -Method GET -Uri "v1.0/servicePrincipals(appId='$ClientId')"
    }
    if (-not $App) {
        $Report.entra_object_id = 'missing'
        throw "Entra knows no enterprise application for the client ID $ClientId in this tenant"
    }
    $Report.tenant = [string] (Get-MgContext).TenantId
    $Report.entra_object_id = [string] $App.id
    $Report.entra_enabled = Format-Answer ([bool] $App.accountEnabled)
    if ($ObjectId -and $ObjectId -ne $App.id) {
        $Registration = Find-Quietly { Invoke-MgGraphRequest -Method GET -Uri "v1.0/applications(appId='$ClientId')" }
        $Report.object_id_given = 'other'
        if ($Registration -and $ObjectId -eq $Registration.id) { $Report.object_id_given = 'registration' }
        Write-Warning "$ObjectId is not the Object ID of the enterprise application; $($App.id) is used"
    }
    $Script:ObjectId = [string] $App.id
    $Script:Exchange = Invoke-MgGraphRequest -Method GET -Uri "v1.0/servicePrincipals(appId='$ExchangeAppId')"
    $Script:AppRole = $Exchange.appRoles | Where-Object { $_.value -eq $Permission } | Select-Object -First 1
}

# Returns the consent to the permission, if there is one.
function Find-Consent {
    $All = Invoke-MgGraphRequest -Method GET -Uri "v1.0/servicePrincipals/$ObjectId/appRoleAssignments"
    return $All.value | Where-Object { $_.resourceId -eq $Exchange.id -and $_.appRoleId -eq $AppRole.id } |
        Select-Object -First 1
}

function Grant-Consent {
    if ($NoGraph -or (Find-Consent)) { return }
    Invoke-Change $ClientId "grant admin consent to $Permission" {
        $Body = @{ principalId = $ObjectId; resourceId = $Exchange.id; appRoleId = $AppRole.id } | ConvertTo-Json
        $Uri = "v1.0/servicePrincipals/$ObjectId/appRoleAssignments"
        Invoke-MgGraphRequest -Method POST -Uri $Uri -Body $Body -ContentType 'application/json'
    }
}

function Revoke-Consent {
    if ($NoGraph) { return }
    $Consent = Find-Consent
    if (-not $Consent) { return }
    Invoke-Change $ClientId "take back the consent to $Permission" {
        Invoke-MgGraphRequest -Method DELETE -Uri "v1.0/servicePrincipals/$ObjectId/appRoleAssignments/$($Consent.id)"
    }
}

# Policies of Entra that may stop a sign-in. What can't be read is not known.
function Find-Policies {
    $Report.security_defaults = 'unknown'
    $Defaults = Find-Quietly {
        Invoke-MgGraphRequest -Method GET -Uri 'v1.0/policies/identitySecurityDefaultsEnforcementPolicy'
    }
    if ($Defaults) { $Report.security_defaults = Format-Answer ([bool] $Defaults.isEnabled) }
    $Report.workload_policies = 'unknown'
    $Policies = Find-Quietly { Invoke-MgGraphRequest -Method GET -Uri 'v1.0/identity/conditionalAccess/policies' }
    if ($Policies) {
        $Names = @($Policies.value | Where-Object {
                $Who = @($_.conditions.clientApplications.includeServicePrincipals)
                $_.state -eq 'enabled' -and ($Who -contains $ObjectId -or $Who -contains 'ServicePrincipalsInMyTenant')
            } | ForEach-Object { $_.displayName })
        $Report.workload_policies = 'none'
        if ($Names.Count -gt 0) { $Report.workload_policies = $Names -join ', ' }
    }
}

# Exchange's own record of the application.
function Find-Record {
    return Get-ServicePrincipal | Where-Object { $_.AppId -eq $ClientId } | Select-Object -First 1
}

function Register-Application {
    $Record = Find-Record
    if ($Record -and [string] $Record.ObjectId -ne $ObjectId) {
        Invoke-Change $ClientId "remove Exchange's record with the wrong object ID $($Record.ObjectId)" {
            Remove-ServicePrincipal -Identity $Record.Identity -Confirm:$false
        }
        $Record = $null
    }
    if (-not $Record) {
        Invoke-Change $ClientId "let Exchange know the application by its object ID $ObjectId" {
            New-ServicePrincipal -AppId $ClientId -ObjectId $ObjectId -DisplayName '<app>'
        }
    }
}

function Unregister-Application {
    $Record = Find-Record
    if ($Record) {
        Invoke-Change $ClientId "remove Exchange's record of the application" {
            Remove-ServicePrincipal -Identity $Record.Identity -Confirm:$false
        }
    }
}

# The tenant's default counts where the mailbox says nothing.
function Find-SmtpAuth {
    $Off = (Get-CASMailbox -Identity $Mailbox).SmtpClientAuthenticationDisabled
    if ($null -ne $Off) {
        if ($Off) { return 'off' }
        return 'on'
    }
    if ((Get-TransportConfig).SmtpClientAuthenticationDisabled) { return 'default-off' }
    return 'default-on'
}

function Enable-SmtpAuth {
    if ((Find-SmtpAuth) -ne 'on') {
        Invoke-Change $Mailbox 'switch SMTP AUTH on for this mailbox' {
            Set-CASMailbox -Identity $Mailbox -SmtpClientAuthenticationDisabled $false
        }
    }
}

function Reset-SmtpAuth {
    if ((Find-SmtpAuth) -eq 'on') {
        Invoke-Change $Mailbox "let the tenant's default say whether SMTP AUTH is on" {
            Set-CASMailbox -Identity $Mailbox -SmtpClientAuthenticationDisabled $null
        }
    }
}

function Find-Member {
    return Find-Quietly { Get-DistributionGroupMember -Identity $GroupName -ResultSize Unlimited } |
        Where-Object { [string] $_.PrimarySmtpAddress -eq [string] $Box.PrimarySmtpAddress } | Select-Object -First 1
}

# What the scoped role gives the application on the mailbox. This does not wait for changes to spread.
function Find-Role {
    return Find-Quietly { Test-ServicePrincipalAuthorization -Identity $ClientId -Resource $Mailbox } |
        Where-Object { $_.RoleName -eq $RoleName }
}

function Test-InScope {
    return @(Find-Role | Where-Object { [string] $_.InScope -eq 'True' }).Count -gt 0
}

function Grant-Role {
    if (-not (Find-Quietly { Get-DistributionGroup -Identity $GroupName })) {
        Invoke-Change $GroupName 'make the security group of the mailboxes that may send' {
            New-DistributionGroup -Name $GroupName -Type Security
        }
    }
    if (-not (Find-Member)) {
        Invoke-Change $Mailbox "put the mailbox into the group $GroupName" {
            Add-DistributionGroupMember -Identity $GroupName -Member $Mailbox -BypassSecurityGroupManagerCheck
        }
    }
    if (-not (Find-Quietly { Get-ManagementScope -Identity $ScopeName })) {
        Invoke-Change $ScopeName "make the management scope of the group $GroupName" {
            $Dn = (Get-DistributionGroup -Identity $GroupName).DistinguishedName -replace "'", "''"
            New-ManagementScope -Name $ScopeName -RecipientRestrictionFilter "MemberOfGroup -eq '$Dn'"
        }
    }
    if (-not (Find-Role)) {
        Invoke-Change $ClientId "give the application the role $RoleName in the scope $ScopeName" {
            New-ManagementRoleAssignment -Name $AssignmentName -Role $RoleName -App $ClientId -CustomResourceScope $ScopeName
        }
    }
}

function Revoke-Role {
    if (Find-Quietly { Get-ManagementRoleAssignment -Identity $AssignmentName }) {
        Invoke-Change $ClientId "take the role $RoleName from the application" {
            Remove-ManagementRoleAssignment -Identity $AssignmentName -Confirm:$false
        }
    }
    # Other applications may use the group and its scope.
    $Others = @(Get-ManagementRoleAssignment -Role $RoleName |
            Where-Object { $_.Name -ne $AssignmentName -and [string] $_.CustomResourceScope -eq $ScopeName })
    if ($Others.Count -gt 0) {
        Write-Warning "the group $GroupName stays: $($Others.Count) other applications send as its mailboxes"
        return
    }
    if (Find-Quietly { Get-ManagementScope -Identity $ScopeName }) {
        Invoke-Change $ScopeName 'remove the management scope' {
            Remove-ManagementScope -Identity $ScopeName -Confirm:$false
        }
    }
    if (Find-Quietly { Get-DistributionGroup -Identity $GroupName }) {
        Invoke-Change $GroupName 'remove the group' {
            Remove-DistributionGroup -Identity $GroupName -BypassSecurityGroupManagerCheck -Confirm:$false
        }
    }
}

function Test-FullAccess {
    return @(Get-MailboxPermission -Identity $Mailbox -User $ObjectId -ErrorAction SilentlyContinue |
            Where-Object { $_.AccessRights -contains 'FullAccess' -and -not $_.Deny }).Count -gt 0
}

function Test-SendAs {
    return @(Get-RecipientPermission -Identity $Mailbox -Trustee $ObjectId -ErrorAction SilentlyContinue |
            Where-Object { $_.AccessRights -contains 'SendAs' }).Count -gt 0
}

function Grant-Mailbox {
    if (-not (Test-FullAccess)) {
        Invoke-Change $Mailbox 'give the application full access to the mailbox' {
            Add-MailboxPermission -Identity $Mailbox -User $ObjectId -AccessRights FullAccess
        }
    }
    if (-not (Test-SendAs)) {
        Invoke-Change $Mailbox 'let the application send as the mailbox' {
            Add-RecipientPermission -Identity $Mailbox -Trustee $ObjectId -AccessRights SendAs -Confirm:$false
        }
    }
}

function Revoke-Mailbox {
    if (Test-FullAccess) {
        Invoke-Change $Mailbox 'take full access to the mailbox from the application' {
            Remove-MailboxPermission -Identity $Mailbox -User $ObjectId -AccessRights FullAccess -Confirm:$false
        }
    }
    if (Test-SendAs) {
        Invoke-Change $Mailbox 'no longer let the application send as the mailbox' {
            Remove-RecipientPermission -Identity $Mailbox -Trustee $ObjectId -AccessRights SendAs -Confirm:$false
        }
    }
}

function Test-HveAccess {
    $Settings = Find-Quietly { Get-HVEAccountSettings -Identity $Mailbox }
    return @($Settings.AllowedApps | Where-Object { [string] $_ -eq $ObjectId }).Count -gt 0
}

# The list of an HVE account takes the object ID of the enterprise application, not the client ID.
function Grant-Hve {
    if (-not (Test-HveAccess)) {
        Invoke-Change $Mailbox 'let the application use the High Volume Email account' {
            Add-HVEAppAccess -Identity $Mailbox -AppIds $ObjectId
        }
    }
}

function Revoke-Hve {
    if (Test-HveAccess) {
        Invoke-Change $Mailbox 'take the High Volume Email account from the application' {
            Remove-HVEAppAccess -Identity $Mailbox -AppIds $ObjectId -Confirm:$false
        }
    }
}

function Find-Mailbox {
    if ($Way -eq 'hve') {
        $Script:Box = Find-Quietly { Get-MailUser -HVEAccount -Identity $Mailbox }
    }
    else {
        $Script:Box = Find-Quietly { Get-Mailbox -Identity $Mailbox }
    }
    $Report.mailbox_type = 'missing'
    if (-not $Box) { throw "there is no mailbox $Mailbox in this organization" }
    $Report.mailbox_type = [string] $Box.RecipientTypeDetails
}

# Sees what there is now, for the report.
function Find-State {
    $Record = Find-Record
    $Report.exchange_object_id = 'missing'
    if ($Record) { $Report.exchange_object_id = [string] $Record.ObjectId }
    if (-not $NoGraph) { $Report.consent = Format-Answer ([bool] (Find-Consent)) }
    if ($Way -eq 'hve') {
        $Report.hve_access = Format-Answer (Test-HveAccess)
        return
    }
    $Report.smtp_auth = Find-SmtpAuth
    $Report.role = Format-Answer ([bool] (Find-Role))
    $Report.in_scope = Format-Answer (Test-InScope)
    $Report.full_access = Format-Answer (Test-FullAccess)
    $Report.send_as = Format-Answer (Test-SendAs)
    $Policy = Find-Quietly { (Get-User -Identity $Mailbox).AuthenticationPolicy }
    $Report.authentication_policy = 'none'
    if ($Policy) { $Report.authentication_policy = [string] $Policy }
}

function Assert-Module {
    param([string] $Name)
    if (-not (Get-Module -ListAvailable -Name $Name)) {
        throw "the module $Name is missing: Install-Module $Name -Scope CurrentUser"
    }
    Import-Module $Name
}

function Connect-All {
    if (-not (Test-Guid $ClientId)) { throw 'set -ClientId to the Application (client) ID' }
    if ($NoGraph -and -not (Test-Guid $ObjectId)) { throw 'set -ObjectId to the Object ID under Enterprise applications' }
    if (-not $NoGraph) {
        Assert-Module Microsoft.Graph.Authentication
        $Scopes = @('Application.Read.All', 'Policy.Read.All')
        if ($Way -ne 'scoped') { $Scopes += 'AppRoleAssignment.ReadWrite.All' }
        Connect-MgGraph -TenantId $Tenant -Scopes $Scopes -Environment <graph environment> -NoWelcome
    }
    Assert-Module ExchangeOnlineManagement
    Connect-ExchangeOnline -Organization $Tenant -ExchangeEnvironmentName <exchange environment> -ShowBanner:$false
}

function Add-Everything {
    if ($Way -ne 'hve') { Register-Application }
    switch ($Way) {
        'scoped' { Enable-SmtpAuth; Grant-Role }
        'api' { Enable-SmtpAuth; Grant-Consent; Grant-Mailbox }
        'hve' { Grant-Consent; Grant-Hve }
    }
}

function Remove-Everything {
    $Report.mode = 'undone'
    switch ($Way) {
        'scoped' { Revoke-Role; Reset-SmtpAuth }
        'api' { Revoke-Mailbox; Revoke-Consent; Reset-SmtpAuth }
        'hve' { Revoke-Hve; Revoke-Consent }
    }
    if ($Way -ne 'hve') { Unregister-Application }
}

try {
    Connect-All
    if (-not $NoGraph) {
        Find-Application
        Find-Policies
    }
    else { $Report.entra_object_id = 'unknown' }
    Find-Mailbox
    if ($Undo) { Remove-Everything } else { Add-Everything }
    if ($WhatIfPreference) { $Report.mode = 'whatif' }
    Find-State
}
catch {
    $Report.mode = 'failed'
    $Report.error = $_.Exception.Message
}
$Report.changes = [string] $Changes.Count
foreach ($Change in $Changes) { Write-Output "done: $Change" }
if ($Report.mode -eq 'done') {
    Write-Output 'Changes take up to 2 hours to reach all of Exchange; until then a sign-in may be refused.'
}
Write-Output '-----BEGIN O365-SENDMAIL TENANT REPORT-----'
foreach ($Key in $Report.Keys) {
    $Value = ([string] $Report[$Key]) -replace '[^\x20-\x7e]+', ' '
    Write-Output "${Key}: $($Value.Substring(0, [Math]::Min(300, $Value.Length)))"
}
Write-Output '-----END O365-SENDMAIL TENANT REPORT-----'
if ($Report.mode -eq 'failed') { exit 1 }
