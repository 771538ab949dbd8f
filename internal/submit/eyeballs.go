package submit

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// The delays of RFC 8305, section 8, and a bound on attempts.
const (
	resolutionDelay = 50 * time.Millisecond
	attemptDelay    = 250 * time.Millisecond
	maxAttempts     = 12
)

// race connects to the first of a host's addresses that answers (RFC 8305): IPv6 and
// IPv4 in turn, the next a quarter of a second after the last or as soon as it fails.
type race struct {
	cfg      *Config
	answers  chan answer
	attempts chan attempt
	timer    *time.Timer

	queue   [2][]netip.Addr // by family: 0 IPv6, 1 IPv4
	next    int             // the family whose turn it is
	asking  int             // lookups without an answer
	started int             // attempts begun
	running int             // attempts not ended
	ready   bool            // another attempt may begin
	err     error           // the failure that says most
	tried   bool            // err is that of an attempt
}

type answer struct {
	family int
	addrs  []netip.Addr
	err    error
}

type attempt struct {
	conn net.Conn
	err  error
}

// connect opens a TCP connection to the configured host.
func connect(ctx context.Context, cfg *Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	port := strconv.Itoa(cfg.Port)
	if cfg.DialHost {
		return cfg.DialContext(ctx, "tcp", net.JoinHostPort(cfg.Host, port))
	}
	if ip, err := netip.ParseAddr(cfg.Host); err == nil {
		return cfg.DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), port))
	}
	r := &race{cfg: cfg, answers: make(chan answer, 2), attempts: make(chan attempt, maxAttempts), timer: time.NewTimer(time.Hour)}
	defer r.timer.Stop()
	conn, err := r.run(ctx, port)
	cancel()
	if r.running > 0 {
		go r.sweep(r.running)
	}
	return conn, err
}

func (r *race) run(ctx context.Context, port string) (net.Conn, error) {
	r.lookup(ctx)
	for {
		for r.ready && r.begin(ctx, port) {
			r.ready = false
			r.timer.Reset(attemptDelay)
		}
		if r.running == 0 && r.asking == 0 && len(r.queue[0])+len(r.queue[1]) == 0 {
			return nil, r.err
		}
		select {
		case a := <-r.answers:
			r.resolved(a)
		case <-r.timer.C:
			r.ready = true
		case a := <-r.attempts:
			r.running--
			if a.err == nil {
				return a.conn, nil
			}
			if !r.tried {
				r.err, r.tried = a.err, true
			}
			r.ready = true
		case <-ctx.Done():
			return nil, r.gaveUp(ctx)
		}
	}
}

// lookup asks for both families at once.
func (r *race) lookup(ctx context.Context) {
	for family, network := range [...]string{"ip6", "ip4"} {
		if family == 0 && r.cfg.IPv4Only {
			continue
		}
		r.asking++
		go func() {
			addrs, err := r.cfg.LookupNetIP(ctx, network, r.cfg.Host)
			r.answers <- answer{family, addrs, err}
		}()
	}
}

// resolved takes a lookup's answer; IPv4 waits a moment for IPv6 (RFC 8305 section 3).
func (r *race) resolved(a answer) {
	r.asking--
	r.queue[a.family] = a.addrs
	switch {
	case a.err != nil:
		r.unresolved(a.err)
	case len(a.addrs) == 0:
		r.unresolved(&net.DNSError{Err: "no addresses", Name: r.cfg.Host, IsNotFound: true})
	case r.started == 0 && a.family == 1 && r.asking > 0:
		r.timer.Reset(resolutionDelay)
		return
	}
	r.ready = r.ready || r.started == 0 || r.running == 0
}

// begin starts an attempt at the next address, if there is one.
func (r *race) begin(ctx context.Context, port string) bool {
	if len(r.queue[r.next]) == 0 {
		r.next = 1 - r.next
	}
	q := r.queue[r.next]
	if len(q) == 0 {
		return false
	}
	r.queue[r.next] = q[1:]
	r.next = 1 - r.next
	if r.started++; r.started >= maxAttempts {
		r.queue = [2][]netip.Addr{}
	}
	r.running++
	address := net.JoinHostPort(q[0].Unmap().String(), port)
	go func() {
		conn, err := r.cfg.DialContext(ctx, "tcp", address)
		r.attempts <- attempt{conn, err}
	}()
	return true
}

// unresolved keeps the first failure of a lookup, as long as no attempt has failed: the lack
// of an IPv6 address must not hide why the IPv4 address does not answer.
func (r *race) unresolved(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *race) gaveUp(ctx context.Context) error {
	if r.err != nil {
		return r.err
	}
	what := "name resolution"
	if r.started > 0 {
		what = "connecting"
	}
	return fmt.Errorf("%s took longer than %v: %w", what, r.cfg.ConnectTimeout, ctx.Err())
}

// sweep closes connections that came too late.
func (r *race) sweep(running int) {
	for range running {
		if a := <-r.attempts; a.err == nil {
			a.conn.Close()
		}
	}
}
