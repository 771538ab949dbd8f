package config

// AlertFields are what the template of an alert may name in braces.
var AlertFields = []string{"title", "text", "host", "key", "state", "severity", "since"}

var alertKeys = []Key{
	{
		Name: "alerts.webhook", Kind: KindSecretURL, Example: `"https://ntfy.sh/your-secret-topic"`, Optional: true,
		Help: "A URL that each alert, and the end of what it was about, is posted to.",
		More: "Whoever knows it can post there, so it is a secret as client_secret is: a file with this key must " +
			"not be readable by others. tls.ca_file and token.proxy hold for it. A reply other than 2xx, a " +
			"redirect among them, is a failure, and is tried again after pauses that grow from a minute to an hour.",
		field: func(c *Config) any { return &c.Alerts.Webhook },
	},
	{
		Name: "alerts.webhook_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail.webhook"`, Optional: true,
		Help:  "A file that holds this URL and nothing else.",
		More:  "As client_secret_file; it is read again for each alert.",
		field: func(c *Config) any { return &c.Alerts.WebhookFile },
	},
	{
		Name: "alerts.webhook_body", Kind: KindTemplate, Default: `{"text": "{text}"}`, Optional: true,
		Help: "What is posted: JSON if it is JSON, else plain text.",
		More: "{title} is a few words, {text} one line, {host} this host, {key} the short name of the fault, " +
			"{state} raised, still or ended, {severity} warning or critical, {since} a time as in " +
			"2027-01-31T12:00:00Z. In JSON the fields stand inside strings and are escaped for that. No field has " +
			"a secret, a server's words or a part of a message. The default is right for Slack and Mattermost.",
		field: func(c *Config) any { return &c.Alerts.WebhookBody },
	},
	{
		Name: "alerts.heartbeat", Kind: KindSecretURL, Example: `"https://hc-ping.com/your-uuid"`, Optional: true,
		Help: "A URL that is posted to every five minutes as long as no mail is held and the spool has room.",
		More: "A service such as Healthchecks tells when it hears nothing for a while: of a host that is down, too. " +
			"It is a secret as alerts.webhook is.",
		field: func(c *Config) any { return &c.Alerts.Heartbeat },
	},
	{
		Name: "alerts.heartbeat_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail.heartbeat"`, Optional: true,
		Help:  "A file that holds this URL and nothing else.",
		field: func(c *Config) any { return &c.Alerts.HeartbeatFile },
	},
	{
		Name: "alerts.status_file", Kind: KindPath, Example: `"` + MetricsDir + "/" + StatusName + `"`, Optional: true,
		Help: "A file that has a line for each thing that is wrong, and is empty when nothing is.",
		More: "All may read it; it is replaced when something changes. Packages make the folder " + MetricsDir +
			", which the agent may write; its sandbox has others read-only.",
		field: func(c *Config) any { return &c.Alerts.StatusFile },
	},
	{
		Name: "alerts.queue_age", Kind: KindDuration, Default: "1d", Min: 0, Max: int64(52 * week), Optional: true,
		Help:  "How old the oldest message of the queue may be before that is told; \"0s\" for any age.",
		More:  "Messages that queue hold keeps back don't count.",
		field: func(c *Config) any { return &c.Alerts.QueueAge },
	},
}
