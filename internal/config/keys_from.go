package config

// The values of from.policy, from.sign_in and from.reply_to.
const (
	PolicyRewrite   = "rewrite"
	PolicyKeep      = "keep"
	PolicyMap       = "map"
	SignInMailbox   = "mailbox"
	SignInSender    = "sender"
	ReplyToOriginal = "original"
	ReplyToKeep     = "keep"
)

var fromKeys = []Key{
	{
		Name: "from.policy", Kind: KindEnum, Default: PolicyRewrite, Values: []string{PolicyRewrite, PolicyKeep, PolicyMap},
		Help: "What is done with the sender.",
		More: "\"rewrite\" puts the mailbox in the envelope and in From, with the original sender in the display name. " +
			"\"map\" uses from.map, and rewrites a sender that no rule matches. \"keep\" changes nothing, and Exchange " +
			"decides: a sender of another domain or a private one, and the null sender of -f '', may be refused with " +
			"554 5.2.252 (SendAsDenied) or 501 5.1.7 (not an address), a From that is not an address with " +
			"550 5.7.512. A message with a refused sender that from.send_as does not name is tried three times in " +
			"two hours, and then returned. With \"keep\", a From field that this program adds has from.domain, if " +
			"that is set, or the host's full name; without -f the envelope has the mailbox, or a From that the " +
			"mailbox may use.",
		field: func(c *Config) any { return &c.From.Policy },
	},
	{
		Name: "from.send_as", Kind: KindAddresses, Example: `["shop@contoso.com", "alerts@contoso.com"]`,
		Help:  "Senders besides its own address that the mailbox may use; they are kept.",
		More:  "Each needs Add-RecipientPermission -AccessRights SendAs in Exchange.",
		field: func(c *Config) any { return &c.From.SendAs },
	},
	{
		Name: "from.sign_in", Kind: KindEnum, Default: SignInMailbox, Values: []string{SignInMailbox, SignInSender},
		Help:  "Who signs in: \"mailbox\", or \"sender\" for the From mailbox when it is in from.send_as.",
		More:  "Exchange checks the SendAs right of the mailbox that signs in, not of the application.",
		field: func(c *Config) any { return &c.From.SignIn },
	},
	{
		Name: "from.reply_to", Kind: KindEnum, Default: ReplyToOriginal, Values: []string{ReplyToOriginal, ReplyToKeep},
		Help: "\"original\" puts a rewritten sender that can get mail into Reply-To if the message has no such field; " +
			"\"keep\" leaves Reply-To alone.",
		field: func(c *Config) any { return &c.From.ReplyTo },
	},
	{
		Name: "from.domain", Kind: KindDomain, Example: `"contoso.com"`, Derived: "the mailbox's domain",
		Help:  "The domain that is appended to bare names in From, To, Cc and Reply-To.",
		More:  "It never makes an address of a local recipient: those go through the aliases.",
		field: func(c *Config) any { return &c.From.Domain },
	},
	{
		Name: "from.host_name", Kind: KindDomain, Example: `"web1"`, Derived: "the host's own name",
		Help:  "The host in \"Cron Daemon (root@web1)\" and in Message-ID.",
		field: func(c *Config) any { return &c.From.HostName },
	},
	{
		Name: "from.map", Kind: KindRules, Example: `[{ match = "*@shop.example", to = "shop@contoso.com" }]`,
		Help: "Rules for policy \"map\": match is a sender, with * for any characters; to is the address that " +
			"replaces it.",
		More:  "Case does not matter. The first rule that matches applies. The rules can also be [[from.map]] tables.",
		field: func(c *Config) any { return &c.From.Map },
	},
	{
		Name: "from.sign_in_as", Kind: KindSenderTable, Example: `"shop@contoso.com" = "shop@contoso.com"`,
		Help:  "The mailbox that signs in, by sender: an address or *@domain.",
		More:  "An address takes precedence over its domain. For a sender that is not listed here from.sign_in applies.",
		field: func(c *Config) any { return &c.From.SignAs },
	},
	{
		Name: "from.allow", Kind: KindUserTable, Example: `www-data = ["shop@contoso.com", "*@shop.example"]`,
		Help: "Senders that a user may send as: addresses, *@domain or \"*\", by user name or number; " +
			"another host is \"cert:NAME\" by its certificate (agent.remote_auth); " +
			"\"*\" names all other users, callers over TCP among them. The mailbox replaces a sender that is not allowed.",
		More: "The user \"*\" stands for all users who are not named; without it they may use any sender. " +
			"It also stands for a host with a certificate and for a caller over TCP whose user is not known; without it such a caller may use none. " +
			"The rule judges what is sent, after from.policy and from.map and whichever way the message came: each " +
			"author in From, Sender, Resent-From and Resent-Sender, the envelope's sender, and the mailbox that " +
			"signs in. Everybody may use the mailbox itself.",
		field: func(c *Config) any { return &c.From.AllowedSenders },
	},
}

var aliasKeys = []Key{
	{
		Name: "aliases", Kind: KindAliasTable, Example: `root = "it@contoso.com"` + "\n" + `webmaster = ["root", "web@contoso.com"]`,
		Help:  "A local name, and who gets its mail: an address, a local name, or an array of these.",
		More:  "Case does not matter. Commands and files are refused.",
		field: func(c *Config) any { return &c.Aliases },
	},
}
