package config

import (
	"time"

	"o365-sendmail/internal/account"
)

const (
	ms   = int64(time.Millisecond)
	sec  = int64(time.Second)
	minu = int64(time.Minute)
	hour = int64(time.Hour)
	mib  = int64(1 << 20)
	gib  = int64(1 << 30)
)

// The values of delivery.pace.
const (
	PaceStrict = "strict"
	PaceLearn  = "learn"
)

var smtpKeys = []Key{
	{
		Name: "smtp.host", Kind: KindHost, Example: `"smtp.office365.com"`,
		Derived: "the cloud's, and smtp.hve.mx.microsoft with kind = \"hve\"",
		Help:    "The relay's host name.",
		More:    "The relay's certificate must be for this name.",
		field:   func(c *Config) any { return &c.SMTP.Host },
	},
	{
		Name: "smtp.port", Kind: KindInt, Default: 587, Min: 1, Max: 65535,
		Help:  "The relay's port. TLS is required on every port.",
		More:  "With smtp.tls = \"implicit\" it is 465 unless it is set.",
		field: func(c *Config) any { return &c.SMTP.Port },
	},
	{
		Name: "smtp.tls", Kind: KindEnum, Default: TLSStart, Values: []string{TLSStart, TLSImplicit},
		Help:  "How TLS begins: by STARTTLS, or from the first byte (\"implicit\").",
		More:  "Only a relay (kind = \"relay\") can have another than \"starttls\".",
		field: func(c *Config) any { return &c.SMTP.TLS },
	},
	{
		Name: "smtp.server_name", Kind: KindHost, Example: `"relay.example.org"`, Derived: "smtp.host",
		Help:  "The name that the relay's certificate must be for.",
		More:  "Only with kind = \"relay\".",
		field: func(c *Config) any { return &c.SMTP.ServerName },
	},
	{
		Name: "smtp.ipv4_only", Kind: KindBool, Default: false,
		Help:  "Never use IPv6 for the relay.",
		field: func(c *Config) any { return &c.SMTP.IPv4Only },
	},
	{
		Name: "smtp.timeout", Kind: KindDuration, Default: "60s", Min: sec, Max: hour,
		Help:  "How long to wait for a connection, and for each reply.",
		field: func(c *Config) any { return &c.SMTP.Timeout },
	},
	{
		Name: "smtp.idle_timeout", Kind: KindDuration, Default: "30s", Min: 0, Max: 20 * minu, Optional: true,
		Help:  "How long the agent keeps an idle connection; \"0s\" closes it after each message.",
		field: func(c *Config) any { return &c.SMTP.IdleTimeout },
	},
	{
		Name: "smtp.pipeline_auth", Kind: KindBool, Default: false,
		Help: "Send the sign-in and the message together.",
		More: "It saves one of eight round trips when a program delivers without the agent. RFC 4954 allows it, and " +
			"Exchange Online is not known to refuse it; a gateway before it may.",
		field: func(c *Config) any { return &c.SMTP.PipelineAuth },
	},
	{
		Name: "smtp.chunking", Kind: KindEnum, Default: "auto", Values: []string{"auto", "on", "off"},
		Help: "Whether messages are sent by BDAT (RFC 3030) where the relay offers CHUNKING, or by DATA.",
		More: "\"auto\" begins with BDAT. When the relay refuses it, the message is sent by DATA in the same call; " +
			"when the relay never answers, by DATA at the next try. " +
			"This host then uses DATA with that relay for a day. \"on\" never changes to DATA; " +
			"\"off\" never uses BDAT.",
		field: func(c *Config) any { return &c.SMTP.Chunking },
	},
	{
		Name: "smtp.eight_bit", Kind: KindEnum, Default: "auto", Values: []string{"auto", "on", "off"},
		Help: "Whether 8-bit text is sent as it is, or encoded as quoted-printable or base64.",
		More: "\"auto\" encodes text in the parts of a multipart that no signature covers (DKIM, ARC, S/MIME, " +
			"PGP/MIME), because Exchange Online has been seen to damage it, and nothing else. " +
			"\"on\" encodes nothing; \"off\" encodes all 8-bit text. For a relay without 8BITMIME all of it is " +
			"encoded, whatever the key says, in messages that are already in the queue, too.",
		field: func(c *Config) any { return &c.SMTP.EightBit },
	},
	{
		Name: "smtp.ehlo_name", Kind: KindDomain, Example: `"web1.contoso.com"`, Derived: "the host's own name",
		Help:  "The name that EHLO gives to the relay.",
		field: func(c *Config) any { return &c.SMTP.EHLOName },
	},
	{
		Name: "smtp.proxy", Kind: KindSOCKS, Example: `"socks5://proxy.contoso.com:1080"`,
		Help:  "A SOCKS5 proxy for the relay.",
		More:  "Proxies are never taken from the environment. A user name or password in the URL is not supported.",
		field: func(c *Config) any { return &c.SMTP.Proxy },
	},
}

var tokenKeys = []Key{
	{
		Name: "token.url", Kind: KindHTTPS, Example: `"https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"`,
		Derived: "made from cloud and tenant",
		Help:    "The token endpoint.",
		More:    "The secret is sent there. Redirects are not followed.",
		field:   func(c *Config) any { return &c.Token.URL },
	},
	{
		Name: "token.scope", Kind: KindString, Example: `"https://outlook.office365.com/.default"`, Derived: "the cloud's",
		Help:  "The scope that a token is requested for.",
		field: func(c *Config) any { return &c.Token.Scope },
	},
	{
		Name: "token.timeout", Kind: KindDuration, Default: "30s", Min: sec, Max: 10 * minu,
		Help:  "How long one token request may take.",
		field: func(c *Config) any { return &c.Token.Timeout },
	},
	{
		Name: "token.proxy", Kind: KindProxy, Example: `"http://proxy.contoso.com:3128"`,
		Help:  "An HTTP (CONNECT) or SOCKS5 proxy for the token endpoint.",
		More:  "The same rules apply as to smtp.proxy.",
		field: func(c *Config) any { return &c.Token.Proxy },
	},
}

var tlsKeys = []Key{
	{
		Name: "tls.ca_file", Kind: KindPath, Example: `"/etc/ssl/certs/ca-certificates.crt"`, Derived: "the system's bundle",
		Help:  "A PEM file with the certificate authorities that are trusted.",
		More:  "It replaces the system's certificates. SSL_CERT_FILE and SSL_CERT_DIR have no effect.",
		field: func(c *Config) any { return &c.TLS.CAFile },
	},
	{
		Name: "tls.min_version", Kind: KindEnum, Default: "1.2", Values: []string{"1.2", "1.3"},
		Help:  "The oldest TLS version that is accepted.",
		field: func(c *Config) any { return &c.TLS.MinVersion },
	},
}

var cacheKeys = []Key{
	{
		Name: "cache.dir", Kind: KindPath, Default: DefaultCache,
		Help: "The directory of access tokens. It is created with mode 0700.",
		More: "For a configuration file in ~/.config the default is ~/.cache/o365-sendmail. When the directory can't " +
			"be used, each process requests a token of its own.",
		field: func(c *Config) any { return &c.Cache.Dir },
	},
}

var deliveryKeys = []Key{
	{
		Name: "delivery.mode", Kind: KindEnum, Default: "interactive", Values: []string{"interactive", "background", "queue"},
		Help: "When the caller gets its answer.",
		More: "\"interactive\" waits for Exchange, at most delivery.wait. \"background\" answers as soon as the message " +
			"is on disk. \"queue\" leaves it there until the next queue run. The flags -odi, -odb and -odq set the " +
			"mode of one call.",
		field: func(c *Config) any { return &c.Delivery.Mode },
	},
	{
		Name: "delivery.wait", Kind: KindDuration, Default: "10s", Min: 0, Max: 10 * minu,
		Help:  "How long an interactive caller waits for Exchange before the message is queued.",
		field: func(c *Config) any { return &c.Delivery.Wait },
	},
	{
		Name: "delivery.connections", Kind: KindInt, Min: 1, Max: 100,
		ofKind: func(k *account.Kind) any { return k.Connections },
		Help:   "Connections to the relay at one time.",
		More: "Exchange Online refuses a mailbox's fourth connection with \"432 4.3.2\". A value over 3 gives a " +
			"warning, and helps only with another relay.",
		field: func(c *Config) any { return &c.Delivery.Connections },
	},
	{
		Name: "delivery.messages_per_minute", Kind: KindInt, Min: 0, Max: 100000,
		ofKind: func(k *account.Kind) any { return k.MessagesPerMinute },
		Help:   "Messages to the relay in a minute; 0 for no limit.",
		More: "Microsoft's limit for a mailbox is 30: one page says that further messages are refused, another that " +
			"they are carried over to the next minutes. Without a limit, messages are sent before the replies to " +
			"earlier ones have come.",
		field: func(c *Config) any { return &c.Delivery.MessagesPerMinute },
	},
	{
		Name: "delivery.pace", Kind: KindEnum, Default: PaceStrict, Values: []string{PaceStrict, PaceLearn},
		Help: "Whether delivery.messages_per_minute is the rate, or the relay's rate is found by trial.",
		More: "\"strict\" never sends more in a minute. " +
			"\"learn\" sends as fast as the relay takes messages. When it refuses one because of the rate, or " +
			"throttles the mailbox, delivery.messages_per_minute is kept for an hour; then the limit doubles every " +
			"ten minutes, and after another hour there is none. All processes of the host share what was learned, " +
			"in cache.dir. " +
			"The limit of recipients a day and its shares still apply; the shares of a minute apply only while there " +
			"is a limit. " +
			"What is known of Exchange Online: Microsoft's page says that the excess is throttled and carried " +
			"over to the following minutes, and the log of one sender shows 660 messages a minute for a long time " +
			"without a refusal. " +
			"The risk: a mailbox that sends too much may be throttled for hours, and many messages at once look like " +
			"spam to Microsoft, which may block the mailbox. " +
			"Several hosts that send as one mailbox do not know of each other: use \"strict\" there.",
		field: func(c *Config) any { return &c.Delivery.Pace },
	},
	{
		Name: "delivery.recipients_per_day", Kind: KindInt, Min: 0, Max: 10000000,
		ofKind: func(k *account.Kind) any { return k.RecipientsPerDay },
		Help:   "Recipients in 24 hours; 0 for no limit.",
		More:   "Exchange Online allows a mailbox 10,000.",
		field:  func(c *Config) any { return &c.Delivery.RecipientsPerDay },
	},
	{
		Name: "delivery.reserve_percent", Kind: KindInt, Default: 10, Min: 0, Max: 40,
		Help: "How much of delivery.messages_per_minute and delivery.recipients_per_day is kept for root, the " +
			"service user and alerts, in percent.",
		More: "Messages of other users wait in the queue when the rest is used up; mailq says why. " +
			"A process without an agent does not know of other users, so it keeps only this reserve. " +
			"At least half of each limit is left for everybody.",
		field: func(c *Config) any { return &c.Delivery.ReservePercent },
	},
	{
		Name: "delivery.small_reserve_percent", Kind: KindInt, Default: 5, Min: 0, Max: 40,
		Help: "How much more is kept for users who have sent little, in percent.",
		More: "Each such user gets a fifth of it. The subordinate ids of a user (/etc/subuid) count as that user, and " +
			"all ids that are neither there nor in /etc/passwd, such as those of a directory service, count as one " +
			"user. The agent counts from its start.",
		field: func(c *Config) any { return &c.Delivery.SmallReservePercent },
	},
	{
		Name: "delivery.user_share_percent", Kind: KindInt, Default: 50, Min: 0, Max: 100,
		Help: "How much of the rest one user gets while messages of others wait, in percent; 0 for no limit.",
		More: "Further messages of that user wait in the queue until the others' have been sent; mailq says so. " +
			"Users take turns in any case.",
		field: func(c *Config) any { return &c.Delivery.UserSharePercent },
	},
	{
		Name: "delivery.retry_floor", Kind: KindDuration, Default: "1m", Min: 0, Max: hour,
		Help: "The least time between two tries of a message when its owner asks for one with sendmail -q or " +
			"o365-sendmail queue retry.",
		More: "When asked sooner, the agent tries the message when that time has passed. Root and the service user " +
			"need not wait.",
		field: func(c *Config) any { return &c.Delivery.RetryFloor },
	},
	{
		Name: "delivery.max_recipients", Kind: KindInt, Min: 1, Max: 10000,
		ofKind: func(k *account.Kind) any { return k.MaxRecipients },
		Help:   "Recipients of one transaction.",
		More: "A call with more recipients is split. SMTP clients of the agent and of sendmail -bs get the reply 452 " +
			"to the first recipient over the limit, and begin another transaction. " +
			"The mailbox's own limit (Set-Mailbox -RecipientLimits) applies, too: 500 by default, 1,000 at most. " +
			"High Volume Email takes 50.",
		field: func(c *Config) any { return &c.Delivery.MaxRecipients },
	},
	{
		Name: "delivery.max_recipients_per_call", Kind: KindInt, Default: 10000, Min: 1, Max: 50000,
		Help: "Recipients of one call of sendmail, and of one message when the aliases are expanded.",
		More: "More than delivery.max_recipients recipients need several transactions: the message is queued first, " +
			"and the sender is told by mail who was refused. " +
			"Without a spool the call sends one transaction after the other, and says who did not get the message.",
		field: func(c *Config) any { return &c.Delivery.MaxRecipientsPerCall },
	},
	{
		Name: "delivery.max_size", Kind: KindSize, Min: 1 << 10, Max: gib,
		ofKind: func(k *account.Kind) any { return formatSize(k.MaxSize) },
		Help:   "The largest message, as it is sent (encoded).",
		More: "The relay's own limit applies, too: 35 MB by default in Exchange Online, 150 MB at most; " +
			"10 MB in High Volume Email.",
		field: func(c *Config) any { return &c.Delivery.MaxSize },
	},
	{
		Name: "delivery.max_header", Kind: KindSize, Default: "2MiB", Min: 16 << 10, Max: 8 << 20,
		Help:  "The largest header of a message.",
		More:  "A message with a larger header is refused: exit code 65, or the reply 552.",
		field: func(c *Config) any { return &c.Delivery.MaxHeader },
	},
}
