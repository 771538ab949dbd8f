package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"o365-sendmail/internal/agent/sdnotify"
	"o365-sendmail/internal/deliver"
)

// beat tells the watchdog that the agent lives, as often as it wants, and only if a
// client would find it alive.
func (a *Agent) beat(ctx context.Context, listeners []listener) {
	every := a.manager.Watchdog() / 3
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := a.check(ctx, listeners, every); err == nil {
			a.notify(sdnotify.Alive)
		} else if ctx.Err() == nil {
			a.fault(fmt.Errorf("the agent finds itself unwell: %w", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// check calls on the own socket and looks whether the engine can be asked.
func (a *Agent) check(ctx context.Context, listeners []listener, limit time.Duration) error {
	answered := make(chan struct{})
	go func() {
		a.engine.State()
		close(answered)
	}()
	for _, l := range listeners {
		if l.control {
			continue
		}
		if err := greet(ctx, l.Addr(), limit); err != nil {
			return err
		}
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-answered:
		return nil
	case <-t.C:
		return errors.New("the delivery engine does not answer")
	}
}

// greet reads the first line of a server; that it is busy is an answer, too. It ends with ctx: a
// socket that the service manager holds takes connections when nobody accepts them any more.
func greet(ctx context.Context, addr net.Addr, limit time.Duration) error {
	d := net.Dialer{Timeout: limit}
	c, err := d.DialContext(ctx, addr.Network(), addr.String())
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(limit))
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if _, err := bufio.NewReader(c).ReadSlice('\n'); err != nil {
		return fmt.Errorf("no greeting at %s: %w", addr, err)
	}
	_, err = c.Write([]byte("QUIT\r\n"))
	return err
}

// publish gets the engine's state every minute, and when something is held or let go.
func (a *Agent) publish(s deliver.State) {
	followMemory(s.Spool.Messages)
	a.notify(sdnotify.Status(a.statusLine(&s)))
	a.exporter.publish(s)
	poke(a.news)
	a.noteBacklog(&s)
}

// setStatus sets what goes before the engine's own state; "" for nothing.
func (a *Agent) setStatus(text string) {
	a.mu.Lock()
	a.status = text
	a.mu.Unlock()
	s := a.engine.State()
	a.publish(s)
}

// statusLine is the line that systemctl status shows.
func (a *Agent) statusLine(s *deliver.State) string {
	a.mu.Lock()
	first := a.status
	a.mu.Unlock()
	r := a.rules.Load()
	switch {
	case r.fault != nil:
		return fmt.Sprintf("accepting mail, delivering nothing: %d messages wait until the configuration is fixed: %s",
			s.Spool.Messages, r.reason())
	case first != "":
		return first
	}
	for i := range s.Stops {
		if s.Stops[i].Author == "" && s.Stops[i].UID == nil { // else it is a user's own doing
			return fmt.Sprintf("%d messages wait: %s", s.Spool.Messages, s.Stops[i].Reason)
		}
	}
	line := fmt.Sprintf("delivering; %d messages wait", s.Spool.Messages)
	for i := range s.Conditions {
		line += "; " + s.Conditions[i].Line(s.Now)
	}
	return line
}
