// Package limitertest holds what every quota.Limiter promises, as tests that each implementation runs. It is part of no
// program.
package limitertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/quota"
)

// Make returns two limiters of different processes that share everything, with these limits for each account.
type Make func(t *testing.T, limits quota.Limits) (one, two quota.Limiter)

// Run runs all tests.
func Run(t *testing.T, limiters Make) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Make){
		"Slots": slots, "SlotsBelowOne": slotsBelowOne, "SlotPassesOn": slotPassesOn, "Crowd": crowd,
		"Minute": minute, "Day": day, "TooMany": tooMany, "Unreserve": unreserve, "Restamp": restamp, "NoLimits": noLimits,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, limiters)
		})
	}
}

const account, other = "noreply@contoso.com", "other@contoso.com"

func take(t *testing.T, l quota.Limiter, account string, n int) quota.Slot {
	t.Helper()
	s, err := l.TrySlot(t.Context(), account, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Release)
	if s.Lost.Err() != nil || s.Cut.Err() != nil || s.Wanted == nil {
		t.Fatal("a new slot is lost")
	}
	return s
}

func taken(t *testing.T, l quota.Limiter, n int) {
	t.Helper()
	if _, err := l.TrySlot(t.Context(), account, n); !errors.Is(err, quota.ErrTaken) {
		t.Errorf("a slot more than %d: %v", n, err)
	}
}

func slots(t *testing.T, limiters Make) {
	one, two := limiters(t, quota.Limits{})
	all := []quota.Slot{take(t, one, account, 3), take(t, two, account, 3), take(t, one, account, 3)}
	taken(t, one, 3)
	taken(t, two, 3)
	take(t, two, other, 3).Release() // accounts share none
	all[1].Release()
	again, err := one.Slot(t.Context(), account, 3) // it may take a moment until another host can have it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Release)
	all[1].Release() // once more frees nothing that is another's now
	taken(t, two, 3)
	for _, s := range []quota.Slot{all[0], all[2], again} {
		if s.Lost.Err() != nil {
			t.Error("a slot was lost that nobody else has")
		}
		s.Release()
	}
}

func slotsBelowOne(t *testing.T, limiters Make) {
	one, two := limiters(t, quota.Limits{})
	s := take(t, one, account, 0)
	taken(t, two, -1)
	s.Release()
}

func slotPassesOn(t *testing.T, limiters Make) {
	one, two := limiters(t, quota.Limits{})
	held := take(t, one, account, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := two.Slot(ctx, account, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	time.AfterFunc(50*time.Millisecond, held.Release)
	s, err := two.Slot(t.Context(), account, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.Release()
}

// crowd: many want a slot, and never more than three have one.
func crowd(t *testing.T, limiters Make) {
	one, two := limiters(t, quota.Limits{})
	var mu sync.Mutex
	var inside, most int
	var all sync.WaitGroup
	for i := range 12 {
		l := []quota.Limiter{one, two}[i%2]
		all.Go(func() {
			s, err := l.Slot(t.Context(), account, 3)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Release()
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			time.Sleep(5 * time.Millisecond)
			mu.Lock()
			inside-- // before the slot passes on
			mu.Unlock()
		})
	}
	all.Wait()
	if most > 3 {
		t.Errorf("%d had one of 3 slots", most)
	}
}

func request(account string, recipients int, limits quota.Limits) quota.Request {
	return quota.Request{Account: account, Recipients: recipients, Limits: limits, Now: time.Now()}
}

// granted asks for it, and reports whether there was room.
func granted(t *testing.T, l quota.Limiter, r quota.Request) (quota.Grant, *quota.Short) {
	t.Helper()
	g, short, err := l.Reserve(t.Context(), r)
	switch {
	case err != nil:
		t.Fatal(err)
	case short == nil && (g.Account != r.Account || g.Recipients != r.Recipients || g.At.IsZero()):
		t.Errorf("granted %+v for %+v", g, r)
	case short != nil && (short.Wait <= 0 || g.Account != ""):
		t.Errorf("short %+v, granted %+v", short, g)
	}
	return g, short
}

func minute(t *testing.T, limiters Make) {
	limits := quota.Limits{MessagesPerMinute: 30}
	one, two := limiters(t, limits)
	var mu sync.Mutex
	var got int
	var all sync.WaitGroup
	for i := range 60 {
		l := []quota.Limiter{one, two}[i%2]
		all.Go(func() {
			_, short := granted(t, l, request(account, 1, limits))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case short == nil:
				got++
			case short.Day || short.Wait > 62*time.Second:
				t.Errorf("%+v", short)
			}
		})
	}
	all.Wait()
	if got != 30 {
		t.Errorf("%d granted, want 30", got)
	}
	if _, short := granted(t, one, request(other, 1, limits)); short != nil {
		t.Errorf("another account has to wait: %+v", short)
	}
}

func day(t *testing.T, limiters Make) {
	limits := quota.Limits{RecipientsPerDay: 100}
	one, two := limiters(t, limits)
	for i, l := range []quota.Limiter{one, two, one} {
		if _, short := granted(t, l, request(account, 30, limits)); short != nil {
			t.Errorf("message %d: %+v", i, short)
		}
	}
	if _, short := granted(t, two, request(account, 11, limits)); short == nil || !short.Day {
		t.Errorf("11 more than 90 of 100: %+v", short)
	}
	if _, short := granted(t, two, request(account, 10, limits)); short != nil {
		t.Errorf("10 more than 90 of 100: %+v", short)
	}
}

func tooMany(t *testing.T, limiters Make) {
	limits := quota.Limits{RecipientsPerDay: 10}
	one, _ := limiters(t, limits)
	if _, _, err := one.Reserve(t.Context(), request(account, 11, limits)); !errors.Is(err, quota.ErrTooManyRecipients) {
		t.Error(err)
	}
	if _, short := granted(t, one, request(account, 10, limits)); short != nil {
		t.Errorf("what was refused counts: %+v", short)
	}
}

// eventually waits for what a limiter may do after the call.
func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func unreserve(t *testing.T, limiters Make) {
	limits := quota.Limits{MessagesPerMinute: 3, RecipientsPerDay: 12}
	one, two := limiters(t, limits)
	var g quota.Grant
	for range 3 {
		g, _ = granted(t, one, request(account, 4, limits))
	}
	if _, short := granted(t, two, request(account, 1, limits)); short == nil {
		t.Fatal("a fourth of three")
	}
	one.Unreserve(g, time.Now())
	eventually(t, "what was taken back leaves no room", func() bool {
		_, short := granted(t, two, request(account, 4, limits))
		return short == nil
	})
	if _, short := granted(t, one, request(account, 1, limits)); short == nil {
		t.Error("more was taken back than was granted")
	}
}

// restamp: a message counts once, whenever it ends.
func restamp(t *testing.T, limiters Make) {
	limits := quota.Limits{MessagesPerMinute: 3, RecipientsPerDay: 12}
	one, two := limiters(t, limits)
	g, _ := granted(t, one, request(account, 4, limits))
	one.Restamp(g, time.Now().Add(2*time.Second))
	for i := range 2 {
		eventually(t, fmt.Sprintf("message %d counts twice", i), func() bool {
			_, short := granted(t, one, request(account, 4, limits))
			return short == nil
		})
	}
	if _, short := granted(t, two, request(account, 1, limits)); short == nil {
		t.Error("a fourth of three")
	}
}

func noLimits(t *testing.T, limiters Make) {
	one, _ := limiters(t, quota.Limits{})
	for range 50 {
		if _, short := granted(t, one, request(account, 1<<20, quota.Limits{})); short != nil {
			t.Fatalf("%+v", short)
		}
	}
	one.Unreserve(quota.Grant{}, time.Now()) // of nothing
}
