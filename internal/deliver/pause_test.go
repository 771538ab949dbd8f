package deliver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// single is one call of the program without an agent, as a process of its own makes it.
func (r *rig) single(sp *spool.Spool, stateFile string) (envelope.Receipt, error) {
	d := NewEngine(EngineOptions{Config: Config{Account: r.e.config().Account}, StateFile: stateFile, Spool: sp,
		Alone: &Alone{}})
	return d.Submit(context.Background(), testEnvelope(r.em.Mailbox), testMessage(r.em.Mailbox, "single"))
}

// TestSingleCallsDoNotFeedTheThrottle: calls without an agent try a throttled mailbox no more often than an agent.
func TestSingleCallsDoNotFeedTheThrottle(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{throttledText,
		"554 5.2.2 mailbox full; STOREDRV.Submit.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded"} {
		for _, withSpool := range []bool{true, false} {
			inBubble(t, rigOptions{}, func(t *testing.T, r *rig) {
				r.script(emulator.Rule{Stage: "dot", Reply: reply})
				sp := r.sp
				if !withSpool {
					sp = nil
				}
				for minute := range 60 {
					for range 3 {
						receipt, err := r.single(sp, "")
						if withSpool && (err != nil || !receipt.Queued) {
							t.Fatalf("%+v, %v", receipt, err)
						}
						if minute < 4 && minute > 0 && !withSpool {
							var paused *PausedError
							if ExitCode(err) != sysexits.TempFail || !errors.As(err, &paused) ||
								strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "paused until") {
								t.Fatalf("minute %d: %v", minute, err)
							}
						}
						if receipt.Queued {
							if due := r.status(receipt.QueueID).Status.Next; due.Before(time.Now()) ||
								due.After(time.Now().Add(time.Hour)) {
								t.Fatalf("minute %d: the next try is in %v", minute, time.Until(due))
							}
						}
					}
					time.Sleep(time.Minute)
				}
				// At once, and after 5, 15 and 35 minutes.
				if n := r.em.Refused(reply[:3]); n != 4 {
					t.Errorf("%d tries in an hour", n)
				}
				r.em.ClearScript()
				time.Sleep(2 * time.Hour)
				for range 2 {
					if receipt, err := r.single(sp, ""); err != nil || receipt.Queued {
						t.Errorf("afterwards: %+v, %v", receipt, err)
					}
				}
			})
		}
	}
}

// TestRunAndSingleCallsShareThePause: a run of the queue and single calls hold to each other's pauses.
func TestRunAndSingleCallsShareThePause(t *testing.T) {
	t.Parallel()
	inBubble(t, rigOptions{}, func(t *testing.T, r *rig) {
		r.script(emulator.Rule{Stage: "dot", Reply: throttledText})
		r.put(1000, 0, "a@example.com")
		once := func() {
			if _, err := r.e.RunOnce(context.Background(), Selection{Force: true}, nil); err != nil {
				t.Fatal(err)
			}
		}
		tries := func(want int, when string) {
			t.Helper()
			if n := r.em.Refused("550"); n != want {
				t.Errorf("%s: %d tries, want %d", when, n, want)
			}
		}
		once()
		tries(1, "a run")
		if receipt, err := r.single(r.sp, r.e.o.StateFile); err != nil || !receipt.Queued {
			t.Errorf("%+v, %v", receipt, err)
		}
		tries(1, "a call behind it")
		time.Sleep(2 * time.Hour)
		if _, err := r.single(r.sp, r.e.o.StateFile); err != nil {
			t.Error(err)
		}
		tries(2, "a call when the pause is over")
		once()
		tries(2, "a run behind it")
	})
}
