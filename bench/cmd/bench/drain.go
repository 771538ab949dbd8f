package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
)

// wire is a message in memory.
type wire []byte

func (w wire) Size() int64                  { return int64(len(w)) }
func (w wire) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(w)), nil }

// fill queues n messages of so many users as the program does, but for the fsyncs.
func (s *site) fill(n, users int) error {
	ops := *durable.System
	nothing := func(*os.File) error { return nil }
	ops.Sync, ops.Datasync = nothing, nothing
	sp, err := spool.Open(spool.Options{Dir: s.spool(), Ops: &ops})
	if err != nil {
		return err
	}
	defer sp.Close()
	message := wire(crlf(text(2 << 10)))
	for i := range n {
		uid := os.Getuid()
		if users > 1 {
			uid = 1000 + i%users
		}
		env := envelope.Envelope{
			Sender: from, Origin: from, Recipients: []envelope.Recipient{{Address: to}},
			Caller: envelope.Caller{UID: uid, User: "bench", Via: "bench"},
		}
		if _, err := sp.Put(context.Background(), spool.Meta{UID: uid, Origin: "bench"}, &env,
			message); err != nil {
			return err
		}
	}
	return nil
}

// fillFloor does the same for the floor.
func (b *bench) fillFloor(dir string, n int) error {
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("m%d", i)), text(2<<10), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// emptied is one drain.
type emptied struct {
	cost
	rate              float64 // messages a second
	sessions, refused int
	tripsEach         float64
	arrived           int
}

// empties runs a program that sends n queued messages, and ends when all have arrived.
func (b *bench) empties(n int, argv ...string) (e emptied, err error) {
	b.reset()
	begun := time.Now()
	if e.cost, err = once("/dev/null", argv...); err != nil {
		return e, err
	}
	if err := b.arrived(n, time.Minute); err != nil {
		return e, err
	}
	e.rate = float64(n) / time.Since(begun).Seconds()
	b.tally(&e)
	if e.arrived != n {
		return e, fmt.Errorf("%d messages arrived of %d", e.arrived, n)
	}
	return e, nil
}

// tally adds what the relay has seen of a drain.
func (b *bench) tally(e *emptied) {
	var trips int64
	for _, m := range b.emulator.Messages() {
		trips += m.Trips
	}
	st := b.emulator.Stats()
	e.arrived, e.sessions, e.refused = st.Messages, st.MaxConcurrent, b.emulator.Refused("")
	e.tripsEach = float64(trips) / float64(max(e.arrived, 1))
}

// drain empties a full queue by one process, three sessions at most.
func (b *bench) drain() error {
	for _, rtt := range []time.Duration{0, b.rtt} {
		s, err := b.site(fmt.Sprintf("drain-%d", rtt.Milliseconds()), rtt, nil)
		if err != nil {
			return err
		}
		dir, err := b.folder(fmt.Sprintf("drain-floor-%d", rtt.Milliseconds()))
		if err != nil {
			return err
		}
		drains := []struct {
			name string
			fill func() error
			argv []string
			all  []emptied
		}{
			{name: "o365-sendmail -q", fill: func() error { return s.fill(b.messages, 1) }, argv: s.ours("-q")},
			{name: "floor-deep", fill: func() error { return b.fillFloor(dir, b.messages) },
				argv: b.floorArgs(rtt, "-drain", dir)},
			{name: "floor, one at a time", fill: func() error { return b.fillFloor(dir, b.messages) },
				argv: b.floorArgs(rtt, "-drain", dir, "-ahead", "1")},
		}
		for range 3 {
			for i := range drains {
				d := &drains[i]
				if rtt > 0 && d.name == "floor, one at a time" && len(d.all) > 0 {
					continue // it takes 9 s and does not scatter
				}
				if err := d.fill(); err != nil {
					return err
				}
				e, err := b.empties(b.messages, d.argv...)
				if err != nil {
					return fmt.Errorf("%s: %w", d.name, err)
				}
				d.all = append(d.all, e)
			}
		}
		t := b.report.add(fmt.Sprintf("Drain of %d messages, %d ms round trip", b.messages, rtt.Milliseconds()),
			"The relay allows 3 sessions. The best of three runs, from the call until the last message has arrived. "+
				"Our engine and floor-deep have up to 8 messages of a session on their way; each could come twice if "+
				"the session broke at that moment, so more is not better.",
			"", "messages/s", "× floor-deep", "CPU ms a message", "sessions", "refused", "round trips a message")
		row := func(name string, e emptied) {
			t.row(name, short(e.rate), fmt.Sprintf("%.2f", e.rate/fastest(drains[1].all).rate),
				short(float64(e.cpu.Microseconds())/1000/float64(max(e.arrived, 1))), fmt.Sprint(e.sessions),
				fmt.Sprint(e.refused), short(e.tripsEach))
		}
		for _, d := range drains {
			row(d.name, fastest(d.all))
		}
		if err := b.drainPeers(rtt, row); err != nil {
			return err
		}
	}
	return nil
}

func fastest(all []emptied) (best emptied) {
	for _, e := range all {
		if e.rate > best.rate {
			best = e
		}
	}
	return best
}
