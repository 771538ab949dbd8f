package metrics

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/quota"
)

// The types of metrics that there are.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

// A Metric is one entry of Table.
type Metric struct {
	Name   string // without what all names begin with
	Type   string // counter, gauge or histogram
	Labels []string
	Help   string // one sentence; names end as Prometheus' naming rules say, in base units

	// collect adds the samples: what follows the name, "" but for a histogram, the value, and those of the labels.
	collect func(s *Snapshot, add func(suffix string, value float64, labels ...string))
}

// FullName is the name that Prometheus knows.
func (m *Metric) FullName() string { return "o365_sendmail_" + m.Name }

// labelNames are the labels of a sample: a histogram's buckets have le.
func (m *Metric) labelNames(suffix string) []string {
	if suffix == "_bucket" {
		return []string{"le"}
	}
	return m.Labels
}

type (
	adder     = func(suffix string, value float64, labels ...string)
	collector = func(s *Snapshot, add adder)
)

// one is for a metric with one sample that is always there.
func one(value func(s *Snapshot) float64) collector {
	return func(s *Snapshot, add adder) { add("", value(s)) }
}

// total is for a counter.
func total(count func(c *deliver.Counters) int) collector {
	return func(s *Snapshot, add adder) { add("", float64(count(&s.Counters))) }
}

// moment is for a time that may not be known.
func moment(of func(s *Snapshot) time.Time) collector {
	return func(s *Snapshot, add adder) {
		if t := of(s); !t.IsZero() {
			add("", unix(t))
		}
	}
}

// most is the largest value of any mailbox, and 0 where there is none.
func most(of func(m *queue.MailboxReport, now time.Time) float64) collector {
	return one(func(s *Snapshot) float64 {
		n := 0.0
		for i := range s.Mailboxes {
			n = max(n, of(&s.Mailboxes[i], s.Now))
		}
		return n
	})
}

func unix(t time.Time) float64 { return float64(t.Unix()) }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func age(now, then time.Time) float64 {
	if then.IsZero() {
		return 0
	}
	return max(now.Sub(then).Seconds(), 0)
}

// buckets adds a histogram, whose buckets count what is in those before them, too.
func buckets(add adder, bounds []float64, each []int, sum float64) {
	n := 0
	for i, bound := range bounds {
		n += each[i]
		add("_bucket", float64(n), strconv.FormatFloat(bound, 'f', -1, 64))
	}
	n += each[len(bounds)]
	add("_bucket", float64(n), "+Inf")
	add("_sum", sum)
	add("_count", float64(n))
}

// states are the values of account_state's label, the worst one last.
var states = [...]string{"delivering", "paused", "held", "unconfigured"}

// state is the place in states of what stops all mail of a mailbox.
func state(s *Snapshot) int {
	if s.Broken {
		return 3
	}
	worst := 0
	for i := range s.Stops {
		st := &s.Stops[i]
		if st.Sender == "" && st.Author == "" && !st.Outside && st.UID == nil {
			worst = max(worst, 1+int(truth(st.Held)))
		}
	}
	return worst
}

// A stopKind is the labels of stopped.
type stopKind struct{ kind, fault string }

func collectStops(s *Snapshot, add adder) {
	n := map[stopKind]int{}
	for i := range s.Stops {
		k := stopKind{"paused", s.Stops[i].Key}
		if s.Stops[i].Held {
			k.kind = "held"
		}
		n[k]++
	}
	for _, k := range slices.SortedFunc(maps.Keys(n), func(a, b stopKind) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.fault, b.fault))
	}) {
		add("", float64(n[k]), k.kind, k.fault)
	}
}

// Table returns each metric in the order of the text.
func Table() []Metric {
	return slices.Concat(agentMetrics(), accountMetrics(), queueMetrics(), rateMetrics(), fleetMetrics(), deliveryMetrics())
}

// agentMetrics are those of the agent itself.
func agentMetrics() []Metric {
	return []Metric{
		{"build_info", gauge, []string{"version", "goversion"}, "1, with the version of the program and of Go.",
			func(s *Snapshot, add adder) { add("", 1, s.Version, runtime.Version()) }},
		{"up", gauge, nil, "1 while the engine runs.", one(func(s *Snapshot) float64 { return truth(s.Running) })},
		{"start_time_seconds", gauge, nil, "When the engine was started, in Unix time.",
			moment(func(s *Snapshot) time.Time { return s.Started })},
		{"written_time_seconds", gauge, nil, "When this was written, in Unix time.",
			one(func(s *Snapshot) float64 { return unix(s.Now) })},
		{"config_last_reload_successful", gauge, nil, "1 if the configuration that was read last can be used, else 0.",
			one(func(s *Snapshot) float64 { return truth(!s.ReadFailed && !s.Read.IsZero()) })},
		{"config_last_reload_success_timestamp_seconds", gauge, nil,
			"When a configuration that can be used was read last, in Unix time.",
			moment(func(s *Snapshot) time.Time { return s.Read })},
	}
}

// accountMetrics are those of the account and what proves its identity.
func accountMetrics() []Metric {
	return []Metric{
		{"account_state", gauge, []string{"state"}, "1 for what the account is, else 0: delivering, paused (it goes " +
			"on by itself), held (an administrator has to act) or unconfigured.", func(s *Snapshot, add adder) {
			is := state(s)
			for i, name := range states {
				add("", truth(i == is), name)
			}
		}},
		{"stopped", gauge, []string{"kind", "fault"}, "How many faults keep mail from going; kind is held (an " +
			"administrator has to act) or paused.", collectStops},
		{"held", gauge, nil, "How many faults wait for an administrator.", one(func(s *Snapshot) float64 {
			n := 0.0
			for i := range s.Stops {
				n += truth(s.Stops[i].Held)
			}
			return n
		})},
		{"stopped_seconds_total", counter, nil, "Time for which mail was held or paused.",
			one(func(s *Snapshot) float64 { return s.Counters.Paused.Seconds() })},
		{"token_obtained_timestamp_seconds", gauge, nil, "When Entra gave the access token in the cache, in Unix time.",
			moment(func(s *Snapshot) time.Time { return s.TokenObtained })},
		{"token_expiry_timestamp_seconds", gauge, nil, "When the access token in the cache expires, in Unix time.",
			moment(func(s *Snapshot) time.Time { return s.TokenExpires })},
		{"credential_expiry_timestamp_seconds", gauge, []string{"credential"},
			"When a secret or certificate expires, in Unix time.", func(s *Snapshot, add adder) {
				for _, x := range s.Expiries {
					add("", unix(x.Ends), x.What)
				}
			}},
	}
}

// queueMetrics are those of what waits.
func queueMetrics() []Metric {
	return []Metric{
		{"queue_messages", gauge, []string{"state"}, "Messages in the queue: ready, waiting for their next try, held " +
			"by queue hold, or in_flight.", func(s *Snapshot, add adder) {
			add("", float64(s.Ready), "ready")
			add("", float64(s.Waiting), "waiting")
			add("", float64(s.Held), "held")
			add("", float64(s.InFlight), "in_flight")
		}},
		{"queue_oldest_seconds", gauge, nil, "Age of the oldest message in the queue, 0 when it is empty.",
			one(func(s *Snapshot) float64 { return age(s.Now, s.Oldest) })},
		{"interactive_waiting", gauge, nil, "Callers that wait for a connection.",
			one(func(s *Snapshot) float64 { return float64(s.Interactive) })},
		{"spool_messages", gauge, nil, "Messages in the spool by its own count.",
			one(func(s *Snapshot) float64 { return float64(s.Spool.Messages) })},
		{"spool_bytes", gauge, nil, "Bytes of the messages in the spool.",
			one(func(s *Snapshot) float64 { return float64(s.Spool.Bytes) })},
		{"spool_failed_messages", gauge, nil, "Messages that were put aside in failed/.",
			one(func(s *Snapshot) float64 { return float64(s.Spool.Failed) })},
	}
}

// rateMetrics are those of what the account's limits are about.
func rateMetrics() []Metric {
	return []Metric{
		{"sessions", gauge, nil, "Connections that are signed in.", one(func(s *Snapshot) float64 {
			n := 0
			for i := range s.Mailboxes {
				n += s.Mailboxes[i].Sessions
			}
			return float64(n)
		})},
		{"last_minute_messages", gauge, nil, "Messages that all processes of this host sent in the last 60 seconds " +
			"from the mailbox that sent most.",
			most(func(m *queue.MailboxReport, _ time.Time) float64 { return float64(m.LastMinute) })},
		{"last_day_recipients", gauge, nil, "Recipients that all processes of this host sent to in the last 24 hours " +
			"from the mailbox that sent to most.",
			most(func(m *queue.MailboxReport, _ time.Time) float64 { return float64(m.LastDay) })},
		{"day_recipients_limit", gauge, nil, "How many recipients a mailbox may send to in 24 hours.",
			func(s *Snapshot, add adder) {
				if s.PerDay > 0 {
					add("", float64(s.PerDay))
				}
			}},
		{"paced_seconds", gauge, nil, "Time until the account's rates are expected to allow every mailbox more.",
			most(func(m *queue.MailboxReport, now time.Time) float64 { return m.PacedUntil.Sub(now).Seconds() })},
	}
}

// inFleet is for a metric that only a host of a fleet has.
func inFleet(collect func(f *Fleet, add adder)) collector {
	return func(s *Snapshot, add adder) {
		if s.Fleet != nil {
			collect(s.Fleet, add)
		}
	}
}

// fleetMetrics are those of a fleet, and left out where there is none.
func fleetMetrics() []Metric {
	return []Metric{
		{"fleet_reachable", gauge, nil, "1 while the fleet's servers answer, else 0; left out on a host without a fleet, " +
			"as all that begins with fleet.", inFleet(func(f *Fleet, add adder) { add("", truth(f.Mode == deliver.ModeFleet)) })},
		{"fleet_mode", gauge, []string{"mode"}, "1 for how mail goes, else 0: fleet (the limits are shared), share (the " +
			"servers are away, and this host sends its part) or wait (they are away, and mail waits).",
			inFleet(func(f *Fleet, add adder) {
				for _, mode := range []string{deliver.ModeFleet, deliver.ModeShare, deliver.ModeWait} {
					add("", truth(mode == f.Mode), mode)
				}
			})},
		{"fleet_hosts", gauge, nil, "Hosts of the fleet, as this one has heard last.",
			inFleet(func(f *Fleet, add adder) { add("", float64(f.Hosts)) })},
		{"fleet_slot_wait_seconds", histogram, nil, "Time for which this host waited for each slot that it got.",
			inFleet(func(f *Fleet, add adder) { buckets(add, quota.WaitBounds[:], f.Waits[:], f.Waited) })},
		{"fleet_tokens_refused_total", counter, nil, "Times that the fleet's limits left no room for a message of this " +
			"host, which waited.", inFleet(func(f *Fleet, add adder) { add("", float64(f.Refused)) })},
	}
}

// deliveryMetrics count what was done since the start.
func deliveryMetrics() []Metric {
	return []Metric{
		{"delivery_delay_seconds", histogram, nil, "Time from a message's arrival until the server took it, for each " +
			"recipient.", func(s *Snapshot, add adder) {
			buckets(add, deliver.DelayBounds[:], s.Counters.Delays.Buckets[:], s.Counters.Delays.Sum)
		}},
		{"message_size_bytes", histogram, nil, "Size of each message that the server took.",
			func(s *Snapshot, add adder) {
				buckets(add, deliver.SizeBounds[:], s.Counters.Sizes.Buckets[:], s.Counters.Sizes.Sum)
			}},
		{"queued_messages_total", counter, nil, "Messages that came into the queue.",
			total(func(c *deliver.Counters) int { return c.Queued })},
		{"sent_recipients_total", counter, nil, "Recipients for whom the server took the message.",
			total(func(c *deliver.Counters) int { return c.Sent })},
		{"deferred_recipients_total", counter, nil, "Tries of a recipient that failed for now.",
			total(func(c *deliver.Counters) int { return c.Deferred })},
		{"bounced_recipients_total", counter, nil,
			"Recipients that were refused for good after the message was queued.",
			total(func(c *deliver.Counters) int { return c.Bounced })},
		{"refused_recipients_total", counter, nil,
			"Recipients of which the caller was told, while it waited, that nothing is kept.",
			total(func(c *deliver.Counters) int { return c.Refused })},
		{"expired_recipients_total", counter, nil, "Recipients that were given up.",
			total(func(c *deliver.Counters) int { return c.Expired })},
		{"reports_total", counter, nil, "Failure reports that were written.",
			total(func(c *deliver.Counters) int { return c.Bounces })},
		{"failed_messages_total", counter, nil, "Messages that were moved to failed/ because nobody could be told.",
			total(func(c *deliver.Counters) int { return c.Failed })},
		{"damaged_messages_total", counter, nil, "Spool files that were no whole message.",
			total(func(c *deliver.Counters) int { return c.Damaged })},
		{"internal_faults_total", counter, nil, "Faults of the program that a message brought out.",
			total(func(c *deliver.Counters) int { return c.Faults })},
		{"alerts_total", counter, nil, "Alerts that the administrator was sent.",
			total(func(c *deliver.Counters) int { return c.Alerts })},
	}
}
