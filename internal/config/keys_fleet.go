package config

import (
	"net/url"
	"strconv"
	"strings"
)

// The values of fleet.unreachable.
const (
	UnreachableWait  = "wait"
	UnreachableShare = "share"
)

var fleetKeys = []Key{
	{
		Name: "fleet.servers", Kind: KindServers,
		Example: `["tls://n1.contoso.com:4222", "tls://n2.contoso.com:4222", "tls://n3.contoso.com:4222"]`,
		Help:    "The NATS servers by which the hosts of a fleet share the limits of their mailboxes.",
		More: "delivery.connections, delivery.messages_per_minute and delivery.recipients_per_day then are what all hosts " +
			"together may use of each mailbox. The first host of a fleet sets them; a host whose configuration differs goes " +
			"by the fleet's and logs a warning. The servers need JetStream, version 2.12 or later, and a synchronized clock. " +
			"With three servers or more everything is kept on three of them. They carry no mail: each message leaves from " +
			"the spool of the host that accepted it, and only the agent delivers: without one, sendmail queues.",
		field: func(c *Config) any { return &c.Fleet.Servers },
	},
	{
		Name: "fleet.name", Kind: KindName, Default: "o365-sendmail",
		Help:  "The fleet's name: hosts with the same name and servers share their limits.",
		More:  "The streams, the bucket and the subjects on the servers begin with it.",
		field: func(c *Config) any { return &c.Fleet.Name },
	},
	{
		Name: "fleet.host", Kind: KindHost, Example: `"web1"`, Derived: "the host's name",
		Help:  "This host's name in the fleet; no other host may have it.",
		More:  "In a StatefulSet, the name of the pod.",
		field: func(c *Config) any { return &c.Fleet.Host },
	},
	{
		Name: "fleet.tls_ca_file", Kind: KindPath, Example: `"/etc/o365-sendmail/fleet-ca.crt"`,
		Derived: "the file of tls.ca_file",
		Help:    "The certificate authorities that the NATS servers are verified against, in PEM form.",
		field:   func(c *Config) any { return &c.Fleet.TLSCAFile },
	},
	{
		Name: "fleet.tls_cert_file", Kind: KindPath, Example: `"/etc/o365-sendmail/fleet.crt"`,
		Help:  "The client certificate that this host shows the NATS servers, in PEM form.",
		More:  "It is read when the agent starts, and when it reloads its configuration.",
		field: func(c *Config) any { return &c.Fleet.TLSCertFile },
	},
	{
		Name: "fleet.tls_key_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail/fleet.key"`,
		Help:  "The private key of that certificate, in PEM form.",
		More:  "Owner and mode are judged as those of client_secret_file.",
		field: func(c *Config) any { return &c.Fleet.TLSKeyFile },
	},
	{
		Name: "fleet.nkey_file", Kind: KindSecretFile, Example: `"/etc/o365-sendmail/fleet.nk"`,
		Help: "A file that holds the seed of the NKey by which this host signs in to the NATS servers.",
		More: "nk -gen user makes one, and what it prints below the seed may stay there. Owner and mode are judged as those " +
			"of client_secret_file.",
		field: func(c *Config) any { return &c.Fleet.NKeyFile },
	},
	{
		Name: "fleet.unreachable", Kind: KindEnum, Default: UnreachableShare, Values: []string{UnreachableShare, UnreachableWait},
		Help: "What delivery does while the NATS servers do not answer. Mail is accepted all the same.",
		More: "\"wait\" keeps it in the queue. \"share\" does so for a minute, and then sends on one connection, at " +
			"delivery.messages_per_minute divided by the number of hosts that were there last, but at least one a minute. " +
			"Hosts that reach the servers send on meanwhile, so that together more may go than Exchange Online takes, " +
			"which then has the rest wait.",
		field: func(c *Config) any { return &c.Fleet.Unreachable },
	},
}

// servers takes an array of URLs. One with a user is not shown: a password may follow.
func (r *reader) servers(k *Key, name string, v any, field *[]string) {
	values, _ := v.([]any)
	for i, v := range values {
		if s, ok := v.(string); ok && strings.Contains(s, "@") {
			r.fault(element(name, i+1), Error{Problem: "names a user", Hint: "use fleet.nkey_file or a client certificate"})
			return
		}
	}
	*field, _ = r.list(k, name, v, isServer, "a URL such as tls://n1.contoso.com:4222")
}

// isServer reports whether s is the URL of a NATS server. A user in it would be in the log.
func isServer(s string) bool {
	u, err := url.Parse(s)
	if err == nil && u.Port() != "" {
		port, err := strconv.Atoi(u.Port())
		if err != nil || port < 1 || port > 65535 {
			return false
		}
	}
	return err == nil && (u.Scheme == "tls" || u.Scheme == "nats") && u.Hostname() != "" && u.User == nil &&
		strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}

// isName reports whether s can begin the name of a stream and of a bucket.
func isName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// fleet checks the keys of [fleet] together.
func (r *reader) fleet() {
	f := &r.c.Fleet
	if (f.TLSCertFile == "") != (f.TLSKeyFile == "") && !r.faulty("fleet.tls_cert_file") && !r.faulty("fleet.tls_key_file") {
		missing, has := "fleet.tls_cert_file", "fleet.tls_key_file"
		if f.TLSKeyFile == "" {
			missing, has = has, missing
		}
		r.fault(missing, Error{Problem: "is missing, as " + has + " is set"})
	}
	if len(f.Servers) > 0 && r.c.Delivery.Pace == PaceLearn {
		r.fault("delivery.pace", Error{Problem: "can't be " + shown(PaceLearn) + " in a fleet, whose hosts share one rate",
			Hint: "leave it out"})
	}
}
