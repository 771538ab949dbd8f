package deliver

import (
	"fmt"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
)

// logQueued writes the line of a message that came into the queue.
func (e *Engine) logQueued(id string, env *envelope.Envelope, size int64) {
	logQueued(e.log, id, env, size)
	e.mu.Lock()
	e.counters.Queued++
	e.mu.Unlock()
}

func logQueued(l *maillog.Logger, id string, env *envelope.Envelope, size int64) {
	l.Log(maillog.Info, id, "from", "<"+env.Sender+">", "size", size, "nrcpt", fmt.Sprintf("%d (queued)", len(env.Recipients)))
}

// logTry writes a line for each recipient of a try, and counts them.
func (e *Engine) logTry(log eventLog, j *job, v *verdict, relay string, now time.Time, expired bool) {
	delay := max(now.Sub(j.item.Meta().Arrived), 0)
	e.logFates(log, j.id, j.env, v, relay, delay, expired)
}

func (e *Engine) logFates(log eventLog, id string, env *envelope.Envelope, v *verdict, relay string, delay time.Duration, expired bool) {
	var sent, deferred, bounced int
	for k, f := range v.fate {
		switch f {
		case fateTaken:
			sent++
			log.Log(maillog.Info, id, "to", "<"+env.Recipients[k].Address+">", "relay", relay, "delay", delay, "dsn", v.enhanced, "status", "sent", "", v.reply)
		case fateRefused:
			bounced++
			status := "bounced"
			if expired {
				status = "expired"
			}
			logStatus(log, maillog.Notice, id, env.Recipients[k].Address, relay, delay, status, "5.0.0", v.errs[k])
		default:
			if v.again {
				continue // it goes now
			}
			deferred++
			status := "deferred"
			if v.stop != nil && v.stop.hold {
				status = "held"
			}
			logStatus(log, maillog.Warning, id, env.Recipients[k].Address, relay, delay, status, "4.0.0", v.errs[k])
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counters.Sent += sent
	e.counters.Deferred += deferred
	if expired {
		e.counters.Expired += bounced
	} else {
		e.counters.Bounced += bounced
	}
}

func logStatus(log eventLog, p maillog.Priority, id, to, relay string, delay time.Duration, status, dsn string, err error) {
	if _, enh := replyOf(err); enh != "" {
		dsn = enh
	}
	log.Log(p, id, "to", "<"+to+">", "relay", relay, "delay", delay, "dsn", dsn, "status", status, "", err)
}
