package main

import (
	"errors"
	"fmt"
	"time"
)

// contestant is one program in an interleaved comparison.
type contestant struct {
	name  string
	argv  []string
	pid   int // of a daemon whose CPU counts, too; 0 for none
	sends bool

	before func() error // is not measured; may be nil

	untilRelayed bool // what counts is when the relay has the message, not the exit

	walls, cpus []time.Duration
	relayed     []time.Duration // from the call until the relay has the message
	trips       int64
	tokens      int // token requests, at most
}

// interleave runs all in turn, in another order each round, after one round to warm up.
func (b *bench) interleave(rounds int, all []*contestant) error {
	for round := -1; round < rounds; round++ {
		for i := range all {
			c := all[(i+max(round, 0))%len(all)]
			b.reset()
			if c.before != nil {
				if err := c.before(); err != nil {
					return err
				}
			}
			before, begun := cpuOf(c.pid), time.Now()
			used, err := once(b.message, c.argv...)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if c.sends {
				if err := b.arrived(1, 10*time.Second); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				c.trips = b.emulator.Messages()[0].Trips
			}
			relayed := time.Since(begun)
			c.tokens = max(c.tokens, b.emulator.Stats().TokenRequests)
			if c.untilRelayed {
				used.wall = relayed
			}
			if c.pid != 0 {
				time.Sleep(5 * time.Millisecond) // the daemon's own work is not the next one's
			}
			if round >= 0 {
				c.walls, c.relayed = append(c.walls, used.wall), append(c.relayed, relayed)
				c.cpus = append(c.cpus, used.cpu+cpuOf(c.pid)-before)
			}
		}
	}
	return nil
}

// mean is for CPU times, which the kernel tells in coarse steps.
func mean(values []time.Duration) time.Duration {
	var sum time.Duration
	for _, v := range values {
		sum += v
	}
	return sum / time.Duration(max(len(values), 1))
}

// submit is the direct way: a process delivers one message, with a warm token.
func (b *bench) submit() error {
	for _, rtt := range []time.Duration{0, b.rtt} {
		s, err := b.site(fmt.Sprintf("submit-%d", rtt.Milliseconds()), rtt, nil)
		if err != nil {
			return err
		}
		ahead, err := b.site(fmt.Sprintf("ahead-%d", rtt.Milliseconds()), rtt, tables{"smtp": {"pipeline_auth = true"}})
		if err != nil {
			return err
		}
		yardstick := &contestant{name: "floor", argv: b.floorArgs(rtt, to), sends: true}
		all := []*contestant{{name: "o365-sendmail", argv: s.sendmail(), sends: true}, yardstick,
			{name: "floor, one authority", argv: b.leastArgs(rtt), sends: true}}
		if rtt > 0 {
			all = append(all, &contestant{name: "o365-sendmail, smtp.pipeline_auth", argv: ahead.sendmail(),
				sends: true})
		}
		peers, stop, err := b.directPeers(rtt)
		if err != nil {
			return err
		}
		all = append(all, peers...)
		rounds := b.rounds
		if rtt > 0 {
			rounds = max(rounds/2, 1) // they scatter less
		}
		if err := errors.Join(b.interleave(rounds, all), stop()); err != nil {
			return err
		}
		t := b.report.add(fmt.Sprintf("Deliver without an agent, 2 KB, %d ms round trip", rtt.Milliseconds()),
			"From the call to the exit status: the relay has taken the message. The token is in the cache; "+
				"connection, TLS and sign-in are new each time. All trust the bundle of a distribution; `one "+
				"authority` is given only the one that it needs, which nobody can know beforehand.",
			"", "ms", "middle half", "× floor", "CPU ms", "round trips")
		for _, c := range all {
			t.row(c.name, ms(median(c.walls)), quartiles(c.walls), times(median(c.walls), median(yardstick.walls)),
				ms(mean(c.cpus)), fmt.Sprint(c.trips))
		}
	}
	return nil
}
