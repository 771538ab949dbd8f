package notify

import (
	"sync"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
)

// Config is what may change while a notifier is in use.
type Config struct {
	// Host is this host's name in what people read.
	Host string
	// AlertTo gets alerts; "" for nobody. BounceTo and then RootTo get the reports whose sender can't get mail.
	AlertTo, BounceTo, RootTo string
	// Resolve returns the addresses that mail for addr goes to: a local name's by the
	// aliases, else addr itself. nil means addr itself.
	Resolve func(addr string) ([]string, error)
	// From is the mailbox that sends, "" while there is none; Relay is the server it sends by.
	From, Relay string
	// Webhook is told what AlertTo is, Heartbeat is posted to while nothing is wrong; nil for none.
	Webhook, Heartbeat *Hook
	// StatusFile says what is wrong now; "" for none.
	StatusFile string
	// ProbeInterval is the time between two tries while mail is held.
	ProbeInterval time.Duration
}

// The origins of messages of this program.
const (
	OriginReport = "report"
	OriginAlert  = "notice"
)

// Options say what a notifier works with.
type Options struct {
	// Submit puts a message of this program into the queue. origin is one of the above, about the id of the
	// message that it is on, "" if it is on none.
	Submit func(origin string, env *envelope.Envelope, msg envelope.Message, about string) error
	Now    func() time.Time
	// After ticks once after a time; stop is called when nobody waits any more.
	After func(d time.Duration) (tick <-chan time.Time, stop func())
	Log   *maillog.Logger
	Warn  func(error) // hears what is wrong but stops nothing
}

// Notifier writes alerts and reports.
type Notifier struct {
	o               Options
	config          atomic.Pointer[Config]
	alerts, bounces atomic.Int64

	beat    time.Time // of Post: the next heartbeat
	written string    // of Look: the status file's path and text
	wake    chan struct{}

	mu            sync.Mutex
	mail, webhook memory
	hook          Retry
	failing       map[string]bool // ways that can't be told now
	in            []Condition     // in force at the last look
	settled       bool
	looked        time.Time
}

// New makes a notifier, which tells nobody before Configure.
func New(o Options) *Notifier {
	n := &Notifier{o: o, failing: map[string]bool{}, wake: make(chan struct{}, 1)}
	n.Configure(Config{})
	return n
}

// Configure takes a new configuration. A webhook that failed may be another now: it is tried at once.
func (n *Notifier) Configure(c Config) {
	n.config.Store(&c)
	n.mu.Lock()
	n.hook.Next = time.Time{}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Counts returns how many alerts and failure reports there were.
func (n *Notifier) Counts() (alerts, bounces int) { return int(n.alerts.Load()), int(n.bounces.Load()) }
