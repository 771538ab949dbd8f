package config

// AlertFields are what the template of an alert may name in braces.
var AlertFields = []string{"title", "text", "host", "key", "state", "severity", "since"}

var alertKeys = []Key{
	{
		Name: "alerts.webhook", Kind: KindSecretURL, Example: `"https://ntfy.sh/your-secret-topic"`, Optional: true,
		Help: "The URL to which each alert is posted, and the end of each fault.",
		More: "Whoever knows the URL can post there, so it is as secret as client_secret: a file with this key must " +
			"not be readable by others. The keys tls.ca_file and token.proxy apply to it. Any reply but 2xx, also a " +
			"redirect, is a failure: the alert is posted again after pauses that grow from a minute to an hour.",
		field: func(c *Config) any { return &c.Alerts.Webhook },
	},
	{
		Name: "alerts.webhook_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail.webhook"`, Optional: true,
		Help:  "A file that holds this URL and nothing else.",
		More:  "The same rules apply as to client_secret_file; the file is read again for each alert.",
		field: func(c *Config) any { return &c.Alerts.WebhookFile },
	},
	{
		Name: "alerts.webhook_body", Kind: KindTemplate, Default: `{"text": "{text}"}`, Optional: true,
		Help: "The text that is posted, as JSON if it is valid JSON, else as plain text.",
		More: "{title} is a few words, {text} one line, {host} this host, {key} the short name of the fault, " +
			"{state} raised, still or ended, {severity} warning or critical, {since} a time such as " +
			"2027-01-31T12:00:00Z. In JSON the fields belong inside strings, and are escaped for that. No field " +
			"contains a secret, a server's words or a part of a message. The default fits Slack and Mattermost.",
		field: func(c *Config) any { return &c.Alerts.WebhookBody },
	},
	{
		Name: "alerts.heartbeat", Kind: KindSecretURL, Example: `"https://hc-ping.com/your-uuid"`, Optional: true,
		Help: "A URL that gets a POST every five minutes as long as no mail is held and the spool has room.",
		More: "A service such as Healthchecks raises an alarm when no POST has come for a while, also because the " +
			"host is down. The URL is as secret as that of alerts.webhook.",
		field: func(c *Config) any { return &c.Alerts.Heartbeat },
	},
	{
		Name: "alerts.heartbeat_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail.heartbeat"`, Optional: true,
		Help:  "A file that holds this URL and nothing else.",
		field: func(c *Config) any { return &c.Alerts.HeartbeatFile },
	},
	{
		Name: "alerts.status_file", Kind: KindPath, Example: `"` + MetricsDir + "/" + StatusName + `"`, Optional: true,
		Help: "A file that has a line for each fault, and is empty when there is none.",
		More: "Everybody may read it; it is replaced when something changes. Packages create the directory " +
			MetricsDir + ", in which the agent may write; its sandbox makes other directories read-only.",
		field: func(c *Config) any { return &c.Alerts.StatusFile },
	},
	{
		Name: "alerts.queue_age", Kind: KindDuration, Default: "1d", Min: 0, Max: int64(52 * week), Optional: true,
		Help:  "The age of the oldest message in the queue from which there is an alert; \"0s\" for no alert.",
		More:  "Messages that o365-sendmail queue hold keeps back don't count.",
		field: func(c *Config) any { return &c.Alerts.QueueAge },
	},
}
