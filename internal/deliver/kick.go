package deliver

import "time"

// kickAll kicks every box.
func (e *Engine) kickAll() {
	for _, b := range e.boxes {
		e.kick(b)
	}
}

// kick wakes or starts couriers when there is work for them.
func (e *Engine) kick(b *box) {
	if !e.running || e.stopping || e.config.Account == nil {
		return
	}
	now := e.clock.Now()
	work := e.available(b, now)
	if work == 0 || e.app.pass(now) == passNo || b.gate.pass(now) == passNo {
		return
	}
	if n := len(b.idle); n > 0 {
		bell := b.idle[n-1]
		b.idle = b.idle[:n-1]
		poke(bell)
		return
	}
	// What the sessions at hand can take soon is worth no new one.
	work -= (b.couriers - b.starting - b.slow) * soon
	for b.couriers < max(e.config.Account.Connections, 1) && b.starting < work && !after(b.noSlot, now) {
		probes, ok := e.claimProbes(b, now)
		if !ok {
			return
		}
		e.hire(b, probes)
	}
}

// soon is how many messages a session that is up is trusted to take without delay.
const soon = 4

// after is t.After(now), but no time of a clock that was set back holds things up.
func after(t, now time.Time) bool { return t.After(now) && !t.After(now.Add(maxStop)) }

// claimProbes passes the gates that a session has to pass, and takes on their probes.
func (e *Engine) claimProbes(b *box, now time.Time) (probes []*gate, ok bool) {
	for _, g := range [...]*gate{&e.app, &b.gate} {
		switch g.pass(now) {
		case passNo:
			return nil, false
		case passProbe:
			probes = append(probes, g)
		}
	}
	for _, g := range probes {
		g.probing = true
	}
	return probes, true
}

// dismiss lets the idle couriers of a box look around, and go.
func (b *box) dismiss() {
	for _, bell := range b.idle {
		poke(bell)
	}
	b.idle = nil
}
