package config

var spoolKeys = []Key{
	{
		Name: "spool.dir", Kind: KindPath, Default: DefaultSpool, Empty: true,
		Help: "The spool's directory, with mode 0700; \"\" for none.",
		More: "Without a spool a message that can't be sent at once is refused with exit code 75. A configuration file " +
			"in ~/.config has no spool unless this key names one.",
		field: func(c *Config) any { return &c.Spool.Dir },
	},
	{
		Name: "spool.max_messages", Kind: KindInt, Default: 100000, Min: 0, Max: 10000000,
		Help:  "How many messages may wait; 0 for no limit.",
		More:  "A caller over a limit of the spool gets a temporary error.",
		field: func(c *Config) any { return &c.Spool.MaxMessages },
	},
	{
		Name: "spool.max_bytes", Kind: KindSize, Default: "10GiB",
		Help:  "The size of all messages that may wait; \"0B\" for no limit.",
		field: func(c *Config) any { return &c.Spool.MaxBytes },
	},
	{
		Name: "spool.max_messages_per_user", Kind: KindInt, Default: 0, Min: 0, Max: 10000000,
		Help: "How many messages of one local user may wait; 0 for no limit but the user's share " +
			"(agent.reserve_percent).",
		field: func(c *Config) any { return &c.Spool.MaxMessagesPerUser },
	},
	{
		Name: "spool.max_bytes_per_user", Kind: KindSize, Default: "0B",
		Help:  "The size of one local user's messages that may wait; \"0B\" for no limit but the user's share.",
		field: func(c *Config) any { return &c.Spool.MaxBytesPerUser },
	},
	{
		Name: "spool.keep_free", Kind: KindSize, Default: "64MiB",
		Help:  "How much stays free on the spool's file system.",
		field: func(c *Config) any { return &c.Spool.KeepFree },
	},
	{
		Name: "spool.max_failed", Kind: KindInt, Default: 1000, Min: 0, Max: 10000000,
		Help: "How many messages are kept in failed/ that were refused for good and about which nobody could be told; " +
			"0 for no limit.",
		More: "The oldest are removed first, and the log names each. Mail that is damaged or was not processed is " +
			"never removed.",
		field: func(c *Config) any { return &c.Spool.MaxFailed },
	},
	{
		Name: "spool.max_failed_bytes", Kind: KindSize, Default: "256MiB",
		Help:  "The size of these messages that is kept; \"0B\" for no limit.",
		field: func(c *Config) any { return &c.Spool.MaxFailedBytes },
	},
	{
		Name: "spool.lifetime", Kind: KindDuration, Default: "5d", Min: minu, Max: int64(52 * week),
		Help:  "How long a message is tried before it is returned to the sender.",
		field: func(c *Config) any { return &c.Spool.Lifetime },
	},
	{
		Name: "spool.delay_warning", Kind: KindDuration, Default: "4h", Min: 0, Max: int64(52 * week), Optional: true,
		Help:  "After how long the sender is told that a message still waits; \"0s\" for never.",
		field: func(c *Config) any { return &c.Spool.DelayWarning },
	},
}

// The values of agent.remote_auth, and of agent.tls and smtp.tls.
const (
	AuthCertificate = "certificate"
	AuthBoth        = "both"
	AuthNetwork     = "network"
	TLSStart        = "starttls"
	TLSImplicit     = "implicit"
)

var agentKeys = []Key{
	{
		Name: "agent.socket", Kind: KindPath, Default: DefaultSocket,
		Help:  "The Unix socket that local programs reach the agent by.",
		More:  "A socket that systemd passes to the agent takes precedence. The path has at most 107 bytes.",
		field: func(c *Config) any { return &c.Agent.Socket },
	},
	{
		Name: "agent.listen", Kind: KindListen, Example: `"127.0.0.1:25"`, Optional: true,
		Help: "An address and port for programs that only speak SMTP.",
		More: "Off by default. On a loopback address every program of this host may connect. For other hosts " +
			"agent.allow_remote must be set, and what agent.remote_auth asks for.",
		field: func(c *Config) any { return &c.Agent.Listen },
	},
	{
		Name: "agent.allow_remote", Kind: KindBool, Default: false, Optional: true,
		Help:  "Let agent.listen be an address that other hosts reach.",
		More:  "Those that agent.remote_auth lets in can send as the mailbox.",
		field: func(c *Config) any { return &c.Agent.AllowRemote },
	},
	{
		Name: "agent.remote_auth", Kind: KindEnum, Default: AuthCertificate,
		Values: []string{AuthCertificate, AuthBoth, AuthNetwork}, Optional: true,
		Help: "What lets another host in where agent.allow_remote is set.",
		More: "\"certificate\" is TLS with a client certificate of agent.client_ca_file, from any address. " +
			"\"both\" wants an address of agent.allow_from besides. \"network\" is the address alone: whoever has or " +
			"forges one can send as the mailbox, and without agent.tls_cert_file all goes in the clear. " +
			"A host with a certificate is the user \"cert:NAME\" in shares, in the log and in from.allow. NAME is the " +
			"certificate's first DNS name (subjectAltName), else its first URI, else its first mail address, else " +
			"the subject's common name; a URI counts as it is written, the rest in lower case. " +
			"The certificate must have the extended key usage clientAuth.",
		field: func(c *Config) any { return &c.Agent.RemoteAuth },
	},
	{
		Name: "agent.allow_from", Kind: KindNetworks, Example: `["192.0.2.0/24", "2001:db8::25"]`, Optional: true,
		Help: "The networks and addresses that may connect when agent.remote_auth is \"both\" or \"network\".",
		More: "Other clients are refused when they connect, this host's own addresses among them unless they are " +
			"named. Without this key the agent does not listen there on an address that other hosts reach; all else " +
			"works.",
		field: func(c *Config) any { return &c.Agent.AllowFrom },
	},
	{
		Name: "agent.tls", Kind: KindEnum, Default: TLSStart, Values: []string{TLSStart, TLSImplicit}, Optional: true,
		Help:  "How other hosts begin TLS: by STARTTLS, or from the first byte (\"implicit\").",
		field: func(c *Config) any { return &c.Agent.TLS },
	},
	{
		Name: "agent.tls_cert_file", Kind: KindPath, Example: `"/etc/o365-sendmail/relay.pem"`, Optional: true,
		Help: "The certificate that other hosts see, as PEM, with those between it and the authority behind it.",
		More: "It must hold the name that the clients' smtp.host or smtp.server_name is. This file and the three that " +
			"follow are read again on SIGHUP and when they change. One that is broken then does not count: the " +
			"ones before stay in force, and the log says so.",
		field: func(c *Config) any { return &c.Agent.TLSCertFile },
	},
	{
		Name: "agent.tls_key_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail/relay.key"`,
		Derived: "tls_cert_file", Optional: true,
		Help:  "Its private key, as PEM.",
		More:  "Owner and mode are judged as those of client_secret_file; \"credential:NAME\" works here too.",
		field: func(c *Config) any { return &c.Agent.TLSKeyFile },
	},
	{
		Name: "agent.client_ca_file", Kind: KindPath, Example: `"/etc/o365-sendmail/clients-ca.pem"`, Optional: true,
		Help:  "The authorities whose client certificates let a host in, as PEM.",
		More:  "It should be an authority for this purpose alone: every certificate of it with clientAuth is let in.",
		field: func(c *Config) any { return &c.Agent.ClientCAFile },
	},
	{
		Name: "agent.client_crl_file", Kind: KindPath, Example: `"/etc/o365-sendmail/clients.crl"`,
		Help: "Lists of client certificates that are revoked (CRL), as PEM, or one as DER.",
		More: "With it, each authority that issues client certificates must have a list that is in date: without " +
			"one its hosts are put off, and keep their mail.",
		field: func(c *Config) any { return &c.Agent.ClientCRLFile },
	},
	{
		Name: "agent.token_group", Kind: KindString, Example: `"mail-tokens"`, Optional: true,
		Help: "The group whose members get access tokens from the agent (o365-sendmail token), by its name in " +
			"/etc/group or its number.",
		More: "Off by default: with a token a program signs in by itself and sends as the mailbox for an hour, past " +
			"the sender rule and the limits here. Who calls and in which groups, the kernel says.",
		field: func(c *Config) any { return &c.Agent.TokenGroup },
	},
	{
		Name: "agent.max_connections", Kind: KindInt, Default: 512, Min: 1, Max: 65536,
		Help: "Connections at one time.",
		More: "When none is free, a new caller takes the place of the connection that has made no progress for the " +
			"longest time, of the user who has the most connections; that client gets the reply 421, as does a " +
			"caller for whom no place is found; both may try again. " +
			"A call of sendmail does so for ten seconds and then exits with 75. When fewer than a quarter are free, " +
			"mail is queued at once (delivery.mode background).",
		field: func(c *Config) any { return &c.Agent.MaxConnections },
	},
	{
		Name: "agent.max_connections_per_user", Kind: KindInt, Default: 0, Min: 0, Max: 65536,
		Help: "Connections of one user at one time; 0 for no limit but the user's share.",
		More: "A user of this host is counted as such at the socket and on loopback addresses, a client on another " +
			"host by its address (IPv6: its /64). A caller over the limit gets the reply 421.",
		field: func(c *Config) any { return &c.Agent.MaxConnectionsPerUser },
	},
	{
		Name: "agent.messages_per_minute_per_user", Kind: KindInt, Default: 0, Min: 0, Max: 1000000,
		Help:  "Messages that one user may submit in a minute; 0 for no limit.",
		More:  "Further messages get a temporary error.",
		field: func(c *Config) any { return &c.Agent.MessagesPerMinutePerUser },
	},
	{
		Name: "agent.reserve_percent", Kind: KindInt, Default: 10, Min: 0, Max: 50,
		Help: "How much of agent.max_connections, agent.max_header_memory, spool.max_messages and spool.max_bytes " +
			"is reserved for root and the service user, in percent.",
		More: "Half as much again is reserved for users who hold little. A user gets as much of the rest as needed, " +
			"but never more than eight times what is then left: one user alone gets up to eight ninths, several " +
			"users get equal parts. For a user over this share the limit is reached. " +
			"0 turns off the reserve and the shares.",
		field: func(c *Config) any { return &c.Agent.ReservePercent },
	},
	{
		Name: "agent.max_header_memory", Kind: KindSize, Default: "8MiB", Min: 1 << 20, Max: gib,
		Help: "The memory for headers over 16 KiB, for more than some fifty recipients, and for the buffers of " +
			"bodies, of all messages that are being received.",
		More: "When it is used up, a caller gets a temporary error, or the memory of a user who has more, as with " +
			"agent.max_connections; a body goes to a file.",
		field: func(c *Config) any { return &c.Agent.MaxHeaderMemory },
	},
	{
		Name: "agent.max_header_memory_per_user", Kind: KindSize, Default: "0B",
		Help:  "The part of it that one user may have; \"0B\" for no limit but the user's share.",
		field: func(c *Config) any { return &c.Agent.MaxHeaderMemoryPerUser },
	},
	{
		Name: "agent.refusals_per_minute", Kind: KindInt, Default: 60, Min: 0, Max: 1000000,
		Help: "Refusals of one user that are logged in a minute; 0 for no limit.",
		More: "The field left-out of a later line says how many were not logged. For all users together the limit is " +
			"eight times as high. What was accepted is always logged.",
		field: func(c *Config) any { return &c.Agent.RefusalsPerMinute },
	},
	{
		Name: "agent.queue_interval", Kind: KindDuration, Default: "1m", Min: sec, Max: int64(day), Optional: true,
		Help:  "How often the agent looks through the spool for mail that other processes left there.",
		More:  "The option -q15m of o365-sendmail serve sets it for one run.",
		field: func(c *Config) any { return &c.Agent.QueueInterval },
	},
	{
		Name: "agent.drain_timeout", Kind: KindDuration, Default: "30s", Min: 0, Max: 10 * minu, Optional: true,
		Help:  "How long the agent may take to finish its work when it is told to stop.",
		field: func(c *Config) any { return &c.Agent.DrainTimeout },
	},
	{
		Name: "agent.probe_interval", Kind: KindDuration, Default: "5m", Min: sec, Max: int64(day), Optional: true,
		Help:  "How often the agent tries a message while a fault of the configuration holds the queue.",
		More:  "After faults that Exchange counts the pauses grow from this interval to an hour.",
		field: func(c *Config) any { return &c.Agent.ProbeInterval },
	},
	{
		Name: "agent.metrics_file", Kind: KindPath, Example: `"` + MetricsDir + "/" + MetricsName + `"`, Optional: true,
		Help: "A file for Prometheus' node exporter, rewritten every minute.",
		More: "Packages create the directory " + MetricsDir + ", in which the agent may write; its sandbox makes " +
			"other directories read-only.",
		field: func(c *Config) any { return &c.Agent.MetricsFile },
	},
	{
		Name: "agent.metrics_listen", Kind: KindListen, Example: `"127.0.0.1:9587"`, Optional: true,
		Help:  "A loopback address and port at which Prometheus gets /metrics.",
		More:  "They name no user and no address. The control socket has them for every local user, too.",
		field: func(c *Config) any { return &c.Agent.MetricsListen },
	},
}

var logKeys = []Key{
	{
		Name: "log.to", Kind: KindLog, Default: "journal", Values: []string{"journal", "syslog", "stderr"},
		Optional: true,
		Help:     "Where the log goes: \"journal\", \"syslog\", \"stderr\" or a file's absolute path.",
		More:     "Without a journal the log goes to syslog, and without both to the agent's standard error.",
		field:    func(c *Config) any { return &c.Log.To },
	},
	{
		Name: "log.format", Kind: KindEnum, Default: "text", Values: []string{"text", "json"}, Optional: true,
		Help:  "The format of a log line.",
		field: func(c *Config) any { return &c.Log.Format },
	},
}

var historyKeys = []Key{
	{
		Name: "history.days", Kind: KindInt, Default: 30, Min: 0, Max: 3650, Optional: true,
		Help: "For how many days it is kept what became of each recipient; 0 keeps nothing.",
		More: "It lies in the folder history in cache.dir, with mode 0600: time, queue id, user, sender, recipient, " +
			"Message-ID, size, outcome and the server's reply, never a Subject or other content. With 0 the agent " +
			"removes what there is within an hour.",
		field: func(c *Config) any { return &c.History.Days },
	},
	{
		Name: "history.size", Kind: KindSize, Default: "200MB", Min: 1e6, Max: 100 * gib, Optional: true,
		Help:  "The most that it may take on the disk; the oldest goes first.",
		More:  "A delivery takes some 200 bytes.",
		field: func(c *Config) any { return &c.History.Size },
	},
}
