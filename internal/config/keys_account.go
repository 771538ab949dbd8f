package config

import "o365-sendmail/internal/account"

var accountKeys = []Key{
	{
		Name: "tenant", Kind: KindTenant, Required: true, Example: `"contoso.onmicrosoft.com"`,
		Help: "The Directory (tenant) ID, or a domain that the tenant has verified.",
		More: "The names common, organizations and consumers are refused, because an application signs in to one " +
			"tenant; only credential.type = \"device-code\" allows them. Not needed with credential.type = " +
			"\"managed-identity\".",
		field: func(c *Config) any { return &c.Tenant },
	},
	{
		Name: "client_id", Kind: KindGUID, Required: true, Example: `"00000000-0000-0000-0000-000000000000"`,
		Help:  "The Application (client) ID of the app registration.",
		More:  "Not the Object ID, and not the Secret ID. Not needed with credential.type = \"managed-identity\".",
		field: func(c *Config) any { return &c.ClientID },
	},
	{
		Name: "client_secret", Kind: KindSecret, Required: true, Example: `"the secret's Value, not its Secret ID"`,
		Help: "The client secret's Value.",
		More: "The portal shows it only once, when the secret is created. A file with this key must not be readable " +
			"by others. Set this key, or client_secret_file, or a [credential] of another type.",
		field: func(c *Config) any { return &c.ClientSecret },
	},
	{
		Name: "client_secret_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail.secret"`,
		Help: "A file that holds the client secret and nothing else.",
		More: "Line ends after the secret are dropped. \"credential:NAME\" names a systemd credential: " +
			"the file NAME in $CREDENTIALS_DIRECTORY, made by LoadCredential=NAME:FILE. The file is read again for " +
			"each token request, so that a rotated secret is seen.",
		field: func(c *Config) any { return &c.ClientSecretFile },
	},
	{
		Name: "client_secret_next", Kind: KindSecret, Example: `"the Value of the secret that follows"`,
		Help:  "A second secret, for the time when one secret replaces another.",
		More:  "It is tried when Entra refuses the first secret.",
		field: func(c *Config) any { return &c.SecondSecret },
	},
	{
		Name: "client_secret_next_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail.secret-next"`,
		Help:  "A file that holds the second secret and nothing else.",
		More:  "The same rules apply as to client_secret_file.",
		field: func(c *Config) any { return &c.SecondSecretFile },
	},
	{
		Name: "secret_expires", Kind: KindDate, Example: `2027-01-31`, Optional: true,
		Help:  "The day on which the client secret expires, as the portal shows it.",
		More:  "Warnings come 30, 14, 7 and 1 days before that day. A certificate states its own date.",
		field: func(c *Config) any { return &c.SecretExpires },
	},
	{
		Name: "mailbox", Kind: KindAddress, Required: true, Example: `"noreply@contoso.com"`,
		Help: "The mailbox that signs in and sends.",
		More: "Its address is the envelope sender unless the keys of [from] say otherwise. With kind = \"relay\" it is " +
			"the address that mail of this host has, and the relay decides whether it may.",
		field: func(c *Config) any { return &c.Mailbox },
	},
	{
		Name: "mailboxes", Kind: KindAddresses, Example: `["noreply2@contoso.com", "noreply3@contoso.com"]`,
		Help: "Further mailboxes that share the work of mailbox, each with limits of its own.",
		More: "A message for which no rule of [from] names a mailbox is sent by mailbox or by one of these, " +
			"whichever has the least to do and is not paused. A message that waits for a mailbox stays with it " +
			"until the agent starts again. " +
			"The From field and the envelope sender are the same as with mailbox alone, so each of these mailboxes " +
			"needs SendAs for mailbox and for the addresses of from.send_as: Add-RecipientPermission -Identity " +
			"noreply@contoso.com -Trustee noreply2@contoso.com -AccessRights SendAs. " +
			"An address for which only one mailbox has SendAs needs a line in from.sign_in_as. " +
			"The application must be allowed to use each mailbox. High Volume Email has no such pool.",
		field: func(c *Config) any { return &c.Pool },
	},
	{
		Name: "kind", Kind: KindEnum, Values: []string{account.Mailbox, account.HVE, account.Relay}, Example: `"mailbox"`,
		Derived: "\"hve\" where smtp.host is a host of High Volume Email, else \"mailbox\"",
		Help: "What the account is: a mailbox of Exchange Online, an account of High Volume Email, or another " +
			"host's agent as the relay.",
		More: "It determines the relay and the limits in [delivery] that are not set. \"hve\" has no limit of " +
			"messages a minute, sends only under its own address and only inside the organization, takes 50 " +
			"recipients and 10 MB a message, needs a billing policy, and needs the permission Mail.Send of " +
			"Office 365 Exchange Online. \"relay\" hands all mail to the agent at smtp.host, which signs in and keeps " +
			"to the mailbox's rates; this host shows it credential.certificate_file and key_file, and has no tenant, " +
			"no client_id and no token.",
		field: func(c *Config) any { return &c.Kind },
	},
	{
		Name: "way", Kind: KindEnum, Values: []string{"scoped", "api"}, Example: `"scoped"`, Optional: true,
		Help: "How the application was allowed to send: by the scoped role or by the API permission.",
		More: "\"scoped\" is Exchange's role \"Application SMTP.SendAsApp\" for the mailboxes of one group. " +
			"\"api\" is the permission SMTP.SendAsApp in Entra with admin consent, and permissions on each mailbox. " +
			"A token does not show which was meant: with this key, o365-sendmail doctor, mailq and the log name one " +
			"remedy instead of two. The key changes nothing else.",
		field: func(c *Config) any { return &c.Way },
	},
	{
		Name: "cloud", Kind: KindEnum, Default: "global", Values: []string{"global", "gcc-high", "dod", "china"},
		Help: "The Microsoft cloud that the tenant is in.",
		More: "It determines the sign-in host, the scope and the relay. A GCC tenant is in \"global\". \"china\" is the " +
			"cloud that 21Vianet operates.",
		field: func(c *Config) any { return &c.Cloud },
	},
	{
		Name: "root_to", Kind: KindAddress, Example: `"it@contoso.com"`,
		Help:  "Where mail for root and for local names without an alias goes.",
		More:  "Without this key such mail is refused: a local name never gets the tenant's domain.",
		field: func(c *Config) any { return &c.RootTo },
	},
	{
		Name: "alert_to", Kind: KindAddress, Example: `"it@contoso.com"`, Optional: true,
		Help:  "Who is told by mail when delivery stops or a secret is about to expire.",
		More:  "Without this key only the log, mailq, o365-sendmail doctor and the ways of [alerts] report it.",
		field: func(c *Config) any { return &c.AlertTo },
	},
	{
		Name: "bounce_to", Kind: KindAddress, Example: `"it@contoso.com"`,
		Help:  "Who gets a failure report when the envelope sender can't get mail.",
		More:  "Without this key such a message is kept in the spool's failed directory.",
		field: func(c *Config) any { return &c.BounceTo },
	},
	{
		Name: "aliases_file", Kind: KindPath, Default: "/etc/aliases", Empty: true,
		Help:  "The aliases(5) file that is looked up after [aliases]; \"\" for none.",
		More:  "Commands, files and :include: in it are skipped with one warning.",
		field: func(c *Config) any { return &c.AliasesFile },
	},
}

var credentialKeys = []Key{
	{
		Name: "credential.type", Kind: KindEnum, Derived: "what the other keys of this table call for, else \"secret\"",
		Values:  []string{TypeSecret, TypeCertificate, TypeFederated, TypeManagedIdentity, TypeDeviceCode},
		Example: `"certificate"`,
		Help:    "The kind of credential.",
		More: "\"secret\" is client_secret or client_secret_file. \"federated\" is a token of another issuer, as in " +
			"Kubernetes. \"managed-identity\" is the identity of a machine in Azure. \"device-code\" is the sign-in " +
			"of a person with o365-sendmail setup.",
		field: func(c *Config) any { return &c.Credential.Type },
	},
	{
		Name: "credential.certificate_file", Kind: KindPath, Example: `"/etc/o365-sendmail/client.pem"`,
		Help: "The certificate that the app registration knows, or the relay with kind = \"relay\", as PEM.",
		More: "The file may hold the private key and other certificates, too: of the certificates for the key, the " +
			"newest valid one is used.",
		field: func(c *Config) any { return &c.Credential.CertificateFile },
	},
	{
		Name: "credential.key_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail/client.key"`,
		Derived: "certificate_file",
		Help:    "The certificate's private key, as PEM.",
		More:    "The same rules of owner and mode apply as to client_secret_file; \"credential:NAME\" works here, too.",
		field:   func(c *Config) any { return &c.Credential.KeyFile },
	},
	{
		Name: "credential.pfx_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail/client.pfx"`,
		Help:  "Certificate and key in one PKCS #12 file, instead of certificate_file and key_file.",
		More:  "The file may be base64 text, as Azure Key Vault exports it.",
		field: func(c *Config) any { return &c.Credential.PFXFile },
	},
	{
		Name: "credential.passphrase_file", Kind: KindSecretFile, Example: `"credential:pfx-passphrase"`,
		Help:  "A file that holds the passphrase of key_file or pfx_file.",
		More:  "Not needed if key_file or pfx_file has no passphrase.",
		field: func(c *Config) any { return &c.Credential.PassphraseFile },
	},
	{
		Name: "credential.algorithm", Kind: KindEnum, Default: "PS256", Values: []string{"PS256", "RS256"},
		Help:  "The signature of the certificate's assertion.",
		field: func(c *Config) any { return &c.Credential.Algorithm },
	},
	{
		Name: "credential.token_file", Kind: KindPath, Example: `"/var/run/secrets/azure/tokens/azure-identity-token"`,
		Derived: "the file that AZURE_FEDERATED_TOKEN_FILE names",
		Help:    "The file with the other issuer's token.",
		More: "It is read again for each token request. Everybody may be able to read it, as Kubernetes mounts it, " +
			"because such a token is valid for minutes.",
		field: func(c *Config) any { return &c.Credential.TokenFile },
	},
	{
		Name: "credential.identity_client_id", Kind: KindGUID, Example: `"00000000-0000-0000-0000-000000000000"`,
		Help:  "The client ID of a user-assigned managed identity.",
		More:  "Set at most one of the three identity names; none means the system-assigned identity.",
		field: func(c *Config) any { return &c.Credential.IdentityClientID },
	},
	{
		Name: "credential.identity_object_id", Kind: KindGUID, Example: `"00000000-0000-0000-0000-000000000000"`,
		Help:  "The object ID of a user-assigned managed identity.",
		field: func(c *Config) any { return &c.Credential.IdentityObjectID },
	},
	{
		Name: "credential.identity_resource_id", Kind: KindString, Example: `"/subscriptions/.../userAssignedIdentities/mail"`,
		Help:  "The Azure resource ID of a user-assigned managed identity.",
		field: func(c *Config) any { return &c.Credential.IdentityResourceID },
	},
	{
		Name: "credential.identity_endpoint", Kind: KindHTTP, Example: `"http://169.254.169.254/metadata/identity/oauth2/token"`,
		Derived: "detected: App Service, Azure Arc, else IMDS",
		Help:    "The identity endpoint.",
		field:   func(c *Config) any { return &c.Credential.IdentityEndpoint },
	},
	{
		Name: "credential.refresh_token_file", Kind: KindPath, Example: `"/var/lib/o365-sendmail/refresh-token"`,
		Derived: "a file in cache.dir",
		Help:    "Where the refresh token of a device-code sign-in is kept.",
		More:    "The program writes it, so its directory must belong to the service user.",
		field:   func(c *Config) any { return &c.Credential.RefreshTokenFile },
	},
}
