package deliver

import (
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
)

// shared returns env with the mailbox of the pool that signs in for it where there is no agent: of those that are not
// paused the one that has sent least in the last minute, and then in the last day, by the counts on disk. What is kept
// of the message does not name it.
func (a *Account) shared(env *envelope.Envelope, paused func(mailbox string) bool) *envelope.Envelope {
	if len(a.Pool) == 0 || env.SignIn != "" && !strings.EqualFold(env.SignIn, a.Mailbox) {
		return env
	}
	best, least, fewest, now := "", 0, 0, time.Now()
	for _, m := range append([]string{a.Mailbox}, a.Pool...) {
		messages, recipients := a.Quota.Usage(m, now)
		if best != "" && (messages > least || messages == least && recipients >= fewest) || paused(m) {
			continue
		}
		best, least, fewest = m, messages, recipients
	}
	one := *env
	one.SignIn = best // "" when all are paused: the configured one
	return &one
}
