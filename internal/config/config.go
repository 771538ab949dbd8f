// Package config reads the TOML configuration file into a checked Config. One
// table (keys.go and its group files) holds every key, and makes the defaults,
// the checks, the sample file and the manual page. It judges the file and the
// secret files by owner and mode before it believes them. It never opens a
// socket, never writes a file, never shows a secret, and knows nothing of how
// the values are used.
package config

import (
	"net/netip"
	"time"

	"o365-sendmail/internal/host"
	"o365-sendmail/xoauth"
)

// The places of a package installation.
const (
	SystemPath    = "/etc/o365-sendmail.toml"
	DefaultCache  = "/var/lib/o365-sendmail"
	DefaultSpool  = "/var/spool/o365-sendmail"
	DefaultSocket = host.Socket
	// MetricsDir is the folder for agent.metrics_file that packages make: the service may write there, and
	// all may read. MetricsName and StatusName (alerts.status_file) are names in examples.
	MetricsDir  = "/run/o365-sendmail-metrics"
	MetricsName = "o365-sendmail.prom"
	StatusName  = "status"
	ServiceUser = "o365-sendmail"
)

// Config is the configuration after defaults and checks.
type Config struct {
	// Path is the file that it was read from.
	Path string

	Tenant   string // Directory (tenant) ID or a verified domain
	ClientID string // Application (client) ID
	// ClientSecret is the inline secret; use Secret, which also knows the file.
	ClientSecret     xoauth.Secret
	ClientSecretFile string
	// SecondSecret (client_secret_next) stands by for a roll-over; use NextSecret.
	SecondSecret     xoauth.Secret
	SecondSecretFile string
	SecretExpires    time.Time // zero when not told
	Mailbox          string    // signs in and sends
	Pool             []string  // mailboxes that share the work of Mailbox
	Kind             string    // account.Mailbox, account.HVE or account.Relay; never empty in a Config that Load returned
	Way              string    // scoped or api: how the application may send; "" when not told
	Cloud            string    // global, gcc-high, dod or china
	RootTo           string    // "" = none
	AlertTo          string    // "" = none
	BounceTo         string    // "" = none
	AliasesFile      string    // "" = none

	Credential Credential
	SMTP       SMTP
	Token      Token
	TLS        TLS
	Cache      Cache
	Spool      Spool
	Agent      Agent
	Delivery   Delivery
	Fleet      Fleet
	From       From
	// Aliases has lower-case local names as keys.
	Aliases map[string][]string
	Alerts  Alerts
	Log     Log
	History History

	// Warnings holds what is allowed but probably not meant.
	Warnings []*Error
	// Ignored holds the faults of keys that mail does without; each such key has its default.
	Ignored Errors

	origins []origin
	getenv  func(string) string
	judge   judge
}

// origin says on which line a key stands in the file.
type origin struct {
	name string
	line int
}

// The values of credential.type.
const (
	TypeSecret          = "secret"
	TypeCertificate     = "certificate"
	TypeFederated       = "federated"
	TypeManagedIdentity = "managed-identity"
	TypeDeviceCode      = "device-code"
)

// Credential is how the application proves who it is. Type is never empty in a
// Config that Load returned.
type Credential struct {
	Type               string
	CertificateFile    string
	KeyFile            string
	PFXFile            string
	PassphraseFile     string
	Algorithm          string // PS256 or RS256
	TokenFile          string // "" = the file that AZURE_FEDERATED_TOKEN_FILE names
	IdentityClientID   string
	IdentityObjectID   string
	IdentityResourceID string
	IdentityEndpoint   string // "" = found by itself
	RefreshTokenFile   string // "" = in the cache directory
}

// Fleet is which hosts share the mailbox's limits, and by what they do. Without Servers there is none.
type Fleet struct {
	Servers     []string
	Name        string
	Host        string // "" = the host's own name
	TLSCAFile   string // "" = that of tls.ca_file
	TLSCertFile string // "" = none
	TLSKeyFile  string
	NKeyFile    string // "" = none
	Unreachable string // wait or share
}

// SMTP is how the relay is reached.
type SMTP struct {
	Host string // "" = the cloud's
	Port int
	TLS  string // starttls or implicit
	// ServerName is what the relay's certificate must hold; "" = Host.
	ServerName string
	IPv4Only   bool
	// Chunking is "auto", "on" or "off": whether messages go by BDAT.
	Chunking string
	// EightBit is "auto", "on" or "off": whether text outside ASCII goes as it is.
	EightBit string
	// PipelineAuth sends AUTH in one flight with the message.
	PipelineAuth bool
	Timeout      time.Duration // for a connection, and for each reply
	IdleTimeout  time.Duration // how long a warm session is kept
	EHLOName     string        // "" = the host's own name
	Proxy        string        // socks5 URL, "" = none
}

// Token is how the token endpoint is reached.
type Token struct {
	URL     string // "" = made from cloud and tenant
	Scope   string // "" = the cloud's
	Timeout time.Duration
	Proxy   string // http or socks5 URL, "" = none
}

// TLS is what is believed and spoken.
type TLS struct {
	CAFile     string // "" = the first system bundle
	MinVersion string // "1.2" or "1.3"
}

// Cache is the token cache.
type Cache struct{ Dir string }

// Spool bounds the queue on disk. A bound of 0 is no bound.
type Spool struct {
	Dir                string // "" = no spool
	MaxMessages        int
	MaxBytes           int64
	MaxMessagesPerUser int
	MaxBytesPerUser    int64
	KeepFree           int64 // bytes of the file system that stay free
	MaxFailed          int   // of messages refused for good of which nobody could be told
	MaxFailedBytes     int64
	Lifetime           time.Duration
	DelayWarning       time.Duration // 0 = none
}

// Agent is the resident service.
type Agent struct {
	Socket                   string
	Listen                   string // "" = no TCP
	AllowRemote              bool
	AllowFrom                []netip.Prefix // hosts that AllowRemote is for, unless certificates alone count
	RemoteAuth               string         // certificate, both or network: what lets another host in
	TLS                      string         // starttls or implicit, for other hosts
	TLSCertFile, TLSKeyFile  string         // "" = no TLS; the key's default is the certificate's file
	ClientCAFile             string
	ClientCRLFile            string // "" = nothing is looked up
	TokenGroup               string // whose members get tokens; "" for nobody
	MaxConnections           int
	MaxConnectionsPerUser    int // 0 = no bound
	MessagesPerMinutePerUser int // 0 = no bound
	ReservePercent           int // of each bound, for root and the service user
	MaxHeaderMemory          int64
	MaxHeaderMemoryPerUser   int64 // 0 = no bound
	RefusalsPerMinute        int   // lines of the log for each user; 0 = no bound
	QueueInterval            time.Duration
	DrainTimeout             time.Duration
	ProbeInterval            time.Duration
	MetricsFile              string // "" = none
	MetricsListen            string // a loopback address; "" = none
}

// Delivery holds the relay's limits and the way a message is handed over.
type Delivery struct {
	Mode              string // interactive, background or queue
	Wait              time.Duration
	Connections       int
	MessagesPerMinute int
	Pace              string // strict or learn
	RecipientsPerDay  int
	// ReservePercent of both limits is kept for root, the service user and alerts, SmallReservePercent
	// for users who have sent next to nothing. UserSharePercent of the rest is what one user gets while
	// others wait.
	ReservePercent      int
	SmallReservePercent int
	UserSharePercent    int
	// RetryFloor is the least time between two tries of a message that its owner asks for.
	RetryFloor    time.Duration
	MaxRecipients int // of one transaction
	// MaxRecipientsPerCall is how many recipients one message may have in all.
	MaxRecipientsPerCall int
	MaxSize              int64 // bytes in wire form
	MaxHeader            int64 // bytes
}

// From is the sender rule.
type From struct {
	Policy  string // rewrite, keep or map
	SendAs  []string
	SignIn  string            // mailbox or sender
	SignAs  map[string]string // lower-case sender or *@domain -> mailbox
	Map     []MapRule
	ReplyTo string // original or keep
	// Domain qualifies bare names in headers. The mailbox's domain by default.
	Domain   string
	HostName string // "" = the host's own name
	// AllowedSenders maps a user name, a number or "*" to address patterns.
	AllowedSenders map[string][]string
}

// MapRule rewrites a sender that matches the pattern. The first match counts.
type MapRule struct{ Match, To string }

// Alerts are the ways beside AlertTo in which the administrator hears of trouble.
type Alerts struct {
	Webhook       xoauth.Secret // a URL; use WebhookURL, which also knows the file
	WebhookFile   string
	WebhookBody   string
	Heartbeat     xoauth.Secret // a URL; use HeartbeatURL
	HeartbeatFile string
	StatusFile    string        // "" = none
	QueueAge      time.Duration // of the oldest message; 0 = any
}

// History bounds what is kept of mail that is done with.
type History struct {
	Days int   // 0 = nothing is kept
	Size int64 // bytes
}

// Log is where the log goes.
type Log struct {
	To     string // journal, syslog, stderr or a file's path
	Format string // text or json
}
