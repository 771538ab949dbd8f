package deliver

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
	"o365-sendmail/xoauth"
)

const (
	// longPause is the time after which there is an alert about a pause.
	longPause = time.Hour
	// restDelay is how long after its start an engine may still meet what was in force before.
	restDelay = 15 * time.Minute
)

// look tells people, and whoever gets the state, what is in force and what is over.
func (e *Engine) look() {
	s := e.State()
	e.notifier.Look(s.Conditions, s.Now.Sub(s.Started) >= restDelay)
	if e.o.Publish != nil {
		e.o.Publish(s)
	}
}

// mailConditions are those of mail that waits: what is held, and what is paused for long.
func mailConditions(s *State, shut []queue.Notice) (all []notify.Condition) {
	for _, n := range shut {
		kind := notify.Held
		if !n.Held {
			if kind = notify.Paused; s.Now.Sub(n.Since) < longPause {
				continue
			}
		}
		all = append(all, notify.Condition{Name: string(kind) + "|" + n.Name, Kind: kind, Key: n.Key, What: n.Subject,
			Since: n.Since, Cause: ownWords(&n), Reason: n.Reason, Remedy: n.Remedy, Single: n.Single})
	}
	for i := range s.Mailboxes {
		if m := &s.Mailboxes[i]; m.PacedUntil.Sub(s.Now) >= longPause {
			all = append(all, notify.Condition{Name: "paused|" + m.Name + "|" + queue.KeyPace, Kind: notify.Paused,
				Key: queue.KeyPace, What: "mail of " + m.Name,
				Reason: "the sending limits are used up until " + m.PacedUntil.UTC().Format(time.RFC1123)})
		}
	}
	slices.SortStableFunc(all, func(a, b notify.Condition) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.What, b.What))
	})
	return all
}

// hostConditions are those of this host. full is why the spool takes no mail, nil if it does.
func hostConditions(s *State, full error, age time.Duration) (all []notify.Condition) {
	if full != nil {
		why := full.Error()
		if limit := (*spool.LimitError)(nil); errors.As(full, &limit) {
			why = limit.What // without figures, which change
		}
		all = append(all, notify.Condition{Name: "spool-full", Kind: notify.SpoolFull, Cause: why, Reason: why,
			Remedy: "make room on its disk, or find out who fills it: o365-sendmail queue list"})
	}
	if oldest := spool.Key(s.FirstFree).Time(); age > 0 && s.FirstFree != (queue.ID{}) && s.Now.Sub(oldest) >= age {
		all = append(all, notify.Condition{Name: "queue-old", Kind: notify.QueueOld, What: "the oldest message",
			Since: oldest, Remedy: "o365-sendmail queue list says what each message waits for"})
	}
	for _, x := range s.Expiries {
		step, due := notify.ExpiryWarning(x.Begins, x.Ends, s.Now, 0)
		if due || !x.Ends.After(s.Now) {
			all = append(all, notify.Condition{Name: "expiry|" + x.What + "|" + x.Ends.UTC().Format(time.RFC3339),
				Kind: notify.Expiry, What: x.What, Ends: x.Ends, Step: step})
		}
	}
	return all
}

// ownWords says why mail waits in words of this program; "" when it has none. An error of Entra's that is remembered,
// or was restored, has its number in the text.
func ownWords(n *queue.Notice) string {
	_, number, _ := strings.Cut(n.Reason, "AADSTS")
	if number = number[:len(number)-len(strings.TrimLeft(number, "0123456789"))]; number != "" {
		cause, _, _ := xoauth.Explain("AADSTS"+number, "")
		return cmp.Or(cause, "Entra gives no token (AADSTS"+number+")")
	}
	if n.Key == queue.KeyNoAccount {
		return "the configuration can't be used" // the reason may quote it
	}
	if e := (*submit.Error)(nil); errors.As(n.Err, &e) {
		return e.Diagnosis.Cause
	}
	return ""
}
