package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/metrics"
)

// exporter gives the metrics to a file, to a TCP port and to who asks on the control socket.
type exporter struct {
	agent *Agent
	read  atomic.Pointer[reading]

	filing sync.Mutex
	path   string
	write  func(text []byte)

	scraping sync.Mutex
	text     []byte // as it was made last
	made     time.Time

	serving sync.Mutex
	addr    string // agent.metrics_listen as it is followed; "" for none
	warned  bool   // of addr
	server  *control.Server
	ended   bool
}

// reading is what is known of readings of the configuration.
type reading struct {
	usable time.Time // when the last one began that can be used; zero for none
	failed bool      // one that can't be used came later
}

// note notes what has been read.
func (x *exporter) note(r *rules) {
	if r.fault == nil {
		x.read.Store(&reading{usable: r.read})
	} else {
		x.read.Store(&reading{usable: x.read.Load().usable, failed: true})
	}
}

// freshness is how long a text is given to all who ask: however many they are, the engine is asked no more often.
const freshness = time.Second

// now returns the text for who asks.
func (x *exporter) now() []byte {
	x.scraping.Lock()
	defer x.scraping.Unlock()
	if now := x.agent.o.Now(); x.text == nil || now.Sub(x.made).Abs() >= freshness {
		x.text, x.made = x.render(x.agent.engine.State()), now
	}
	return x.text
}

func (x *exporter) render(s deliver.State) []byte {
	read, r := x.read.Load(), x.agent.rules.Load()
	return metrics.Render(&metrics.Snapshot{State: s, Version: x.agent.o.Version,
		Broken: r.fault != nil, Read: read.usable, ReadFailed: read.failed, Fleet: r.fleetMetrics()})
}

// publish writes the file, and looks whether the port is served that the configuration in force names.
func (x *exporter) publish(s deliver.State) {
	c := &x.agent.rules.Load().config.Agent
	x.follow(c.MetricsListen)
	x.filing.Lock()
	defer x.filing.Unlock()
	if c.MetricsFile != x.path {
		x.path, x.write = c.MetricsFile, metrics.Writer(c.MetricsFile, x.agent.warn)
	}
	if x.path != "" {
		x.write(x.render(s))
	}
}

// follow serves the metrics at an address, in place of another. One that can't be had now is reported once, and tried
// again.
func (x *exporter) follow(addr string) {
	x.serving.Lock()
	defer x.serving.Unlock()
	if x.ended || addr == x.addr && (x.server != nil || addr == "") {
		return
	}
	if addr != x.addr {
		x.close()
		x.addr, x.warned = addr, false
		if addr == "" {
			return
		}
	}
	l, err := listenMetrics(addr)
	if err != nil {
		if !x.warned {
			x.agent.warn(fmt.Errorf("agent.metrics_listen: %w", err))
		}
		x.warned = true
		return
	}
	s := control.NewMetricsServer(x.now, func(c net.Conn) (int, error) {
		who, err := x.agent.peer(c, false)
		return who.UID, err
	})
	x.server = s
	go func() { _ = s.Serve(l) }() // ends with close
}

func listenMetrics(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; choose a port above 1023", err)
	case err != nil:
		return nil, err
	case !loopback(l.Addr()):
		_ = l.Close()
		return nil, fmt.Errorf("%s can be reached by other hosts; use 127.0.0.1 or [::1]", l.Addr())
	}
	return l, nil
}

// close ends the server and its connections.
func (x *exporter) close() {
	if x.server != nil {
		_ = x.server.Close()
		x.server = nil
	}
}

// end is close for good.
func (x *exporter) end() {
	x.serving.Lock()
	defer x.serving.Unlock()
	x.ended = true
	x.close()
}
