package fleet

import (
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/quota"
)

// startServer runs a NATS server in this process.
func startServer(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not get ready")
	}
	return s
}

// startCluster runs three servers that are one cluster.
func startCluster(t *testing.T) (urls []string, servers []*server.Server) {
	t.Helper()
	var ports [3]int
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
	}
	var routes string
	for _, p := range ports {
		routes += fmt.Sprintf(",nats://127.0.0.1:%d", p)
	}
	for i, p := range ports {
		servers = append(servers, startServer(t, func(o *server.Options) {
			o.ServerName = fmt.Sprintf("n%d", i+1)
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: p}
			o.Routes = server.RoutesFromStr(routes[1:])
		}))
	}
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		leader := false
		for _, s := range servers {
			leader = leader || s.JetStreamIsLeader()
		}
		if leader && servers[0].JetStreamIsCurrent() && servers[1].JetStreamIsCurrent() && servers[2].JetStreamIsCurrent() {
			return urls, servers
		}
		if time.Now().After(end) {
			t.Fatal("the cluster has no leader")
		}
	}
}

// The times of tests are a tenth of the real ones; slots keep whole seconds.
const testMinute, testTTL = 6 * time.Second, 4 * time.Second

type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) warn(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, err.Error())
}

func (w *warnings) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.all...)
}

func testLedger(t *testing.T) quota.Host {
	return quota.Host{Ledger: quota.New(&durable.Shared{Path: filepath.Join(t.TempDir(), "cache"), Lost: "nothing is counted",
		Ops: durable.System, Warn: func(err error) { t.Error(err) }}, nil)}
}

// join opens a member that is there at once.
func join(t *testing.T, o Options) *Fleet {
	t.Helper()
	f := open(t, o)
	until(t, "the fleet is reached", func() bool { return f.Reach() == nil })
	return f
}

func open(t *testing.T, o Options) *Fleet {
	t.Helper()
	if o.Name == "" {
		o.Name = "test"
	}
	if o.Local.Ledger == nil {
		o.Local = testLedger(t)
	}
	if o.TTL == 0 {
		o.TTL = testTTL
	}
	if o.Minute == 0 {
		o.Minute = testMinute
	}
	if o.Wait == 0 {
		o.Wait = 5 * time.Second // a busy machine is no fault
	}
	f, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !true(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("did not see that " + what)
		}
	}
}
