package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// burst is many processes at the same moment, with a relay that allows three sessions.
func (b *bench) burst() error {
	t := b.report.add(fmt.Sprintf("%d processes at once, %d ms round trip", b.processes, b.rtt.Milliseconds()),
		"The relay allows 3 sessions, and the token cache is cold. Until all messages have arrived.",
		"", "all delivered after s", "× floor-queue", "slowest caller s", "CPU s of callers", "arrived", "callers that failed",
		"token requests", "refused")
	put, err := b.folder("burst-floor")
	if err != nil {
		return err
	}
	through, err := b.agentSite("burst-agent", b.rtt, `mode = "background"`)
	if err != nil {
		return err
	}
	alone, err := b.site("burst-alone", b.rtt, nil)
	if err != nil {
		return err
	}
	yardstick, err := b.crowd(t, "floor-queue", 0, b.floorArgs(b.rtt, "-put", put, "-start"))
	if err != nil {
		return err
	}
	agent, caller, err := through.agent()
	if err != nil {
		return err
	}
	_, err = b.crowd(t, "o365-sendmail, through the agent", yardstick, caller)
	if stopErr := agent.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	if _, err = b.crowd(t, "o365-sendmail, no agent", yardstick, alone.sendmail()); err != nil {
		return err
	}
	behind, err := b.site("burst-behind", b.rtt, tables{"delivery": {`mode = "background"`}})
	if err != nil {
		return err
	}
	if _, err = b.crowd(t, "o365-sendmail, no agent, in the background", yardstick, behind.sendmail()); err != nil {
		return err
	}
	return b.burstPeers(t, yardstick)
}

// crowd starts all processes at once, waits for them, does what follows, and waits for
// the messages.
func (b *bench) crowd(t *table, name string, yardstick time.Duration, argv []string,
	then ...func() error) (time.Duration, error) {
	b.reset()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var slowest, cpu time.Duration
	failed := 0
	begun := time.Now()
	for range b.processes {
		wg.Go(func() {
			c, err := once(b.message, argv...)
			mu.Lock()
			defer mu.Unlock()
			slowest, cpu = max(slowest, c.wall), cpu+c.cpu
			if err != nil {
				if failed++; failed == 1 {
					fmt.Fprintln(os.Stderr, "bench:", name+":", err)
				}
			}
		})
	}
	wg.Wait()
	if interrupted.Load() {
		return 0, errInterrupted
	}
	for _, f := range then {
		if err := f(); err != nil {
			return 0, err
		}
	}
	_, last := b.settled(b.processes - failed) // the table shows how many came
	took := last.Sub(begun)
	if yardstick == 0 {
		yardstick = took
	}
	st := b.emulator.Stats()
	t.row(name, short(took.Seconds()), times(took, yardstick), short(slowest.Seconds()), short(cpu.Seconds()),
		fmt.Sprint(st.Messages),
		fmt.Sprint(failed),
		fmt.Sprint(st.TokenRequests), fmt.Sprint(b.emulator.Refused("")))
	return took, nil
}
