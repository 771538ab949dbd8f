package config

import (
	"strings"

	"o365-sendmail/internal/account"
)

// Kind is what a key's value is.
type Kind uint8

// The kinds. Those up to KindPath are single TOML values; the rest are arrays and tables.
const (
	KindString      Kind = iota
	KindSecret           // a string that is never shown
	KindEnum             // one of Values
	KindBool             //
	KindInt              // Min to Max
	KindDuration         // "10s"; Min to Max in nanoseconds
	KindSize             // "35MB"; Min to Max in bytes
	KindDate             // 2027-01-31
	KindTenant           // a GUID or a domain
	KindGUID             //
	KindAddress          // local@domain
	KindDomain           // a host or domain name
	KindHost             // a name or an IP address
	KindListen           // address:port
	KindHTTPS            // a URL
	KindHTTP             // a URL, http allowed
	KindSOCKS            // a socks5 URL
	KindProxy            // a socks5 or http URL
	KindLog              // one of Values, or an absolute path
	KindPath             // absolute
	KindSecretURL        // an https URL that is never shown
	KindTemplate         // text with {fields} for an alert
	KindSecretFile       // absolute, or credential:NAME
	KindAddresses        // an array of addresses
	KindNetworks         // an array of networks in CIDR form
	KindServers          // an array of nats and tls URLs
	KindName             // letters, digits, - and _
	KindRules            // an array of tables {match, to}
	KindSenderTable      // sender = "address"
	KindUserTable        // user = ["pattern", ...]
	KindAliasTable       // name = "target" or ["target", ...]
)

// Key is one row of the key table.
type Key struct {
	Name     string   // dotted
	Kind     Kind     //
	Default  any      // as TOML would hold it; nil when there is none
	Values   []string // of KindEnum, and the words of KindLog
	Min, Max int64    // Max 0 = no upper bound
	Required bool     //
	// Optional is set when a fault costs this key alone: it has its default (Config.Ignored). Such a key
	// neither says where mail goes, from whom and how it is guarded, nor bounds anybody.
	Optional bool
	// Empty is set when "" is a value of its own; Help says which.
	Empty bool
	// Example is TOML text for the sample file where there is no default.
	Example string
	// ofKind gives the default of a key that belongs to the kind of account; Default is then the mailbox's.
	ofKind func(*account.Kind) any
	// Derived says in words where the default comes from, when it is not a constant.
	Derived string
	Help    string // one sentence
	More    string // the rest of the manual's text

	field func(*Config) any
}

// Secret reports whether the value itself is secret.
func (k *Key) Secret() bool { return k.Kind == KindSecret || k.Kind == KindSecretURL }

// isTable reports whether the key is a table with names of the user's choice.
func (k *Key) isTable() bool {
	return k.Kind == KindSenderTable || k.Kind == KindUserTable || k.Kind == KindAliasTable
}

// group is one TOML table of the file.
type group struct {
	name string // "" for the top of the file
	help string
	keys []Key
}

// groups is in the order of the sample file. It is constant data: nothing of it is made at start-up.
var groups = [...]group{
	{"", "The account.", accountKeys},
	{"credential", "What proves the application's identity, when it is not a client secret.", credentialKeys},
	{"smtp", "The relay.", smtpKeys},
	{"token", "The token endpoint.", tokenKeys},
	{"tls", "What is trusted on both connections.", tlsKeys},
	{"cache", "The token cache.", cacheKeys},
	{"spool", "The queue on disk and its bounds.", spoolKeys},
	{"agent", "The resident service (o365-sendmail serve).", agentKeys},
	{"delivery", "How messages are handed over, and the mailbox's limits.", deliveryKeys},
	{"fleet", "Several hosts that send as the same mailbox.", fleetKeys},
	{"from", "The sender rule: Exchange refuses senders that the mailbox may not use.", fromKeys},
	{"aliases", "Where mail for local names goes.", aliasKeys},
	{"alerts", "Who is told that mail waits, or will: ways beside alert_to that need no mail.", alertKeys},
	{"log", "The log.", logKeys},
	{"history", "What became of mail, for o365-sendmail log and stats.", historyKeys},
}

// Keys returns every key in the order of the sample file.
func Keys() []*Key {
	var all []*Key
	for i := range groups {
		for j := range groups[i].keys {
			all = append(all, &groups[i].keys[j])
		}
	}
	return all
}

// lookup returns the key of that dotted name, or nil. Case matters.
func lookup(name string) *Key {
	for i := range groups {
		g := &groups[i]
		if g.name != "" && !strings.HasPrefix(name, g.name) {
			continue
		}
		for j := range g.keys {
			if g.keys[j].Name == name {
				return &g.keys[j]
			}
		}
	}
	return nil
}

// isGroup reports whether name is a table of the file.
func isGroup(name string) bool {
	for i := range groups {
		if groups[i].name == name {
			return true
		}
	}
	return false
}

// base is the last part of a key's name.
func (k *Key) base() string { return k.Name[strings.LastIndexByte(k.Name, '.')+1:] }
