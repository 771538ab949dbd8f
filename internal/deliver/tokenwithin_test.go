package deliver

import (
	"errors"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// TestTokenWithin: a token is replaced when it is as old as asked. While Entra is down the old one serves on, unless
// any new one was asked for.
func TestTokenWithin(t *testing.T) {
	t.Parallel()
	em, now := emulator.New(t), time.Now()
	a := testAccount(em, t.TempDir(), func() time.Time { return now })
	a.Now = func() time.Time { return now }
	var warned error
	a.Warn = func(err error) { warned = errors.Join(warned, err) }
	text := func(most time.Duration) string {
		got, err := a.TokenWithin(t.Context(), most)
		if err != nil {
			return "error"
		}
		return got.Access.Reveal()
	}
	first := text(time.Minute)
	now = now.Add(time.Minute)
	if text(AnyAge) != first || text(time.Hour) != first || em.TokenRequests() != 1 {
		t.Error("a young token was replaced")
	}
	second := text(time.Minute)
	if second == first || text(AnyAge) != second || em.TokenRequests() != 2 {
		t.Error("an old token was not replaced")
	}
	now = now.Add(2 * time.Minute)
	em.Update(func(s *emulator.State) { s.Network.TokenClosed = true })
	if text(time.Minute) != second || warned == nil {
		t.Errorf("the old token does not serve on while there is no other: %v", warned)
	}
	if text(0) != "error" || text(AnyAge) != second {
		t.Error("an old token was given for a new one, or lost")
	}
}
