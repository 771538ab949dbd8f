package quota

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestSlots(t *testing.T) {
	t.Parallel()
	l := testLedger(t, func(err error) { t.Error(err) })
	var all []func()
	for range 3 {
		release, ok := l.TrySlot(account, 3)
		if !ok {
			t.Fatal("no slot")
		}
		all = append(all, release)
	}
	if _, ok := l.TrySlot(account, 3); ok {
		t.Error("a fourth slot of three")
	}
	if release, ok := l.TrySlot("other@contoso.com", 3); !ok {
		t.Error("accounts share slots")
	} else {
		release()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.Slot(ctx, account, 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	all[1]()
	release, err := l.Slot(t.Context(), account, 3)
	if err != nil {
		t.Fatal(err)
	}
	all[1]() // once more frees nothing that is another's now
	if _, ok := l.TrySlot(account, 3); ok {
		t.Error("a second release freed another's slot")
	}
	release()
}

func TestSlotsBelowOne(t *testing.T) {
	t.Parallel()
	l := testLedger(t, nil)
	release, ok := l.TrySlot(account, 0)
	if !ok {
		t.Fatal("no slot")
	}
	defer release()
	if _, ok := l.TrySlot(account, -1); ok {
		t.Error("two slots of one")
	}
}
