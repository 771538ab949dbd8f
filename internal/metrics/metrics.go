// Package metrics writes the state of the delivery engine as a text file for Prometheus
// (exposition format 0.0.4), as node_exporter's textfile collector reads it. It measures
// nothing itself, opens no socket, and never writes an address of a recipient.
package metrics

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/queue"
)

// fileMode lets the node exporter read the file: it holds no secret.
const fileMode fs.FileMode = 0o644

// Writer returns a function that writes a state to the file at path. A reader sees the
// old content or the new. The first of a row of failures is given to warn.
func Writer(path string, warn func(error)) func(deliver.State) {
	failed := false
	return func(s deliver.State) {
		err := durable.ReplaceNoSync(path, Render(&s), fileMode)
		if err != nil && !failed && warn != nil {
			warn(fmt.Errorf("the metrics can't be written: %w", err))
		}
		failed = err != nil
	}
}

// Render returns the text.
func Render(s *deliver.State) []byte {
	p := &printer{}
	p.queue(s)
	p.counters(s)
	p.stops(s)
	p.mailboxes(s)
	p.ends(s)
	return p.b.Bytes()
}

const prefix = "o365_sendmail_"

type printer struct{ b bytes.Buffer }

// head starts a metric.
func (p *printer) head(name, kind, help string) {
	fmt.Fprintf(&p.b, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, name, help, prefix, name, kind)
}

// sample writes one value; labels are names and values in turn.
func (p *printer) sample(name string, value float64, labels ...string) {
	p.b.WriteString(prefix + name)
	if len(labels) > 0 {
		var pairs []string
		for i := 0; i+1 < len(labels); i += 2 {
			pairs = append(pairs, labels[i]+`="`+escape(labels[i+1])+`"`)
		}
		p.b.WriteString("{" + strings.Join(pairs, ",") + "}")
	}
	p.b.WriteString(" " + strconv.FormatFloat(value, 'f', -1, 64) + "\n")
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "?"))
}

func (p *printer) gauge(name, help string, value float64) {
	p.head(name, "gauge", help)
	p.sample(name, value)
}

func (p *printer) queue(s *deliver.State) {
	p.head("queue_messages", "gauge", "Messages in the queue by state.")
	for _, c := range []struct {
		state string
		n     int
	}{{"ready", s.Ready}, {"waiting", s.Waiting}, {"held", s.Held}, {"in_flight", s.InFlight}} {
		p.sample("queue_messages", float64(c.n), "state", c.state)
	}
	p.gauge("queue_oldest_seconds", "Age of the oldest message in the queue, 0 when it is empty.", age(s.Now, s.Oldest))
	p.gauge("interactive_waiting", "Callers that wait for a connection.", float64(s.Interactive))
	p.gauge("spool_messages", "Messages in the spool by its own count.", float64(s.Spool.Messages))
	p.gauge("spool_bytes", "Bytes of the messages in the spool.", float64(s.Spool.Bytes))
	p.gauge("spool_failed_messages", "Messages that were put aside in failed/.", float64(s.Spool.Failed))
}

func age(now, then time.Time) float64 {
	if then.IsZero() {
		return 0
	}
	return max(now.Sub(then).Seconds(), 0)
}

func (p *printer) counters(s *deliver.State) {
	c := &s.Counters
	for _, m := range []struct {
		name, help string
		n          int
	}{
		{"queued_messages_total", "Messages that came into the queue.", c.Queued},
		{"sent_recipients_total", "Recipients for whom the server took the message.", c.Sent},
		{"deferred_recipients_total", "Tries of a recipient that failed for now.", c.Deferred},
		{"bounced_recipients_total", "Recipients that were refused for good after the message was queued.", c.Bounced},
		{"refused_recipients_total", "Recipients of which the caller was told, while it waited, that nothing is kept.",
			c.Refused},
		{"expired_recipients_total", "Recipients that were given up.", c.Expired},
		{"reports_total", "Failure reports that were written.", c.Bounces},
		{"failed_messages_total", "Messages that were moved to failed/ because nobody could be told.", c.Failed},
		{"damaged_messages_total", "Spool files that were no whole message.", c.Damaged},
		{"internal_faults_total", "Faults of the program that a message brought out.", c.Faults},
		{"alerts_total", "Faults that the administrator was told of.", c.Alerts},
	} {
		p.head(m.name, "counter", m.help)
		p.sample(m.name, float64(m.n))
	}
	p.head("stopped_seconds_total", "counter", "Time for which mail was held or paused.")
	p.sample("stopped_seconds_total", c.Paused.Seconds())
}

func (p *printer) stops(s *deliver.State) {
	p.head("stopped", "gauge", "1 for each fault that keeps mail from going; kind is held (an administrator has to "+
		"act) or paused.")
	held := 0
	for _, st := range s.Stops {
		kind := "paused"
		if st.Held {
			kind = "held"
			held++
		}
		labels := []string{"kind", kind, "fault", st.Key, "mailbox", st.Mailbox, "sender", cmp.Or(st.Sender, st.Author)}
		if st.UID != nil {
			labels = append(labels, "user", strconv.Itoa(*st.UID))
		}
		p.sample("stopped", 1, labels...)
	}
	p.gauge("held", "How many faults wait for an administrator.", float64(held))
}

func (p *printer) mailboxes(s *deliver.State) {
	each := func(name, help string, value func(*queue.MailboxReport) float64) {
		p.head(name, "gauge", help)
		for i := range s.Mailboxes {
			p.sample(name, value(&s.Mailboxes[i]), "mailbox", s.Mailboxes[i].Name)
		}
	}
	each("sessions", "Connections that are signed in.",
		func(m *queue.MailboxReport) float64 { return float64(m.Sessions) })
	each("last_minute_messages", "Messages sent in the last 60 seconds, by all processes of this host.",
		func(m *queue.MailboxReport) float64 { return float64(m.LastMinute) })
	each("last_day_recipients", "Recipients sent to in the last 24 hours, by all processes of this host.",
		func(m *queue.MailboxReport) float64 { return float64(m.LastDay) })
	each("paced_seconds", "Time until the account's rates are expected to allow more.",
		func(m *queue.MailboxReport) float64 {
			return max(m.PacedUntil.Sub(s.Now).Seconds(), 0)
		})
}

func (p *printer) ends(s *deliver.State) {
	if !s.TokenExpires.IsZero() {
		p.gauge("token_age_seconds", "Age of the access token in the cache.", age(s.Now, s.TokenObtained))
		p.gauge("token_left_seconds", "Time until the access token expires, negative afterwards.",
			s.TokenExpires.Sub(s.Now).Seconds())
	}
	if len(s.Expiries) > 0 {
		ends := slices.Clone(s.Expiries)
		slices.SortFunc(ends, func(a, b deliver.Expiry) int { return strings.Compare(a.What, b.What) })
		p.head("credential_left_days", "gauge", "Days until a secret or certificate expires, negative after that.")
		for _, x := range ends {
			p.sample("credential_left_days", x.Ends.Sub(s.Now).Hours()/24, "what", x.What)
		}
	}
	p.gauge("up", "1 while the engine runs.", flag(s.Running))
	if !s.Started.IsZero() {
		p.gauge("start_time_seconds", "When the engine was started, in Unix time.", float64(s.Started.Unix()))
	}
	p.gauge("written_time_seconds", "When this was written, in Unix time.", float64(s.Now.Unix()))
}
