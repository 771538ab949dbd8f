package spool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
)

// ErrHasIt means that a recipient was already delivered to.
var ErrHasIt = errors.New("has the message already")

// Redirect puts other recipients in the place of those that do not have the message, and returns the addresses of
// these. The id, the bytes to send, what was delivered and a hold stay; the message is due at once, and one in failed/
// goes back to the queue. One rename does it, so that a crash leaves the old recipients or the new ones. With dry
// nothing is changed.
func (s *Spool) Redirect(ctx context.Context, id string, to []string, why string, dry bool) (from []string, err error) {
	it, dir, err := s.claimAnywhere(id)
	if err != nil {
		return nil, err
	}
	defer func() { it.Unlock() }()
	env, st := it.h.env, it.st
	env.Recipients, st.Recipients = nil, nil
	var old []envelope.Recipient
	for i, r := range it.h.env.Recipients {
		// A refusal in the queue is still to be reported.
		if state := it.st.Recipients[i].State; state == Todo || dir == failedDir && state == Failed {
			old, from = append(old, r), append(from, r.Address)
			continue
		}
		env.Recipients, st.Recipients = append(env.Recipients, r), append(st.Recipients, it.st.Recipients[i])
	}
	if len(old) == 0 {
		return nil, ErrGone
	}
	for _, address := range to {
		same := func(r envelope.Recipient) bool { return strings.EqualFold(r.Address, address) }
		if i := slices.IndexFunc(env.Recipients, same); i >= 0 && st.Recipients[i].State != Failed {
			if st.Recipients[i].State == Done {
				return from, fmt.Errorf("%.128q %w", address, ErrHasIt)
			}
			continue // given twice
		}
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: address, Notify: old[0].Notify})
		st.Recipients = append(st.Recipients, RecipientStatus{State: Todo})
		env.SMTPUTF8 = env.SMTPUTF8 || strings.ContainsFunc(address, func(r rune) bool { return r > '~' })
	}
	if dry {
		return from, nil
	}
	if st.Next, st.Warned = (time.Time{}), false; !st.Held {
		st.Class, st.Reason = "", ""
	}
	meta := it.h.meta
	meta.Internal = true
	changed, err := it.replace(ctx, meta, &env, it.Message(), st)
	if err != nil {
		return nil, err
	}
	it = changed
	it.Log(why)
	if dir == queueDir {
		return from, nil
	}
	it.Unlock()
	return from, s.Retry(id, 0)
}
