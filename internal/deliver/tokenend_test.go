package deliver

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/xoauth"
)

// tokensInTurn gives each token once, the last one for ever.
type tokensInTurn struct {
	tokens []xoauth.Token
	asked  atomic.Int32
}

func (s *tokensInTurn) Token(context.Context) (xoauth.Token, error) {
	n := int(s.asked.Add(1)) - 1
	return s.tokens[min(n, len(s.tokens)-1)], nil
}

// TestTokenEndsSession: an account of High Volume Email refuses what is sent on a session after its token has expired.
// With TokenEndsSession a busy session ends before, and nothing is refused.
func TestTokenEndsSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		ends    bool
		refused bool
	}{{"a session that ends before", true, false}, {"a session that goes on", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			em := bubbleEmulator(t, emulator.HighVolume)
			long := longToken(t, em)
			em.Update(func(s *emulator.State) { s.Entra.ExpiresIn = 900 })
			source := &tokensInTurn{tokens: []xoauth.Token{longToken(t, em), long}}
			inBubble(t, rigOptions{em: em, account: func(a *Account) {
				a.TokenEndsSession = c.ends
				a.Source = func() (xoauth.TokenSource, error) { return source, nil }
			}}, func(t *testing.T, r *rig) {
				r.run()
				for i := range 1200 { // a message each second for twenty minutes: the session is never idle for long
					r.put(1000, i, r.em.Mailbox)
					r.e.Rescan()
					time.Sleep(time.Second)
				}
				time.Sleep(time.Minute)
				if n := r.em.Refused("535"); c.refused != (n > 0) {
					t.Errorf("%d refusals of an expired token", n)
				}
				if n := len(r.em.Messages()); n != 1200 {
					t.Errorf("%d messages of 1200 arrived", n)
				}
			})
		})
	}
}
